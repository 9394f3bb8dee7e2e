"""What each format can hold."""

from typing import get_args

import pytest

from utils.audio.formats import OutputFormat, check_output, check_stems, notes, rate_like
from utils.core.errors import UnsupportedFormat
from utils.core.requests import AudioFormat


def output(name="wav", sample_type="PCM_16", bitrate=None, rate=44100, clip="rescale"):
    return OutputFormat(name, sample_type, bitrate, rate, clip)


@pytest.mark.parametrize("name", get_args(AudioFormat))
@pytest.mark.parametrize("channels", [1, 2])
def test_the_usual_is_possible(name, channels):
    """Every format takes CD audio with its defaults."""
    check_output(output(name), channels=channels)
    check_output(output(name, rate=48000), channels=channels)


@pytest.mark.parametrize("sample_type", ["PCM_32", "FLOAT"])
def test_flac_cannot_hold_everything(sample_type):
    """The hint names what it can hold."""
    with pytest.raises(UnsupportedFormat, match="only PCM_16 or PCM_24") as caught:
        check_output(output("flac", sample_type), channels=2)
    assert caught.value.field == "pcm_type"
    assert "PCM_24" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "rate", "near"),
    [
        ("mp3", 96000, 48000),
        ("mp3", 8001, 8000),
        ("m4a", 192000, 96000),
        ("ogg", 384000, 192000),
        ("stem.m4a", 96000, 48000),
    ],
)
def test_an_impossible_rate_names_the_nearest(name, rate, near):
    """So that the request can be mended."""
    with pytest.raises(UnsupportedFormat, match=f"{rate} Hz") as caught:
        check_output(output(name, rate=rate), channels=2)
    assert caught.value.suggestions == (str(near),)
    check_output(output(name, rate=near), channels=2)


@pytest.mark.parametrize(
    ("name", "rate", "like"),
    [
        ("wav", 96000, 96000),
        ("mp3", 96000, 48000),
        ("mp3", 47999, 44100),
        ("mp3", 32000, 32000),
        ("mp3", 4000, 8000),
        ("ogg", 384000, 192000),
        ("stem.m4a", 96000, 48000),
        ("stem.m4a", 22050, 44100),
        ("mka", 96000, 96000),
    ],
)
def test_a_rate_as_near_to_the_song_s_as_a_format_has(name, rate, like):
    """Not above it, unless the format has no lower one."""
    assert rate_like(rate, name) == like
    check_output(output(name, rate=like), channels=2)


@pytest.mark.parametrize(
    ("name", "rate", "bitrate", "near"),
    [
        ("mp3", 44100, 300, 320),
        ("mp3", 44100, 8, 32),
        ("mp3", 22050, 320, 160),
        ("mp3", 8000, 128, 64),
        ("opus", 48000, 640, 512),
        ("m4a", 44100, 640, 529),
    ],
)
def test_an_impossible_bitrate_names_the_nearest(name, rate, bitrate, near):
    """So that the request can be mended."""
    with pytest.raises(UnsupportedFormat, match=f"{bitrate} kbit/s") as caught:
        check_output(output(name, bitrate=bitrate, rate=rate), channels=2)
    assert caught.value.suggestions == (str(near),)
    check_output(output(name, bitrate=near, rate=rate), channels=2)


def test_the_default_bitrate_fits_the_rate():
    """320 kbit/s, and less where the rate knows no more."""
    assert output("mp3").kilobits(2) == 320
    assert output("mp3", rate=22050).kilobits(2) == 160
    assert output("mp3", rate=8000).kilobits(2) == 64
    assert output("m4a").kilobits(2) == 256
    assert output("m4a", rate=16000).kilobits(1) == 96
    assert output("mp3", bitrate=128).kilobits(2) == 128


@pytest.mark.parametrize(("rate", "file_rate"), [(44100, 48000), (48000, 48000), (24000, 24000), (96000, 48000)])
def test_opus_has_rates_of_its_own(rate, file_rate):
    """Others become 48 kHz, which is said."""
    asked = output("opus", rate=rate)
    assert asked.file_rate == file_rate
    assert bool(notes(asked)) == (rate != file_rate)


def test_a_bitrate_for_lossless_is_only_noted():
    """It has no meaning there and harms nothing."""
    check_output(output(bitrate=320), channels=2)
    assert "bitrate" in notes(output(bitrate=320))[0]
    assert notes(output()) == notes(output("mp3", bitrate=320)) == []


@pytest.mark.parametrize("name", ["mp3", "ogg", "opus", "m4a"])
def test_lossy_stems_are_mono_or_stereo(name):
    """More channels are refused."""
    with pytest.raises(UnsupportedFormat, match="at most 2 channels"):
        check_output(output(name), channels=6)


def test_only_float_files_hold_overs():
    """Where samples above full scale survive, nothing has to be rescaled."""
    assert output("wav", "FLOAT").holds_overs
    assert output("aiff", "FLOAT").holds_overs
    assert not output("wav", "PCM_32").holds_overs
    assert not output("mp3", "FLOAT").holds_overs


def test_sizes_are_not_underestimated():
    """Ten seconds of CD audio."""
    assert output().size_bytes(441000, 2) >= 441000 * 4
    assert output("flac", "PCM_24").size_bytes(441000, 2) >= 441000 * 6
    assert 400_000 <= output("mp3").size_bytes(441000, 2) <= 600_000


@pytest.mark.parametrize(
    ("name", "sample_type", "codec"),
    [
        ("stem.m4a", None, "aac"),
        ("stem.m4a", "PCM_16", "alac"),
        ("stem.m4a", "PCM_24", "alac"),
        ("mka", None, "opus"),
        ("mka", "PCM_16", "flac"),
        ("mka", "PCM_24", "flac"),
        ("mka", "PCM_32", "pcm"),
        ("mka", "FLOAT", "pcm"),
    ],
)
def test_the_sample_type_decides_how_tracks_are_coded(name, sample_type, codec):
    """Without one, they are lossy."""
    wanted = output(name, sample_type, rate=48000)
    check_output(wanted, channels=2)
    assert (wanted.codec, wanted.is_lossy, wanted.is_joint) == (codec, sample_type is None, True)
    assert wanted.holds_overs == (sample_type == "FLOAT")


@pytest.mark.parametrize("sample_type", ["PCM_32", "FLOAT"])
def test_alac_cannot_hold_everything(sample_type):
    """The error says what is coded how."""
    with pytest.raises(UnsupportedFormat, match=r"`stem\.m4a` with ALAC .* only PCM_16 or PCM_24"):
        check_output(output("stem.m4a", sample_type), channels=2)


def test_matroska_says_that_opus_needs_another_rate():
    """As `opus` does; and a bit rate beside a sample type has no effect."""
    assert "written at 48000 Hz" in notes(output("mka", None, bitrate=128))[0]
    assert notes(output("mka", "PCM_24", bitrate=128)) == ["`bitrate` was ignored: `mka` with FLAC has none."]


@pytest.mark.parametrize(("stems", "more"), [(2, 0), (2, 1), (3, 0), (5, 0), (6, 1)])
def test_another_number_of_stems_names_what_fits(stems, more):
    """Too few: models with four; too many: a choice of four."""
    with pytest.raises(UnsupportedFormat, match=f"exactly four stems .* gives {stems}") as caught:
        check_stems("stem.m4a", stems, lambda: list("abcdefg"), more=more)
    assert caught.value.suggestions == tuple("abcdefg")
    assert ("such as a, b, c, d, e." in caught.value.hint) == (stems < 4)
    assert ("choose four" in caught.value.hint) == (stems > 4)
    assert '"mka" holds any number' in caught.value.hint


@pytest.mark.parametrize(
    ("name", "stems", "more"), [("stem.m4a", 4, 0), ("stem.m4a", 3, 1), ("mka", 9, 0), ("wav", 1, 0)]
)
def test_a_fitting_number_of_stems_passes(name, stems, more):
    """Also where there may be one more, and models are looked for only if an error needs them."""
    check_stems(name, stems, lambda: pytest.fail("not needed"), more=more)
