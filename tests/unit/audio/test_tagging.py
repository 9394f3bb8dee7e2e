"""Tags: read from anything, written to everything, the samples untouched."""

import errno
import os
import struct
import zlib

import mutagen
import numpy as np
import pytest
from mutagen import asf, flac, id3, mp4
from sounds import RATE, read, save, save_with_ffmpeg, tones

from utils.audio import tagging
from utils.audio.tagging import Cover, Tags, is_own_stem, read_tags, write_tags
from utils.core.errors import OutputNotWritable

EVERY_FORMAT = ["wav", "flac", "mp3", "ogg", "opus", "aiff", "m4a"]


def png():
    """The smallest picture."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b"")


COVER = Cover(png(), "image/png")
TEXTS = {
    "title": ("Jóga 🎵",),
    "artist": ("Björk", "Someone Else"),
    "album": ("Homogenic",),
    "albumartist": ("Björk",),
    "composer": ("Björk Guðmundsdóttir",),
    "date": ("1997-09-22",),
    "genre": ("Electronic",),
    "tracknumber": ("2/10",),
    "discnumber": ("1/1",),
    "bpm": ("81",),
    "key": ("Am",),
    "isrc": ("GBAAA9700061",),
    "comment": ("A comment\nin two lines",),
}


def plain_file(folder, name):
    if name == "m4a":
        return save_with_ffmpeg(folder / "a.m4a", tones(RATE), "aac", "ipod")
    kwargs = {"subtype": "OPUS"} if name == "opus" else {}
    return save(folder / f"a.{name}", tones(48000, rate=48000), 48000, **kwargs)


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_tags_and_cover_come_back(tmp_path, name):
    """Everything that was written is read, and every sample is what it was."""
    path = plain_file(tmp_path, name)
    assert read_tags(path) is None
    before = read(path)
    assert write_tags(path, name, Tags(TEXTS, COVER), stem="vocals", model="htdemucs", version="1.0")
    assert read_tags(path) == Tags(TEXTS, COVER)
    np.testing.assert_array_equal(read(path), before)


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_stem_says_what_it_is(tmp_path, name):
    """Stem, model and version are added, also where the source has no tags."""
    path = plain_file(tmp_path, name)
    write_tags(path, name, None, stem="vocals", model="htdemucs", version="1.0")
    tags = mutagen.File(path).tags
    for key, text in {"STEM": "vocals", "DSU_MODEL": "htdemucs", "DSU_VERSION": "1.0"}.items():
        if name in ("wav", "aiff", "mp3"):
            assert tags[f"TXXX:{key}"].text == [text]
        elif name == "m4a":
            assert bytes(tags[f"----:com.apple.iTunes:{key}"][0]) == text.encode()
        else:
            assert tags[key] == [text]


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_stem_of_ours_is_known_by_its_tags(tmp_path, name):
    """A song is none, also with the tags of one, nor is a stem of somebody else."""
    path = plain_file(tmp_path, name)
    assert not is_own_stem(path)
    write_tags(path, name, Tags(TEXTS, COVER), stem="", model="", version="")
    assert not is_own_stem(path)
    write_tags(path, name, None, stem="vocals", model="", version="")
    assert not is_own_stem(path)
    write_tags(path, name, None, stem="vocals", model="htdemucs", version="1.0")
    assert is_own_stem(path)


def test_what_cannot_be_read_is_no_stem(tmp_path):
    """Broken files, other files, folders, and pipes, which nobody would ever fill."""
    (tmp_path / "broken.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVEid3 \xff\xff\xff\xffID3")
    (tmp_path / "notes.txt").write_bytes(b"STEM")
    (tmp_path / "folder.wav").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")
    assert not any(
        is_own_stem(tmp_path / name) for name in ("broken.wav", "notes.txt", "folder.wav", "pipe.wav", "no.wav")
    )


@pytest.mark.parametrize("source", EVERY_FORMAT)
@pytest.mark.parametrize("target", ["wav", "flac", "mp3", "m4a"])
def test_tags_cross_formats(tmp_path, source, target):
    """What one kind of tags says, the others can say."""
    first = plain_file(tmp_path, source)
    write_tags(first, source, Tags(TEXTS, COVER), stem="", model="", version="")
    (tmp_path / "second").mkdir()
    second = plain_file(tmp_path / "second", target)
    write_tags(second, target, read_tags(first), stem="", model="", version="")
    assert read_tags(second) == Tags(TEXTS, COVER)


def test_windows_media_tags_are_read(tmp_path):
    """ASF names the same things otherwise."""
    path = save_with_ffmpeg(tmp_path / "a.wma", tones(RATE), "wmav2", "asf")
    audio = asf.ASF(path)
    audio["Title"], audio["Author"], audio["WM/Year"] = "Song", ["A", "B"], "1999"
    audio.save()
    assert read_tags(path).texts == {"title": ("Song",), "artist": ("A", "B"), "date": ("1999",)}


def test_ape_tags_are_read(tmp_path):
    """WavPack files have them."""
    path = save_with_ffmpeg(tmp_path / "a.wv", tones(RATE), "wavpack", "wv")
    audio = mutagen.File(path)
    audio["Title"], audio["Track"] = "Song", "3"
    audio.save()
    assert read_tags(path).texts == {"title": ("Song",), "tracknumber": ("3",)}


def test_the_front_cover_is_chosen(tmp_path):
    """Among several pictures; otherwise the first."""
    path = plain_file(tmp_path, "flac")
    audio = flac.FLAC(path)
    for kind, data in ((4, b"back"), (3, b"front"), (0, b"other")):
        picture = flac.Picture()
        picture.type, picture.mime, picture.data = kind, "image/jpeg", data
        audio.add_picture(picture)
    audio.save()
    assert read_tags(path).cover == Cover(b"front", "image/jpeg")


def test_a_huge_picture_is_left_out(tmp_path, monkeypatch):
    """It would be copied into every stem."""
    path = plain_file(tmp_path, "flac")
    write_tags(path, "flac", Tags(TEXTS, COVER), stem="", model="", version="")
    monkeypatch.setattr(tagging, "_MAX_COVER_BYTES", 10)
    assert read_tags(path) == Tags(TEXTS)


def test_programs_private_comments_are_not_copied(tmp_path):
    """A comment with a description of its own is data of the program that wrote it."""
    path = plain_file(tmp_path, "mp3")
    tags = id3.ID3()
    tags.add(id3.COMM(encoding=3, lang="eng", desc="iTunNORM", text=["00000 0001"]))
    tags.add(id3.COMM(encoding=3, lang="eng", desc="", text=["Nice"]))
    tags.save(path)
    assert read_tags(path).texts == {"comment": ("Nice",)}


@pytest.mark.parametrize(
    ("text", "track", "tempo"),
    [("3", (3, 0), [3]), ("3 of 12", (3, 12), [3]), ("A1", (1, 0), [1]), ("ninety", None, None)],
)
def test_numbers_in_m4a_are_numbers(tmp_path, text, track, tempo):
    """What is none is left out, and what is too large is held."""
    path = plain_file(tmp_path, "m4a")
    write_tags(path, "m4a", Tags({"tracknumber": (text,), "bpm": (text,)}), stem="s", model="m", version="v")
    tags = mp4.MP4(path).tags
    assert tags.get("trkn") == (track and [track])
    assert tags.get("tmpo") == tempo


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_broken_tags_are_no_error(tmp_path, name):
    """A file whose tags cannot be read has none."""
    path = plain_file(tmp_path, name)
    write_tags(path, name, Tags(TEXTS, COVER), stem="s", model="m", version="v")
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(3)
    for _ in range(40):
        garbled = bytearray(data)
        for at in rng.integers(0, len(garbled), 60):
            garbled[at] = rng.integers(256)
        path.write_bytes(garbled)
        found = read_tags(path)
        assert found is None or isinstance(found, Tags)


@pytest.mark.parametrize("data", [b"", b"text", b"ID3\x04\0\0\x7f\x7f\x7f\x7f"])
def test_no_audio_has_no_tags(tmp_path, data):
    """Nor has a file that is not there."""
    (tmp_path / "a.mp3").write_bytes(data)
    assert read_tags(tmp_path / "a.mp3") is None
    assert read_tags(tmp_path / "none.mp3") is None


def test_a_full_disk_stays_a_full_disk(tmp_path, monkeypatch):
    """The system's reason comes through mutagen."""

    def refuse(*args, **kwargs):
        raise mutagen.MutagenError("failed") from OSError(errno.ENOSPC, "No space left on device")

    path = plain_file(tmp_path, "flac")
    monkeypatch.setattr(flac.FLAC, "save", refuse)
    with pytest.raises(OSError, match="No space") as caught:
        write_tags(path, "flac", Tags(TEXTS), stem="s", model="m", version="v")
    assert caught.value.errno == errno.ENOSPC


def test_a_file_that_mutagen_refuses_is_an_error(tmp_path):
    """It is named."""
    path = tmp_path / "a.flac"
    path.write_bytes(b"no flac at all")
    with pytest.raises(OutputNotWritable, match=r"a\.flac"):
        write_tags(path, "flac", Tags(TEXTS), stem="s", model="m", version="v")
