"""Many files: which, under what names, and one after the other."""

import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from utils.core import replies
from utils.core.errors import DiskFull, InputNotFound, InputUnreadable, InvalidRequest
from utils.core.job import Job, JobCancelled
from utils.core.many_files import collect_inputs, separate_each, unique_tracks
from utils.core.package_request import PackageSeparate
from utils.core.requests import AudioSepSeparate, Separate


class Recorder:
    """An engine whose result for each file was decided before."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.asked = []
        self.numbers = []

    def separate(self, request, job, *, track=None, index=1):
        self.numbers.append(index)
        self.asked.append((request.input, request.inputs, track))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        job.progress("separate", 1, 2)
        if isinstance(outcome, str):
            job.warn(outcome)
        return done(request.input)


def done(name):
    return replies.Done(
        elapsed=1.0,
        output_dir="/out",
        files=["vocals.wav"],
        stems=["vocals"],
        paths={"vocals": f"/out/{Path(name).stem}/vocals.wav"},
        duration=1.0,
        speed=1.0,
        sample_rate=44100,
        model="m",
        device="cpu",
        model_from_cache=True,
        timing=replies.Timing(load=0, decode=0, infer=0, encode=0),
    )


def separate(engine, *names, job=None, **fields):
    told = []
    request = Separate(inputs=list(names), output="/out", **fields)
    result = separate_each(engine, request, [Path(name) for name in names], job or Job(), told.append)
    return result, told


@pytest.fixture
def folder(tmp_path):
    """A folder with music, other files, and what is hidden."""
    for name in ("b.wav", "a.MP3", "notes.txt", ".hidden.wav", "sub/c.flac", ".git/d.wav", "out/stems/e.wav", "wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_folders_give_their_audio_files_sorted(folder):
    """Also those in folders below; other files and what is hidden are left out."""
    assert names(collect_inputs([folder]), folder) == ["a.MP3", "b.wav", "out/stems/e.wav", "sub/c.flac"]


def test_a_folder_can_be_left_out(folder):
    """So that results of the last run are not inputs of the next."""
    assert names(collect_inputs([folder], leave_out=folder / "out"), folder) == ["a.MP3", "b.wav", "sub/c.flac"]


def test_named_files_are_taken_as_they_are(folder):
    """In the order given, once, whatever their name, and even if they do not exist."""
    paths = [folder / "notes.txt", folder / "none.wav", folder / "b.wav", folder]
    assert names(collect_inputs(paths), folder)[:3] == ["notes.txt", "none.wav", "b.wav"]
    assert len(collect_inputs([folder, folder / "b.wav", folder / "sub" / ".." / "b.wav"])) == 4


def test_a_name_may_not_be_empty(folder, monkeypatch):
    """Whoever has left it out does not mean all songs of the working directory."""
    monkeypatch.chdir(folder)
    with pytest.raises(InvalidRequest, match="is empty"):
        collect_inputs(["b.wav", ""])


def test_folders_without_audio_are_an_error(tmp_path):
    """It names them."""
    with pytest.raises(InputNotFound, match=tmp_path.name):
        collect_inputs([tmp_path])


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_to_folders_are_not_followed(folder):
    """So a link to a folder above does not make an endless search."""
    (folder / "sub" / "again").symlink_to(folder)
    assert len(collect_inputs([folder])) == 4


@pytest.mark.parametrize(
    ("paths", "tracks"),
    [
        (["a.wav", "b.wav"], ["a", "b"]),
        (["x/song.wav", "y/song.flac", "z/song.mp3"], ["song", "song (2)", "song (3)"]),
        (["song.wav", "song.mp3", "song (2).wav"], ["song", "song (3)", "song (2)"]),
        (["Song.wav", "song.mp3"], ["Song", "song (2)"]),
        (["caf\u00e9.wav", "cafe\u0301.wav"], ["caf\u00e9", "cafe\u0301 (2)"]),
        (["mix.v1.wav", "mix.v2.wav"], ["mix.v1", "mix.v2"]),
    ],
)
def test_tracks_have_names_of_their_own(paths, tracks):
    """The first file of a name keeps it, and numbers never take a name that another file has."""
    assert unique_tracks(paths) == tracks


@pytest.mark.parametrize(
    ("paths", "trees", "tracks"),
    [
        (["A/song.wav", "B/song.wav"], ["A", "B"], ["A/song", "B/song"]),
        (["A/x/song.wav", "A/y/song.wav", "song.wav"], ["A"], ["A/x/song", "A/y/song", "song"]),
        (["A/song.wav", "A/song.mp3"], ["A"], ["A/song", "A/song (2)"]),
        (["up/A/song.wav", "down/A/song.wav"], ["up/A", "down/A"], ["A/song", "A/song (2)"]),
        (["A/x/song.wav"], ["A/x", "A"], ["x/song"]),
        (["A/../A/song.wav"], ["A"], ["A/song"]),
    ],
)
def test_tracks_of_a_tree_have_its_folders(tmp_path, monkeypatch, paths, trees, tracks):
    """From the name of the folder that was given on."""
    monkeypatch.chdir(tmp_path)
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    assert unique_tracks(paths, trees) == tracks


def test_the_current_folder_has_a_name(tmp_path, monkeypatch):
    """Also where it is given as a dot, or with a way out and in."""
    (tmp_path / "Album").mkdir()
    monkeypatch.chdir(tmp_path / "Album")
    assert unique_tracks(["song.wav"], ["."]) == ["Album/song"]
    assert unique_tracks(["../Album/song.wav"], ["../Album"]) == ["Album/song"]


@given(st.lists(st.sampled_from(["a.wav", "A.mp3", "a (2).wav", "a (3).flac", "b.wav"]), max_size=12))
def test_tracks_never_collide(paths):
    """Whatever the files are called."""
    tracks = unique_tracks(paths)
    assert len({track.casefold() for track in tracks}) == len(paths)


def test_every_file_is_separated_and_told():
    """Each request has one input; only a track that needs another name is given one."""
    engine = Recorder(None, None)
    result, told = separate(engine, "x/song.wav", "y/song.wav")
    assert engine.asked == [(str(Path("x/song.wav")), None, None), (str(Path("y/song.wav")), None, "song (2)")]
    assert (result.succeeded, result.failed, len(result.results)) == (2, 0, 2)
    assert result.files == ["/out/song/vocals.wav"] * 2
    assert [(one.index, one.ok, one.stems) for one in told] == [(0, True, ["vocals"]), (1, True, ["vocals"])]


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (InputUnreadable("no audio"), "input_unreadable"),
        (ValueError("odd"), "internal"),
        (SystemExit(1), "internal"),
        (MemoryError(), "out_of_memory"),
    ],
)
def test_one_bad_file_does_not_stop_the_rest(trouble, code):
    """It is told as failed, with its code, and the others are done."""
    result, told = separate(Recorder(None, trouble, None), "a.wav", "b.wav", "c.wav")
    assert (result.succeeded, result.failed) == (2, 1)
    assert [one["status"] for one in result.results] == ["done", "error", "done"]
    assert [(one.ok, one.error and one.error["code"]) for one in told[1:2]] == [(False, code)]


def test_if_all_fail_the_first_error_is_raised():
    """With its kind, and the number of files."""
    with pytest.raises(DiskFull, match=r"None of the 2 files .* The first error: full"):
        separate(Recorder(DiskFull("full", hint="delete"), InputUnreadable("x")), "a.wav", "b.wav")


def test_a_single_failure_is_raised_as_it_is():
    """One of one needs no counting."""
    with pytest.raises(InputUnreadable) as caught:
        separate(Recorder(InputUnreadable("no audio", field="input")), "a.wav")
    assert (caught.value.message, caught.value.field) == ("no audio", "input")


def test_cancelling_ends_all():
    """The file at work is not told as failed, and no other one begins."""
    engine = Recorder(None, JobCancelled(), None)
    with pytest.raises(JobCancelled) as caught:
        separate(engine, "a.wav", "b.wav", "c.wav")
    assert len(engine.asked) == 2
    assert [result.stems for result in caught.value.results] == [["vocals"]]


def test_files_are_numbered_from_one():
    """`{index}` in a name template is the number of the input."""
    engine = Recorder(None, None, None)
    separate(engine, "a.wav", "b.wav", "c.wav", name_template="{index} {stem}")
    assert engine.numbers == [1, 2, 3]


def test_many_files_need_names_of_their_own():
    """A template without track and number would write each song over the one before, so it is refused."""
    engine = Recorder(None)
    with pytest.raises(InvalidRequest) as caught:
        separate(engine, "a.wav", "b.wav", name_template="{stem}")
    assert caught.value.field == "name_template"
    assert engine.asked == []
    separate(engine, "a.wav", name_template="{stem}")


def test_names_of_one_song_for_many_are_a_warning():
    """The package lets them replace each other, so that is done, but not in silence; for one file it is right."""
    request = PackageSeparate(output="out", custom_output_names={"vocals": "voice"})
    for files, warned in ((["a.wav"], 0), (["a.wav", "b.wav"], 1)):
        job = Job()
        separate_each(Recorder(None, None), request, [Path(name) for name in files], job, lambda _: None)
        assert len(job.warnings) == warned
    assert job.warnings[0].startswith("`custom_output_names` gives stems of all 2 files the same names")


def test_many_files_cannot_become_one_file():
    """A request that names the file to write is for one song."""
    request = AudioSepSeparate(output="out.wav", text="rain")
    engine = Recorder(done("a"), done("b"))
    with pytest.raises(InvalidRequest, match="Several files cannot become one"):
        separate_each(engine, request, [Path("a.wav"), Path("b.wav")], Job(), lambda told: None)
    assert engine.asked == []
    assert separate_each(engine, request, [Path("a.wav")], Job(), lambda told: None).succeeded == 1


def test_progress_is_that_of_all_files():
    """Each file has its share."""
    events, ticks = [], iter(range(100))
    separate(Recorder(None, None), "a.wav", "b.wav", job=Job(events.append, clock=lambda: next(ticks)))
    assert [event.percent for event in events] == [25.0, 50.0, 75.0, 99.9]


def test_warnings_stay_with_their_file():
    """And are told for the whole as well."""
    job = Job()
    result, _ = separate(Recorder("loud", None), "a.wav", "b.wav", job=job)
    assert [one.get("warnings") for one in result.results] == [["loud"], []]
    assert job.warnings == ["loud"]


class Finder(Recorder):
    """Has done the songs before, as their names say."""

    def separate(self, request, job, *, track=None, index=1):
        result = super().separate(request, job, track=track, index=index)
        return msgspec.structs.replace(result, skipped=True) if "old" in request.input else result


def test_what_was_there_already_is_told_and_counted():
    """Among those that succeeded, with the same fields."""
    result, told = separate(Finder(None, None, InputUnreadable("x")), "old.wav", "new.wav", "bad.wav")
    assert (result.succeeded, result.skipped, result.failed) == (2, 1, 1)
    assert [one.get("skipped") for one in result.results] == [True, None, None]
    assert [one.skipped is True for one in told] == [True, False, False]
    assert [one.paths is UNSET for one in told] == [False, False, True]


def test_each_file_is_told_with_its_model_and_time():
    """A failed one has its time only."""
    _, told = separate(Recorder(None, InputUnreadable("x")), "a.wav", "b.wav")
    assert [one.model for one in told] == ["m", UNSET]
    assert all(one.elapsed >= 0 for one in told)
