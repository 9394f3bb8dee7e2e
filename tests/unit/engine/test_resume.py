"""Notes of finished jobs: valid while nothing changes, and void as soon as anything does."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from utils.core.errors import InputUnreadable, OutputNotWritable
from utils.core.replies import Done, Restored, Timing
from utils.core.requests import Apollo, DemucsSeparate, NetworkSeparate, Preview
from utils.engine.resume import FOLDER, ModelStamp, Notebook, stamp_input, stamp_model
from utils.store.demucs_models import DemucsSource

MODEL = ModelStamp("net", ("00ff",))


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(bytes(range(256)) * 4096)
    return path


@pytest.fixture
def request_of(song, tmp_path):
    """A request for the song, with additional fields."""

    def make(kind=DemucsSeparate, **fields):
        return kind(**{"input": str(song), "output": str(tmp_path / "out"), "resume": True, **fields})

    return make


def notebook(request, models=(MODEL,), track="song", index=1):
    return Notebook(request, models, track, index)


def write_stems(folder, *names, content=b"stem"):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.wav").write_bytes(content)
    return {name: str(folder / f"{name}.wav") for name in names}


def answer(paths, kind=Done, **fields):
    """The reply of a job that wrote these files."""
    return kind(
        **{
            "elapsed": 1.5,
            "output_dir": str(Path(next(iter(paths.values()))).parent),
            "files": [Path(path).name for path in paths.values()],
            "stems": list(paths),
            "paths": paths,
            "duration": 2.0,
            "speed": 1.3,
            "sample_rate": 44100,
            "model": "net",
            "device": "cpu",
            "model_from_cache": False,
            "timing": Timing(load=0.1, decode=0.1, infer=1.2, encode=0.1),
            "settings": {"overlap": 0.25},
            "warnings": ["It was lowered by 1 dB."],
            **fields,
        }
    )


@pytest.fixture
def noted(request_of, tmp_path):
    """A finished and recorded job with two stems; returns its reply."""
    done = answer(write_stems(tmp_path / "out" / "song", "drums", "vocals"))
    notebook(request_of()).write(done)
    return done


def test_what_was_done_is_answered_again(request_of, noted):
    """The reply has all original fields, and `skipped`."""
    assert notebook(request_of()).find() == msgspec.structs.replace(noted, skipped=True)


def test_nothing_is_found_before_the_first_job(request_of, tmp_path):
    """Looking for a note leaves no files."""
    assert notebook(request_of()).find() is None
    assert not (tmp_path / "out").exists()


def test_notes_lie_in_one_folder_of_the_output_directory(request_of, noted, tmp_path):
    """Nothing is added next to the results, and no temporary file is left."""
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [FOLDER, "song"]
    (note,) = (tmp_path / "out" / FOLDER).iterdir()
    assert note.name.startswith("song.")
    assert note.suffix == ".json"


@pytest.mark.parametrize(
    "change",
    [
        {"overlap": 0.5},
        {"shifts": 2},
        {"seed": 1},
        {"format": "flac"},
        {"pcm_type": "FLOAT"},
        {"two_stems": "vocals"},
        {"precision": "fp16"},
        {"preview": Preview(start=1.0)},
        {"name_template": "{stem}"},
        {"report": True},
        {"report": True, "report_theme": "dark"},
        {"report_html": True},
        {"clip": "none"},
    ],
    ids=str,
)
def test_other_settings_are_another_job(request_of, noted, change):
    """Any setting that affects the content or names of files counts."""
    assert notebook(request_of(**change)).find() is None


def test_a_request_of_another_worker_is_another_job(request_of, noted):
    """Requests of another worker have other fields, all of which count."""
    assert notebook(request_of(NetworkSeparate)).find() is None


@pytest.mark.parametrize(
    "change",
    [
        {"id": 7},
        {"progress": False},
        {"overwrite": False},
        {"batch_size": 4},
        {"jobs": 2},
        {"debug": True},
        {"model": "x"},
    ],
    ids=str,
)
def test_fields_without_effect_do_not_count(request_of, noted, change):
    """Fields without effect do not count, nor does the way in which a request refers to the same model."""
    assert notebook(request_of(**change)).find() is not None


def test_another_track_is_another_job(request_of, noted):
    """The name of a track counts, and its index if it is part of the file names."""
    assert notebook(request_of(), track="song (2)").find() is None
    assert notebook(request_of(), index=2).find() is not None
    numbered = request_of(name_template="{index} {stem}")
    assert notebook(numbered, index=1).path != notebook(numbered, index=2).path


@pytest.mark.parametrize(
    "models",
    [
        [ModelStamp("net", ("00fe",))],
        [ModelStamp("net", ("00ff", "00ff"))],
        [ModelStamp("other", ("00ff",))],
        [ModelStamp("net", ("00ff",), "weights")],
        [MODEL, MODEL],
    ],
    ids=str,
)
def test_another_model_is_another_job(request_of, noted, models):
    """The hash, the name and the traits of a model count."""
    assert notebook(request_of(), models).find() is None


def test_a_changed_model_replaces_the_note(request_of, noted):
    """The results of the old model no longer exist."""
    changed = [ModelStamp("net", ("00fe",))]
    notebook(request_of(), changed).write(noted)
    assert notebook(request_of(), changed).find() is not None
    assert notebook(request_of()).find() is None


def times_of(path):
    status = path.stat()
    return status.st_atime_ns, status.st_mtime_ns


@pytest.mark.parametrize("place", [0, 524_288, -1])
def test_a_song_with_other_content_is_another_one(request_of, noted, song, place):
    """A changed song is detected even with its size and modification time restored."""
    times = times_of(song)
    content = bytearray(song.read_bytes())
    content[place] ^= 1
    content[place - 70_000 : place + 70_000] = bytes(140_000) if place > 0 else b""
    song.write_bytes(content.ljust(256 * 4096)[: 256 * 4096])
    os.utime(song, ns=times)
    assert notebook(request_of()).find() is None


def test_a_song_that_was_written_again_is_another_one(request_of, noted, song):
    """A new modification time counts as a change."""
    os.utime(song, ns=(1, 1))
    assert notebook(request_of()).find() is None


def test_the_same_song_elsewhere_is_another_one(request_of, noted, song, tmp_path):
    """Two songs with the same name are never confused."""
    copy = tmp_path / "copy" / "song.wav"
    copy.parent.mkdir()
    copy.write_bytes(song.read_bytes())
    os.utime(copy, ns=times_of(song))
    assert notebook(request_of(input=str(copy))).find() is None


def test_a_song_that_cannot_be_read(tmp_path):
    """The error names the song."""
    with pytest.raises(InputUnreadable, match="nothing"):
        stamp_input(tmp_path / "nothing.wav")


@pytest.mark.parametrize("harm", ["delete", "truncate", "replace", "touch"])
def test_results_that_are_not_as_they_were_left(request_of, noted, harm):
    """Deleted, truncated or overwritten results void the note."""
    path = Path(noted.paths["vocals"])
    if harm == "delete":
        path.unlink()
    elif harm == "truncate":
        times = times_of(path)
        path.write_bytes(b"st")
        os.utime(path, ns=times)
    elif harm == "replace":
        path.write_bytes(b"mets")
        os.utime(path, ns=(5, 5))
    else:
        os.utime(path, ns=(5, 5))
    assert notebook(request_of()).find() is None


@pytest.mark.parametrize(("field", "name"), [("report", "report.png"), ("report_html", "report.html")])
def test_the_report_is_a_result_too(request_of, tmp_path, field, name):
    """A missing picture or page voids the note."""
    path = tmp_path / "out" / "song" / name
    done = answer(write_stems(path.parent, "drums"), **{field: str(path)})
    path.write_bytes(b"shown")
    asked = request_of(**{field: True})
    notebook(asked).write(done)
    assert getattr(notebook(asked).find(), field) == str(path)
    path.unlink()
    assert notebook(asked).find() is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[: len(text) // 2],
        lambda text: b"[]",
        lambda text: b"\xff\xfe",
        lambda text: b"[" * 100_000,
        lambda text: text.replace(b'"form": 1', b'"form": 2'),
        lambda text: text.replace(b'"size_bytes"', b'"size"'),
        lambda text: text.replace(b'"elapsed": 1.5', b'"elapsed": "long"'),
        lambda text: text.replace(b'"files": {', b'"files": {}, "more": {'),
    ],
)
def test_a_damaged_note_counts_as_none(request_of, noted, damage):
    """A damaged note counts as missing, and the next one replaces it."""
    note = notebook(request_of())
    harmed = damage(note.path.read_bytes())
    assert harmed != note.path.read_bytes()
    note.path.write_bytes(harmed)
    assert note.find() is None
    note.write(noted)
    assert note.find() is not None


def test_a_note_cannot_speak_of_files_elsewhere(request_of, noted, tmp_path):
    """Results are in the output directory; a note that says otherwise is not trusted."""
    outside = write_stems(tmp_path, "drums", "vocals")
    note = notebook(request_of())
    text = note.path.read_text()
    for name, path in noted.paths.items():
        text = text.replace(json.dumps(path), json.dumps(str(tmp_path / "out" / ".." / Path(outside[name]).name)))
    note.path.write_text(text)
    for path in outside.values():
        os.utime(path, ns=times_of(Path(noted.paths["drums"])))
    assert note.find() is None


def test_another_job_that_writes_the_same_files_makes_a_note_void(request_of, noted):
    """The note of the newer job replaces the older one."""
    other = notebook(request_of(shifts=3))
    os.utime(noted.paths["drums"], ns=(5, 5))
    other.write(noted)
    assert other.find() is not None
    assert not notebook(request_of()).path.exists()


def test_jobs_with_other_files_keep_their_notes(request_of, noted, tmp_path):
    """Jobs for different stems in one directory keep separate notes."""
    alone = notebook(request_of(stems=["bass"]))
    alone.write(answer(write_stems(tmp_path / "out" / "song", "bass")))
    assert alone.find() is not None
    assert notebook(request_of()).find() is not None


def test_what_a_killed_worker_left_is_removed(request_of, noted, tmp_path):
    """A partial note of a process that no longer exists is removed."""
    from utils.audio.temporary import part_path

    left = part_path(notebook(request_of()).path)
    left.write_bytes(b"{")
    notebook(request_of()).write(noted)
    assert not left.exists()


def test_notes_that_cannot_be_written_are_an_error(request_of, noted, tmp_path):
    """The error says where the note should be."""
    for path in (tmp_path / "out" / FOLDER).iterdir():
        path.unlink()
    (tmp_path / "out" / FOLDER).rmdir()
    (tmp_path / "out" / FOLDER).write_text("a file in the way")
    with pytest.raises(OutputNotWritable, match=r"\.dsu"):
        notebook(request_of()).write(noted)


def test_the_kind_of_the_answer_is_kept(song, tmp_path):
    """A restoration gets its own type of reply, and its output file is part of the job."""
    request = Apollo(input=str(song), output=str(tmp_path / "out" / "a.wav"), resume=True)
    paths = {"restored": str(tmp_path / "out" / "a.wav")}
    write_stems(tmp_path / "out", "a")
    notebook(request).write(answer(paths, Restored, cached=True))
    assert isinstance(notebook(request).find(), Restored)
    other = msgspec.structs.replace(request, output=str(tmp_path / "out" / "b.wav"))
    assert notebook(other).find() is None


def test_names_that_are_not_utf8(request_of, tmp_path):
    """File names on Linux may contain bytes that are not UTF-8, which are kept."""
    paths = {"drums": str(tmp_path / "out" / "caf\udce9.wav")}
    try:
        write_stems(tmp_path / "out", "caf\udce9")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this system has no such names")
    notebook(request_of(), track="caf\udce9").write(answer(paths))
    assert notebook(request_of(), track="caf\udce9").find().paths == paths


def test_files_of_models_are_hashed_unless_the_registry_knows_them(tmp_path):
    """A copy of the same content is the same model; different content is not."""
    for folder, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.th").write_bytes(content)
    sources = [DemucsSource("net", (tmp_path / folder / "net.th",), None, None, None) for folder in "abc"]
    stamps = [stamp_model(source, lambda: None) for source in sources]
    assert stamps[0] == stamps[1] != stamps[2]


def test_a_folder_of_notes_that_is_a_link_is_not_followed(request_of, tmp_path):
    """The note would lie outside the output directory."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / FOLDER).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputNotWritable, match="is a link"):
        notebook(request_of()).write(answer(write_stems(tmp_path / "out" / "song", "drums")))
    assert list((tmp_path / "elsewhere").iterdir()) == []
