"""Tags that would cost far more memory or time than they are worth."""

import struct
import zlib

import mutagen
import mutagen.id3
import numpy as np
import pytest
from mutagen.flac import FLAC, Picture
from mutagen.mp3 import MP3
from sounds import save, tones

from tests.aids import harm
from utils.audio import tag_bounds, tagging
from utils.audio.tag_bounds import SMALL, TagsRefused, TagsTooLarge
from utils.audio.tagging import find_tags, is_own_stem, read_tags, write_tags
from utils.core import isolation
from utils.core.job import Job, JobCancelled, working_on


def syncsafe(size):
    return bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))


def with_id3(path, body, *, version=3, flags=0):
    """A short MP3 file that begins with an ID3 tag of this body."""
    sound = save(path, tones(5000)).read_bytes()
    path.write_bytes(b"ID3" + bytes((version, 0, flags)) + syncsafe(len(body)) + body + sound)
    return path


def frame(name, data, *, version=3, flags=0):
    size = syncsafe(len(data)) if version == 4 else struct.pack(">I", len(data))
    return name + size + struct.pack(">H", flags) + data


@pytest.mark.parametrize("unsynchronised", [0, 0x80])
@pytest.mark.parametrize(("version", "flag"), [(3, 0x0080), (4, 0x0009)])
def test_compressed_frames_are_not_inflated(tmp_path, version, flag, unsynchronised):
    """A kilobyte can hold gigabytes; the refusal says what is wrong."""
    data = zlib.compress(b"\0" + b"x" * 3_000_000)
    body = frame(b"TIT2", b"\0title", version=version) + frame(
        b"TPE1", struct.pack(">I", 9) + data, version=version, flags=flag
    )
    path = with_id3(tmp_path / "a.mp3", body, version=version, flags=unsynchronised)
    with pytest.raises(TagsRefused, match="compressed"):
        read_tags(path)
    assert not is_own_stem(path)


def test_stuffed_bytes_hide_no_compressed_frame(tmp_path):
    """A frame that lies elsewhere once the tag is unstuffed is found there."""
    body = frame(b"PRIV", b"\xff\x00" * 30) + frame(b"TPE1", bytes(4) + zlib.compress(b"\0x"), flags=0x0080)
    unstuffed = struct.pack(">I", 30).join(body.split(struct.pack(">I", 60)))
    path = with_id3(tmp_path / "a.mp3", unstuffed, flags=0x80)
    with pytest.raises(TagsRefused, match="compressed"):
        read_tags(path)


def test_countless_frames_are_not_parsed(tmp_path):
    """Each would copy all that follow."""
    path = with_id3(tmp_path / "a.mp3", frame(b"TIT2", b"\0") * 1001)
    with pytest.raises(TagsRefused, match="more than 1000 frames"):
        read_tags(path)


def test_frames_of_a_wav_file_are_checked_too(tmp_path):
    """A tag is bounded wherever it lies in its container."""
    path = save(tmp_path / "a.wav", tones(5000))
    body = frame(b"TPE1", bytes(4) + zlib.compress(b"\0x"), flags=0x0080)
    tag = b"ID3\x03\0\0" + syncsafe(len(body)) + body
    tag += b"\0" * (len(tag) % 2)
    data = path.read_bytes() + b"id3 " + struct.pack("<I", len(tag)) + tag
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    with pytest.raises(TagsRefused, match="compressed"):
        read_tags(path)


def test_more_bytes_than_any_cover_has_are_not_read(tmp_path):
    """Neither as ID3 nor as blocks of FLAC."""
    with pytest.raises(TagsRefused, match="larger than 64 MiB"):
        read_tags(with_id3(tmp_path / "a.mp3", frame(b"APIC", bytes(65 << 20))))
    audio = FLAC(save(tmp_path / "a.flac", tones(5000)))
    for _ in range(5):
        picture = Picture()
        picture.mime, picture.data = "image/png", np.random.default_rng(0).bytes(13 << 20)
        audio.add_picture(picture)
    audio.save()
    with pytest.raises(TagsRefused, match="larger than 64 MiB"):
        read_tags(tmp_path / "a.flac")


def test_countless_atoms_are_not_walked(tmp_path):
    """The number of reads is bounded, so tiny parts are too."""
    atoms = struct.pack(">I4s", 8, b"free") * 150_000
    path = tmp_path / "a.m4a"
    path.write_bytes(struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0) + atoms)
    with pytest.raises(TagsRefused, match="too many parts"):
        read_tags(path)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.opus"])
def test_countless_comments_are_not_parsed(tmp_path, monkeypatch, name):
    """Each becomes several objects."""
    path = save(
        tmp_path / name,
        tones(5000, rate=48000),
        48000,
        format=None if name == "a.flac" else "OGG",
        subtype="OPUS" if name == "a.opus" else None,
    )
    audio = mutagen.File(path)
    audio["x"] = ["y"] * 200
    audio.save()
    assert read_tags(path) is None
    monkeypatch.setattr(tag_bounds, "MAX_COMMENTS", 100)
    with pytest.raises(TagsRefused, match=r"too many parts|more than 100 comments"):
        find_tags(path, SMALL._replace(reads=300))


@pytest.mark.parametrize("bound", ["read_bytes", "reads"])
@pytest.mark.parametrize(("name", "rate"), [("a.ogg", 44100), ("a.opus", 48000)])
def test_a_recording_that_was_cut_off_keeps_its_tags(tmp_path, name, rate, bound):
    """A stream that was saved has no page that is marked as the last. However long it is, its comments are at its beginning."""
    subtype = "OPUS" if name == "a.opus" else None
    path = save(tmp_path / name, tones(20 * rate, rate=rate), rate, format="OGG", subtype=subtype)
    audio = mutagen.File(path)
    audio["title"] = ["Cut off"]
    audio.save()
    data = bytearray(path.read_bytes())
    last = data.rindex(b"OggS")
    data[last + 5] &= ~4  # the mark of the last page
    path.write_bytes(data)
    bounds = SMALL._replace(**{bound: {"read_bytes": len(data) // 2 + (1 << 16), "reads": 100}[bound]})
    with pytest.raises(TagsTooLarge):
        find_tags(path, bounds)
    texts, _ = find_tags(path, bounds._replace(is_largest=True))
    assert texts["title"] == ("Cut off",)


def test_large_tags_of_music_are_read(tmp_path):
    """A cover of twelve megabytes, with texts in every version of ID3."""
    path = save(tmp_path / "a.mp3", tones(5000))
    cover = np.random.default_rng(0).bytes(12 << 20)
    for version in (3, 4):
        audio = MP3(path)
        if audio.tags is None:
            audio.add_tags()
        audio.tags.add(mutagen.id3.TIT2(text=["title"]))
        audio.tags.add(mutagen.id3.APIC(mime="image/png", type=3, data=cover))
        audio.save(v2_version=version)
        tags = read_tags(path)
        assert tags is not None
        assert tags.cover is not None
        assert (tags.texts["title"], tags.cover.data) == (("title",), cover)


# In a child --------------------------------------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """What is read in a child process."""
    found = []
    call = isolation.call

    def counted(function, *arguments, **options):
        found.append(arguments[0])
        return call(function, *arguments, **options)

    monkeypatch.setattr(isolation, "call", counted)
    return found


def with_cover(path, size):
    """A stem of ours with a cover of so many bytes."""
    cover = tagging.Cover(np.random.default_rng(0).bytes(size), "image/png")
    write_tags(
        save(path, tones(5000)), "flac", tagging.Tags({"title": ("t",)}, cover), stem="drums", model="m", version="1"
    )
    return path


@pytest.mark.parametrize(("size", "children"), [(1 << 20, []), (5 << 20, ["find_tags", "find_ownership"])])
def test_large_tags_are_read_in_a_child(tmp_path, calls, size, children):
    """They are the same, and a song with an ordinary cover needs none."""
    path = with_cover(tmp_path / "a.flac", size)
    tags = read_tags(path)
    assert (tags.texts["title"], len(tags.cover.data), tags.cover.mime) == (("t",), size, "image/png")
    assert is_own_stem(path)
    assert calls == children


@pytest.mark.parametrize(("does", "said"), [(harm.crash, "reading them crashed"), (harm.end, "reading them ended")])
def test_harm_leaves_a_song_without_tags(tmp_path, monkeypatch, does, said):
    """And is no more than a reason to read none."""
    path = with_cover(tmp_path / "a.flac", 5 << 20)
    monkeypatch.setattr(tagging, "find_in_large", does)
    with pytest.raises(TagsRefused, match=said):
        read_tags(path)
    assert not is_own_stem(path)


def test_cancelling_does_not_wait_for_tags(tmp_path, monkeypatch):
    """The job ends while the child is still reading."""
    monkeypatch.setattr(tagging, "find_in_large", harm.wait)
    job = Job()
    job.cancel()
    with working_on(job), pytest.raises(JobCancelled):
        read_tags(with_cover(tmp_path / "a.flac", 5 << 20))
