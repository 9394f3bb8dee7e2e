"""What headers promise."""

import io

import pytest
import soundfile
from sounds import save, set_data_size, tones

from utils.audio.headers import promised_frames


def promised(path):
    with path.open("rb") as file:
        return promised_frames(file)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
def test_a_wav_header_tells_the_length(tmp_path, form, subtype):
    """Plain, extensible and 64-bit headers, for every fixed-size coding."""
    assert promised(save(tmp_path / "a.wav", tones(1234), format=form, subtype=subtype)) == 1234


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_byte_order_is_respected(tmp_path, endian):
    """RIFX is RIFF the other way round."""
    assert promised(save(tmp_path / "a.wav", tones(1234), endian=endian)) == 1234


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_an_aiff_header_tells_the_length(tmp_path, subtype):
    """Also in the AIFF-C form of floats."""
    assert promised(save(tmp_path / "a.aiff", tones(1234), subtype=subtype)) == 1234


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_streamed_sizes_promise_nothing(tmp_path, size):
    """Programs that write to a pipe put such a size where none is known."""
    assert promised(set_data_size(save(tmp_path / "a.wav", tones(100)), size)) is None


def test_coded_samples_promise_nothing(tmp_path):
    """With ADPCM, bytes say little of samples."""
    assert promised(save(tmp_path / "a.wav", tones(1000), subtype="IMA_ADPCM")) is None


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0ab", b"hello" * 9])
def test_other_bytes_promise_nothing(data):
    """Short, broken and foreign headers are nobody's promise."""
    assert promised_frames(io.BytesIO(data)) is None


def test_libsndfile_agrees(tmp_path):
    """For a whole file the header and libsndfile say the same."""
    path = save(tmp_path / "a.wav", tones(777, 5), subtype="PCM_24")
    assert promised(path) == soundfile.info(path).frames
