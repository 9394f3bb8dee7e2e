"""WAV files of floats: true at every moment, in any order, of any size."""

import errno
import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import noise

from utils.audio import float_wav, headers
from utils.audio.float_wav import HEADER_BYTES, FloatWav, header
from utils.core.errors import DiskFull, OutputNotWritable


def test_what_is_written_comes_back(tmp_path):
    """Bit for bit, overs included, in bounded blocks and as often as wanted."""
    sound = noise(150_000).T * 7
    file = FloatWav(tmp_path / "s", 44100, 2)
    for start in range(0, len(sound), 40_000):
        file.write(sound[start : start + 40_000])
    for _ in range(2):
        blocks = list(file.blocks())
        assert max(map(len, blocks)) <= 1 << 16
        np.testing.assert_array_equal(np.concatenate(blocks), sound)
    file.close()


def test_others_read_it_while_it_grows(tmp_path):
    """After each `show`, and from the first moment, its header promises what is there and no more."""
    sound = noise(100_000).T
    path = tmp_path / "s"
    file = FloatWav(path, 48000, 2)
    for end in range(0, 100_001, 12_500):
        file.write(sound[file.frames : end])
        file.show()
        found, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert rate == 48000
        np.testing.assert_array_equal(found, sound[:end])
        with path.open("rb") as raw:
            assert headers.promised_frames(raw) == (end or None)
    file.close()
    assert path.stat().st_size == HEADER_BYTES + sound.nbytes


def test_samples_are_there_before_the_header_promises_them(tmp_path):
    """Who opens the file between two writes finds it whole."""
    path = tmp_path / "s"
    file = FloatWav(path, 44100, 2)
    real = file._file.write
    seen = []

    def write(data):
        seen.append(len(soundfile.read(path)[0]))
        return real(data)

    file._file.write = write
    for block in np.split(noise(300_000).T, 10):
        file.write(block)
        file.show()
    file.close()
    assert seen[-1] == 270_000  # the last one writes the header itself


@settings(max_examples=30)
@given(st.permutations(range(12)), st.integers(1, 3))
def test_the_order_of_writing_does_not_matter(tmp_path_factory, order, channels):
    """Pieces may come in any order; what is not there yet is silence."""
    sound = noise(1200, channels).T
    path = tmp_path_factory.mktemp("wav") / "s"
    file = FloatWav(path, 44100, channels)
    file.extend_to(len(sound))
    there = np.zeros_like(sound)
    for piece in order:
        part = slice(100 * piece, 100 * piece + 100)
        file.write_at(part.start, sound[part])
        there[part] = sound[part]
        file.show()
        np.testing.assert_array_equal(soundfile.read(path, dtype="float32", always_2d=True)[0], there)
    np.testing.assert_array_equal(file.read(150, 10_000), sound[150:])
    file.close()


def test_it_becomes_rf64_when_it_outgrows_a_wav_file(tmp_path, monkeypatch):
    """In place, in the room that its header has for that."""
    monkeypatch.setattr(float_wav, "MAX_RIFF_BYTES", 10_000)
    path = tmp_path / "s"
    file = FloatWav(path, 44100, 2)
    sound = noise(5000).T
    file.write(sound[:1000])
    file.show()
    assert path.read_bytes()[:4] == b"RIFF"
    file.write(sound[1000:])
    file.close()
    assert path.read_bytes()[:4] == b"RF64"
    np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0], sound)
    with path.open("rb") as raw:
        assert headers.promised_frames(raw) == 5000


def test_a_header_knows_sizes_beyond_four_gibibytes():
    """As libsndfile and our own reader understand it."""
    assert headers.promised_frames(io.BytesIO(header(44100, 2, 3 << 30))) == 3 << 30


def test_a_failed_write_is_an_error(tmp_path):
    """A full disk is told when it happens."""
    file = FloatWav(tmp_path / "s", 44100, 2)
    file._file.fault = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DiskFull):
        file.write(noise(10).T)
    file.abandon()


def test_it_needs_its_folder(tmp_path):
    """What cannot be created is an error about the output."""
    with pytest.raises(OutputNotWritable):
        FloatWav(tmp_path / "none" / "s", 44100, 2)
