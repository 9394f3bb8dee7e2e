"""Encoders: what is written can be read, bit for bit where the format allows; a full disk is noticed in each."""

import errno

import mutagen
import numpy as np
import pytest
import soundfile
from sounds import RATE, noise, read, sdr, tones

from utils.audio import encoders
from utils.audio.encoders import full_scale, open_encoder, quantised
from utils.audio.formats import OutputFormat
from utils.audio.reading import probe
from utils.core.errors import DiskFull, OutputNotWritable

FRAMES = 2 * RATE + 311
LOSSLESS = [(name, kind) for name in ("wav", "aiff") for kind in ("PCM_16", "PCM_24", "PCM_32", "FLOAT")]
LOSSLESS += [("flac", "PCM_16"), ("flac", "PCM_24")]
LOSSY = ["mp3", "ogg", "opus", "m4a"]


def output(name, sample_type="PCM_16", *, rate=RATE, bitrate=None, clip="none"):
    return OutputFormat(name, sample_type, bitrate, rate, clip)


def encode(path, wanted, sound, block=30000):
    encoder = open_encoder(path, wanted, channels=len(sound), frames=sound.shape[1])
    for start in range(0, sound.shape[1], block):
        encoder.write(sound[:, start : start + block].T)
    encoder.close()
    return path


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("name", "sample_type"), LOSSLESS)
def test_lossless_files_hold_every_bit(tmp_path, name, sample_type, channels):
    """The error is half a step at most: 24 bits really are 24."""
    bits = {"PCM_16": 16, "PCM_24": 24}.get(sample_type, 25)
    sound = noise(FRAMES, channels)
    path = encode(tmp_path / f"a.{name}", output(name, sample_type), sound)
    assert probe(path).frames == FRAMES
    assert soundfile.info(path).subtype == sample_type
    found = read(path, channels=channels)
    assert np.abs(found - sound).max() <= 2.0**-bits
    assert sdr(sound, found) > 6 * bits - 6


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [44100, 48000, 22050])
@pytest.mark.parametrize("name", LOSSY)
def test_lossy_files_keep_length_and_place(tmp_path, name, rate, channels):
    """Exactly as many samples as were written, and the same sound."""
    wanted = output(name, rate=rate)
    sound = tones(FRAMES, channels, rate=wanted.file_rate)
    path = encode(tmp_path / f"a.{name}", wanted, sound)
    found = read(path, rate=wanted.file_rate, channels=channels)
    assert found.shape == sound.shape
    assert sdr(sound, found) > 20


@pytest.mark.parametrize("frames", [1, 2, 100, 1023, 1024, 1025, 2049, 4097])
@pytest.mark.parametrize("name", ["wav", "flac", *LOSSY])
def test_short_files_have_their_exact_length(tmp_path, name, frames):
    """Down to a single sample, and around the codecs' own frames."""
    wanted = output(name, rate=48000)
    assert read(encode(tmp_path / f"a.{name}", wanted, tones(frames)), rate=48000).shape == (2, frames)


@pytest.mark.parametrize(
    ("name", "rate", "bitrate"),
    [
        ("mp3", 44100, 320),
        ("mp3", 44100, 128),
        ("mp3", 48000, 32),
        ("mp3", 22050, 160),
        ("mp3", 8000, 64),
        ("mp3", 16000, 8),
    ],
)
def test_mp3_has_the_constant_bitrate_asked_for(tmp_path, name, rate, bitrate):
    """Every level of libsndfile's is the one meant."""
    info = mutagen.File(encode(tmp_path / "a.mp3", output(name, rate=rate, bitrate=bitrate), noise(rate * 3))).info
    assert info.bitrate == pytest.approx(bitrate * 1000, rel=1e-4)
    assert info.sample_rate == rate


@pytest.mark.parametrize("name", ["opus", "m4a"])
@pytest.mark.parametrize("bitrate", [64, 128, 256])
def test_other_bitrates_are_near_what_was_asked(tmp_path, name, bitrate):
    """As near as the codec's own control and the container's overhead let them be with noise."""
    path = encode(tmp_path / f"a.{name}", output(name, rate=48000, bitrate=bitrate), noise(48000 * 5))
    assert path.stat().st_size * 8 / 5 / 1000 == pytest.approx(bitrate, abs=11, rel=0.1)


@pytest.mark.parametrize(("channels", "bitrate"), [(2, 64), (2, 128), (2, 256), (2, 500), (1, 64), (1, 128)])
def test_vorbis_gets_the_quality_that_stands_for_the_bitrate(tmp_path, channels, bitrate):
    """The nominal bit rate in the header is about what was asked."""
    path = encode(tmp_path / "a.ogg", output("ogg", bitrate=bitrate), tones(RATE, channels))
    assert mutagen.File(path).info.bitrate == pytest.approx(1000 * bitrate, rel=0.35)


@pytest.mark.parametrize("name", ["wav", "flac", "aiff"])
def test_overs_saturate(tmp_path, name):
    """Integers are held at full scale and never wrap round."""
    sound = np.array([[1.0, -1.0, 1.5, -1.5, 100.0, -100.0, 0.99999]], np.float32)
    found = read(encode(tmp_path / f"a.{name}", output(name), sound), channels=1)[0]
    np.testing.assert_allclose(found, [1, -1, 1, -1, 1, -1, 1], atol=2**-14)


@pytest.mark.parametrize("name", ["wav", "aiff"])
def test_floats_keep_overs(tmp_path, name):
    """What is above full scale is not lost."""
    sound = np.array([[3.5, -7.25, 0.1]], np.float32)
    path = encode(tmp_path / f"a.{name}", output(name, "FLOAT"), sound)
    np.testing.assert_array_equal(read(path, channels=1), sound)


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_samples_are_rounded_to_nearest(bits):
    """Half a step at most, with no offset."""
    sound = noise(20000, 1).T
    steps = quantised(sound, bits).astype(np.float64) / 2.0 ** (15 if bits == 16 else 31)
    assert np.abs(steps - sound).max() <= 2.0**-bits
    assert abs((steps - sound).mean()) < 2.0 ** -(bits + 4)


@pytest.mark.parametrize("sample_type", ["PCM_16", "PCM_24", "PCM_32"])
def test_full_scale_needs_no_saturation(tmp_path, sample_type):
    """The level that stems are rescaled to is a sample the file can hold."""
    top = full_scale(output("wav", sample_type))
    path = encode(tmp_path / "a.wav", output("wav", sample_type), np.array([[top, -top]], np.float32))
    assert 0.99996 < top < 1
    np.testing.assert_array_equal(read(path, channels=1), np.array([[top, -top]], np.float32))


@pytest.mark.parametrize("name", ["wav", "aiff", "flac", "mp3"])
def test_the_same_samples_give_the_same_bytes(tmp_path, name, monkeypatch):
    """No time of day ends in a file."""
    kind = "FLOAT" if name in ("wav", "aiff") else "PCM_16"
    first = encode(tmp_path / f"a.{name}", output(name, kind), tones(5000)).read_bytes()
    marker = first.find(b"PEAK")
    if name == "aiff":
        assert first[marker + 12 : marker + 16] == bytes(4)
    assert encode(tmp_path / f"b.{name}", output(name, kind), tones(5000)).read_bytes() == first


def test_large_wav_files_are_rf64(tmp_path, monkeypatch):
    """The header is chosen by the size that the file will have."""
    sound = tones(5000)
    assert encode(tmp_path / "a.wav", output("wav"), sound).read_bytes()[:4] == b"RIFF"
    monkeypatch.setattr(encoders, "MAX_RIFF_BYTES", 10_000)
    path = encode(tmp_path / "b.wav", output("wav"), sound)
    assert path.read_bytes()[:4] == b"RF64"
    np.testing.assert_allclose(read(path), sound, atol=2**-15)


class LimitedFile:
    """A file on a disk that becomes full."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("name", ["wav", "flac", "aiff", *LOSSY])
def test_a_full_disk_is_noticed(tmp_path, name):
    """Also where the library ignores failed writes."""
    encoder = open_encoder(tmp_path / "a", output(name, rate=48000), channels=2, frames=10**6)
    encoder._file._file = LimitedFile(encoder._file._file, 20_000)
    with pytest.raises(DiskFull, match="disk is full"):  # noqa: PT012 - which write notices is the library's affair
        for _ in range(20):
            encoder.write(noise(40_000).T)
        encoder.close()
    encoder.abandon()


@pytest.mark.parametrize("name", ["wav", *LOSSY])
def test_a_file_closed_by_another_thread_is_an_error(tmp_path, name):
    """After `abandon` nothing pretends to be written, and nothing crashes."""
    encoder = open_encoder(tmp_path / "a", output(name, rate=48000), channels=2, frames=10**6)
    encoder.write(noise(5000).T)
    encoder.abandon()
    with pytest.raises(OutputNotWritable):  # noqa: PT012 - as above
        encoder.write(noise(200_000).T)
        encoder.close()


@pytest.mark.parametrize("name", ["wav", "m4a"])
def test_a_file_that_cannot_be_created_is_an_error(tmp_path, name):
    """The folder is missing."""
    with pytest.raises(OutputNotWritable, match="none"):
        open_encoder(tmp_path / "none" / "a", output(name), channels=2, frames=10)
