"""Reading: any file, any part of it, as blocks of the wanted kind; and clear errors for what is no audio."""

import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, cut, noise, read, save, save_video, sdr, set_data_size, tones

from utils.audio import decoding, reading
from utils.audio.channels import mixing_matrix
from utils.audio.paths import os_path
from utils.audio.reading import open_audio, probe
from utils.core.errors import InputEmpty, InputNotFound, InputUnreadable, InvalidRequest

FRAMES = 30011
EXACT_SUBTYPES = {"PCM_U8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-23, "FLOAT": 0, "DOUBLE": 0}

needs_posix_names = pytest.mark.skipif(sys.platform != "linux", reason="the system forbids or changes such names")


@pytest.mark.parametrize("subtype", EXACT_SUBTYPES)
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64", "W64"])
def test_every_kind_of_wav_is_read_exactly(tmp_path, form, subtype):
    """8 to 64 bits, integers and floats, in each container of the family."""
    sound = noise(FRAMES)
    path = save(tmp_path / "a.wav", sound, format=form, subtype=subtype)
    assert probe(path) == reading.AudioInfo(path, RATE, 2, form, subtype, FRAMES)
    np.testing.assert_allclose(read(path), sound, atol=EXACT_SUBTYPES[subtype], rtol=0)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.flac", "PCM_16"), ("a.flac", "PCM_24"), ("a.aiff", "PCM_16"), ("a.aiff", "FLOAT"), ("a.caf", "PCM_24")],
)
def test_other_lossless_files_are_read_exactly(tmp_path, name, subtype):
    """FLAC, AIFF and CAF give the samples that went in."""
    sound = noise(FRAMES)
    np.testing.assert_allclose(read(save(tmp_path / name, sound, subtype=subtype)), sound, atol=2**-15)


@pytest.mark.parametrize(("name", "subtype"), [("a.mp3", None), ("a.ogg", None), ("a.opus", "OPUS")])
def test_lossy_files_keep_their_length_and_place(tmp_path, name, subtype):
    """The codec's delay does not show."""
    sound = tones(FRAMES, rate=48000)
    path = save(tmp_path / name, sound, 48000, subtype=subtype)
    found = read(path, rate=48000)
    assert found.shape == sound.shape
    assert sdr(sound, found) > 20


@pytest.mark.parametrize("target", [1, 2])
@pytest.mark.parametrize("channels", range(1, 9))
def test_any_number_of_channels_is_mixed(tmp_path, channels, target):
    """One to eight channels become mono or stereo by the table."""
    sound = noise(2000, channels)
    found = read(save(tmp_path / "a.wav", sound, subtype="FLOAT"), channels=target)
    expected = sound if channels == target else mixing_matrix(channels, target).T @ sound
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_more_channels_are_refused(tmp_path):
    """Nine channels have no known order."""
    with pytest.raises(InputUnreadable, match="9 channels; at most 8"):
        probe(save(tmp_path / "a.wav", noise(100, 9)))


@pytest.mark.parametrize(("place", "value"), [(34, 0), (34, 65535), (20, 0xFFFF), (20, 0), (22, 0), (22, 65535)])
def test_an_impossible_wav_header_is_unreadable(tmp_path, place, value):
    """Bits, coding and channels that nothing has: a named error, with the reasons of both decoders."""
    path = save(tmp_path / "a.wav", tones(5000))
    data = bytearray(path.read_bytes())
    data[place : place + 2] = value.to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(InputUnreadable, match=r"cannot be read as audio \(libsndfile: .*; FFmpeg: "):
        probe(path)


def test_a_flac_header_with_other_channels_is_damage(tmp_path):
    """The header says eight, the music has two."""
    path = save(tmp_path / "a.flac", tones(5000))
    data = bytearray(path.read_bytes())
    data[20] = data[20] & 0xF1 | 7 << 1
    path.write_bytes(data)
    with pytest.raises(InputUnreadable, match="damaged"):
        read(path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize("rate", [1, 8, 999])
def test_a_rate_that_no_music_has_is_refused(tmp_path, rate, name):
    """A few bytes would become hours; the error names the lowest rate, and the setting that allows others."""
    path = save(tmp_path / name, np.zeros((1, 4000), np.float32), rate)
    with pytest.raises(InputUnreadable, match=rf"{rate} Hz; songs need at least 1000 Hz") as caught:
        probe(path)
    assert "`lowest_sample_rate`" in caught.value.hint
    assert probe(path, lowest_rate=rate).sample_rate == rate
    with pytest.raises(InputUnreadable, match="at least 2000 Hz"):
        probe(path, lowest_rate=2000)


def test_a_rate_beyond_every_recorder_is_refused(tmp_path):
    """The highest rate is a limit, too."""
    with pytest.raises(InputUnreadable, match="sample rate of 7000000 Hz; at most 6000000"):
        probe(save(tmp_path / "a.wav", np.zeros((1, 4000), np.float32), 7_000_000))


@pytest.mark.parametrize("rate", [100, 1000])
def test_a_low_rate_comes_in_bounded_blocks(tmp_path, rate):
    """Blocks are bounded by what comes out, at the lowest rate too."""
    path = save(tmp_path / "a.wav", np.zeros((1, 100 * rate), np.float32), rate)
    with open_audio(path, sample_rate=48000, channels=1) as reader:
        sizes = [block.shape[1] for block in reader]
    assert sum(sizes) == 4_800_000
    assert max(sizes) < 400_000


@pytest.mark.parametrize("source", [8000, 22050, 48000, 96000])
def test_blocks_have_the_wanted_rate_and_form(tmp_path, source):
    """Whatever the source: float32, contiguous, (channels, samples), and exactly the computed number."""
    path = save(tmp_path / "a.wav", tones(source * 2 + 1, rate=source), source, subtype="FLOAT")
    with open_audio(path, sample_rate=RATE, channels=2) as reader:
        blocks = list(reader)
        assert reader.source_frames == source * 2 + 1
    assert all(block.dtype == np.float32 and block.flags.c_contiguous and block.shape[0] == 2 for block in blocks)
    assert sum(block.shape[1] for block in blocks) == (2 * (source * 2 + 1) * RATE + source) // (2 * source)


def test_memory_does_not_grow_with_the_file(tmp_path):
    """A long file comes in many bounded blocks, and is decoded only as far as it is asked for."""
    path = save(tmp_path / "a.wav", np.zeros((2, 2_000_000), np.float32))
    calls = []
    with open_audio(path, sample_rate=RATE, channels=2, checkpoint=lambda: calls.append(1)) as reader:
        sizes = [next(reader).shape[1]]
        assert len(calls) == 1
        sizes += [block.shape[1] for block in reader]
    assert sum(sizes) == 2_000_000
    assert max(sizes) <= decoding.BLOCK_FRAMES


def test_a_checkpoint_can_stop_the_reading(tmp_path):
    """What it raises comes out, and the file can be closed and removed."""

    def stop():
        raise KeyboardInterrupt

    path = save(tmp_path / "a.wav", tones(1000))
    with pytest.raises(KeyboardInterrupt):
        read(path, checkpoint=stop)
    path.unlink()


def test_a_closed_reader_gives_nothing_more(tmp_path):
    """Iteration ends once the file was closed."""
    reader = open_audio(save(tmp_path / "a.wav", tones(1000)), sample_rate=RATE, channels=2)
    reader.close()
    assert list(reader) == []


# Parts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "a.ogg", "a.mp3"])
@pytest.mark.parametrize(("start_s", "duration_s"), [(0, 0.25), (0.5, 1.0), (1.234567, 0.1), (2.5, None), (2.9, 60)])
def test_a_part_is_that_part_of_the_whole(tmp_path, name, start_s, duration_s):
    """Sample for sample, also where the file is decoded and dropped up to there."""
    path = save(tmp_path / name, tones(3 * RATE + 5))
    whole = read(path)
    start = round(start_s * RATE)
    stop = None if duration_s is None else start + round(duration_s * RATE)
    np.testing.assert_array_equal(read(path, start_s=start_s, duration_s=duration_s), whole[:, start:stop])


def test_a_part_beyond_the_end_is_empty(tmp_path):
    """The message says where the file ends."""
    path = save(tmp_path / "a.wav", tones(RATE))
    with pytest.raises(InputEmpty, match=r"starts at 5\.0 s.*lasts 1\.0 s") as caught:
        read(path, start_s=5)
    assert caught.value.field == "preview"
    with pytest.raises(InputEmpty, match=r"lasts 1\.0 s"):
        read(path, start_s=1e308)
    np.testing.assert_array_equal(read(path, start_s=0.5, duration_s=1e308), read(path, start_s=0.5))


@pytest.mark.parametrize("part", [{"start_s": -1}, {"duration_s": 0}, {"duration_s": -2}])
def test_an_impossible_part_is_a_bad_request(tmp_path, part):
    """Negative times are errors about `preview`."""
    with pytest.raises(InvalidRequest):
        read(save(tmp_path / "a.wav", tones(10)), **part)


# Names --------------------------------------------------------------------------------------------------------------


@needs_posix_names
@pytest.mark.parametrize("name", ["Björk - 曲 🎵.wav", "wait....wav", "a...", " a ", "con.wav", 'a:b?"c.wav', "-v.wav"])
def test_any_name_can_be_read(tmp_path, name):
    """Unicode, emoji, trailing dots and characters with a meaning elsewhere."""
    path = tmp_path / name
    path.write_bytes(save(tmp_path / "plain.wav", tones(100)).read_bytes())
    assert read(path).shape == (2, 100)


@needs_posix_names
@pytest.mark.parametrize("name", ["data:x.m4a", "caf\udce9.wav"])
def test_names_that_look_like_addresses_or_are_no_text(tmp_path, name):
    """FFmpeg never takes a name for an address, and bytes that are no UTF-8 pass."""
    path = tmp_path / name
    path.write_bytes(save(tmp_path / "plain.wav", tones(100)).read_bytes())
    assert probe(path).frames == 100


def test_a_long_path_can_be_read(tmp_path):
    """More than 300 characters in all."""
    folder = tmp_path / ("a" * 120) / ("b" * 120) / ("c" * 120)
    Path(os_path(folder)).mkdir(parents=True)
    save(tmp_path / "plain.wav", tones(100)).replace(os_path(folder / "song.wav"))
    assert read(folder / "song.wav").shape == (2, 100)


# Errors -------------------------------------------------------------------------------------------------------------


def test_a_missing_file_suggests_near_names(tmp_path):
    """A typo names the files that were probably meant."""
    save(tmp_path / "Song one.wav", tones(10))
    with pytest.raises(InputNotFound, match=r"Did you mean: Song one\.wav") as caught:
        probe(tmp_path / "song on.wav")
    assert caught.value.suggestions == ("Song one.wav",)


def test_a_name_in_another_unicode_form_is_suggested(tmp_path):
    """Composed and decomposed letters look alike; the one that is there is named."""
    path = save(tmp_path / unicodedata.normalize("NFD", "Café.wav"), tones(10))
    if (tmp_path / unicodedata.normalize("NFC", "Café.wav")).exists():
        pytest.skip("the system treats both forms as one")
    with pytest.raises(InputNotFound) as caught:
        probe(tmp_path / unicodedata.normalize("NFC", "Café.wav"))
    assert caught.value.suggestions == (path.name,)


@pytest.mark.parametrize("name", ["none/at/all.wav", "file.txt/song.wav"])
def test_a_missing_folder_is_a_missing_file(tmp_path, name):
    """Also where a file stands in for a folder."""
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(InputNotFound, match="There is no file"):
        probe(tmp_path / name)


def test_a_folder_is_not_a_file(tmp_path):
    """It gets a sentence of its own."""
    with pytest.raises(InputNotFound, match="is a folder"):
        probe(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    """Opening it would wait for a writer for ever."""
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(InputUnreadable, match="not a regular file"):
        probe(tmp_path / "pipe.wav")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may read everything")
def test_a_file_without_permission_says_so(tmp_path):
    """Permission is not mistaken for a bad format."""
    path = save(tmp_path / "a.wav", tones(10))
    path.chmod(0)
    with pytest.raises(InputUnreadable, match="may read it"):
        probe(path)


def test_a_refusal_of_the_system_is_told(tmp_path, monkeypatch):
    """The system's own words reach the message."""

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    path = save(tmp_path / "a.wav", tones(10))
    monkeypatch.setattr(reading, "open_decoder", refuse)
    with pytest.raises(InputUnreadable, match="Permission denied"):
        probe(path)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.m4a"])
def test_an_empty_file_is_empty(tmp_path, name):
    """0 bytes are said to be 0 bytes."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputEmpty, match="0 bytes"):
        probe(tmp_path / name)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.ogg"])
def test_a_header_without_samples_is_empty(tmp_path, name):
    """A whole file with no audio in it is not broken, just empty."""
    with pytest.raises(InputEmpty, match="no samples"):
        read(save(tmp_path / name, tones(0)))


@pytest.mark.parametrize(
    "data", [b"just text\n" * 99, bytes(2000), b"RIFF\0\0\0\0WAVE", b"ID3\x04\0\0\0\0\0\0" + b"q" * 999]
)
@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_what_is_no_audio_is_unreadable(tmp_path, name, data):
    """One message joins what each decoder said."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputUnreadable, match=r"cannot be read as audio \(libsndfile: .*; FFmpeg: .*\)"):
        probe(tmp_path / name)


def test_a_video_without_sound_is_unreadable(tmp_path):
    """It is a good file of the wrong kind, and the message says which."""
    with pytest.raises(InputUnreadable, match="no audio stream"):
        probe(save_video(tmp_path / "a.mp4"))


def test_a_playlist_opens_no_other_file(tmp_path):
    """A text that points at a file is not a way to have it read."""
    save(tmp_path / "secret.mp3", tones(RATE))
    playlist = tmp_path / "a.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.mp3\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputUnreadable):
        read(playlist)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(tmp_path, value):
    """The message counts them and says where the first is."""
    sound = tones(3 * RATE)
    sound[1, RATE : RATE + 3] = value
    with pytest.raises(InputUnreadable, match=r"NaN or infinite.*: 3 of them from 1\.000 s"):
        read(save(tmp_path / "a.wav", sound, subtype="FLOAT"))


def test_opposite_infinities_are_noticed(tmp_path):
    """They do not cancel out."""
    sound = tones(1000)
    sound[:, 5] = [np.inf, -np.inf]
    with pytest.raises(InputUnreadable, match="2 of them from"):
        read(save(tmp_path / "a.wav", sound, subtype="FLOAT"))


def test_loud_samples_are_numbers(tmp_path):
    """Floats far above full scale are kept as they are."""
    sound = np.full((2, 70000), 3e38, np.float32)
    np.testing.assert_array_equal(read(save(tmp_path / "a.wav", sound, subtype="FLOAT")), sound)


# Cut-off files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.flac", "a.mp3"])
def test_a_cut_off_file_is_an_error(tmp_path, name):
    """It is never a short result; the hint offers the part that is there."""
    path = cut(save(tmp_path / name, noise(10 * RATE)), 0.4)
    assert probe(path).frames == 10 * RATE
    with pytest.raises(InputUnreadable, match=r"is cut off: it holds (3\.9|4\.0) s of 10\.0 s") as caught:
        read(path)
    assert '"preview": {"start": 0, "duration": 3.9}' in caught.value.hint


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.flac", "a.mp3"])
def test_the_part_that_is_there_can_be_read(tmp_path, name):
    """The preview that the hint offers works."""
    path = save(tmp_path / name, noise(10 * RATE))
    expected = read(path, duration_s=3.9)
    np.testing.assert_array_equal(read(cut(path, 0.4), duration_s=3.9), expected)


@pytest.mark.parametrize("part", [{"start_s": 2.0}, {"start_s": 3.0, "duration_s": 3.0}, {"duration_s": 60}])
def test_a_part_that_reaches_into_the_gap_is_an_error(tmp_path, part):
    """Also where the part begins in what is there."""
    path = cut(save(tmp_path / "a.wav", noise(10 * RATE)), 0.4)
    with pytest.raises(InputUnreadable, match="cut off"):
        read(path, **part)


def test_a_header_with_nothing_behind_it_is_cut_off(tmp_path):
    """A file that lost all samples is not called empty, and no preview is offered."""
    path = save(tmp_path / "a.wav", noise(RATE))
    path.write_bytes(path.read_bytes()[:44])
    with pytest.raises(InputUnreadable, match=r"holds 0\.0 s of 1\.0 s") as caught:
        read(path)
    assert "preview" not in caught.value.hint


def test_a_header_that_is_off_by_little_is_forgiven(tmp_path):
    """Programs that count a few bytes too many cost a warning, not the file."""
    path = set_data_size(save(tmp_path / "a.wav", noise(RATE)), RATE * 4 + 36)
    with open_audio(path, sample_rate=RATE, channels=2) as reader:
        assert sum(block.shape[1] for block in reader) == RATE
        assert reader.warnings == [f"'{path}' ends 9 samples earlier than its header says."]


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF, 0])
def test_a_streamed_wav_is_whole(tmp_path, size):
    """A size that stands for `unknown` is no promise, 0 included."""
    path = set_data_size(save(tmp_path / "a.wav", noise(5000)), size)
    assert read(path).shape == (2, 5000)


def test_a_flac_stream_without_a_length_is_read(tmp_path):
    """Encoders that write to a pipe leave the total at 0."""
    path = save(tmp_path / "a.flac", noise(5000))
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert probe(path).frames is None
    assert read(path).shape == (2, 5000)


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
def test_damage_in_the_middle_is_an_error_with_its_place(tmp_path, name):
    """What cannot be decoded is not left out silently."""
    path = save(tmp_path / name, noise(10 * RATE))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 5000] = np.random.default_rng(1).bytes(5000)
    path.write_bytes(data)
    with pytest.raises(InputUnreadable, match=r"decoding failed at [45]\.\d s"):
        read(path)
    assert read(path, duration_s=4.0).shape[1] == 4 * RATE


def test_a_failing_disk_is_not_the_end_of_the_file(tmp_path, monkeypatch):
    """An input error in the middle is an error, not a short result."""

    def fail(self, size=-1):
        self._keep(OSError(5, "Input/output error"))
        return b""

    path = save(tmp_path / "a.wav", noise(10 * RATE))
    with open_audio(path, sample_rate=RATE, channels=2) as reader:
        next(reader)
        monkeypatch.setattr("utils.audio.guarded.GuardedFile.read", fail)
        with pytest.raises(InputUnreadable, match="Input/output error"):
            list(reader)


def test_libsndfile_agrees_on_the_samples(tmp_path):
    """Reading in steps gives what reading at once gives."""
    path = save(tmp_path / "a.flac", noise(200_000))
    np.testing.assert_array_equal(read(path), soundfile.read(path, dtype="float32")[0].T)
