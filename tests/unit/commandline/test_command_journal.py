"""The report of a run: one line for each song as it ends, one at the end, and nothing lost if the run is killed."""

import json
import signal
import sys

import pytest
from both_programs import PROGRAMS
from scripted_engine import ScriptedEngine

from utils.commandline.journal import Journal
from utils.core.errors import InputUnreadable
from utils.core.replies import FileDone

DONE = {"ok": True, "paths": {"drums": "out/drums.wav"}, "model": "net", "elapsed": 1.5}


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(engine, *words):
    return PROGRAMS[0].run(engine, *words, "--journal", "run.jsonl")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.jsonl"


def fail_on(name, error):
    def act(request, job):
        if request.input == name:
            raise error

    return act


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_song_has_a_line_and_the_run_a_last_one(program, file):
    """What was written, with which model, and why a song failed; the status of the program says that one did."""
    engine = ScriptedEngine(fail_on("a.wav", InputUnreadable("It is no audio.", hint="Convert it.")))
    assert program.run(engine, "a.wav", "b.wav", "--journal", "run.jsonl") == 1
    bad, good, summary = lines_of(file)
    assert (bad["status"], bad["input"], bad["outputs"]) == ("failed", "a.wav", {})
    assert bad["error"] == {"code": "input_unreadable", "message": "It is no audio.", "hint": "Convert it."}
    assert (good["status"], good["input"], good["model"], good["error"]) == ("done", "b.wav", "ready", None)
    assert sorted(good["outputs"]) == ["drums", "vocals"]
    assert good["elapsed"] >= 0
    assert (summary["status"], summary["files"], summary["done"], summary["failed"]) == ("summary", 2, 1, 1)
    assert summary["error"] is None


def test_lines_are_there_as_soon_as_a_song_has_ended(file):
    """So that a run that is killed has told of what it finished."""
    seen = []
    engine = ScriptedEngine(lambda request, job: seen.append(len(lines_of(file))))
    assert run(engine, "a.wav", "b.wav") == 0
    assert seen == [0, 1]


def test_songs_that_were_skipped(file, tmp_path):
    """Because of their results, or because an earlier run has done them: both are told as skipped."""
    for stem in ("drums", "vocals"):
        path = tmp_path / "separated" / "ready" / "a" / f"{stem}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert run(ScriptedEngine(), "a.wav", "b.wav", "--skip-existing") == 0
    assert [line["status"] for line in lines_of(file)] == ["skipped", "done", "summary"]
    with Journal(str(tmp_path / "other.jsonl")) as journal:
        journal.file_done(FileDone(input="a.wav", index=0, skipped=True, **DONE))
    line, summary = lines_of(tmp_path / "other.jsonl")
    assert (line["status"], line["outputs"]) == ("skipped", {"drums": "out/drums.wav"})
    assert (summary["skipped"], summary["done"]) == (1, 0)


def test_a_run_that_is_stopped_tells_of_every_song(file):
    """Of those that were not finished, too."""
    engine = ScriptedEngine(lambda request, job: job.cancel() if request.input == "a.wav" else None)
    assert run(engine, "a.wav", "b.wav") == -signal.SIGINT
    assert [(line["status"], line.get("input")) for line in lines_of(file)] == [
        ("done", "a.wav"),
        ("cancelled", "b.wav"),
        ("summary", None),
    ]


def test_an_error_that_ends_the_run_is_in_the_summary(file):
    """As a model that does not exist."""
    assert PROGRAMS[0].run(ScriptedEngine(), "a.wav", "--journal", "run.jsonl", model="reddy") == 1
    (summary,) = lines_of(file)
    assert (summary["files"], summary["error"]["code"]) == (0, "unknown_model")


def test_runs_are_appended(file):
    """And half a line, which a killed run has left, is not continued."""
    run(ScriptedEngine(), "a.wav")
    with file.open("ab") as journal:
        journal.write(b'{"status": "do')
    run(ScriptedEngine(), "b.wav")
    first, _, half, second, _ = file.read_text(encoding="utf-8").splitlines()
    assert half == '{"status": "do'
    assert [json.loads(line)["input"] for line in (first, second)] == ["a.wav", "b.wav"]


def test_a_report_that_cannot_be_written_is_told_before_any_work(tmp_path, capsys):
    """In the words of the command line."""
    engine = ScriptedEngine()
    assert PROGRAMS[0].run(engine, "a.wav", "--journal", str(tmp_path)) == 1
    assert "The report" in capsys.readouterr().err
    assert engine.requests == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a file that is always full")
def test_a_report_that_cannot_be_continued_ends_the_run(capsys):
    """With one error, whichever song it was."""
    for songs in (["a.wav"], ["a.wav", "b.wav"]):
        assert PROGRAMS[0].run(ScriptedEngine(), *songs, "--journal", "/dev/full") == 1
        assert capsys.readouterr().err.count("The report") == 1


def test_names_in_any_script_stay_readable(file):
    """Also one that is no text, which becomes what JSON can hold."""
    with Journal(str(file)) as journal:
        journal.file_done(FileDone(input="Пісня.wav", index=0, **DONE))
        journal.file_done(FileDone(input="caf\udce9.wav", index=1, **DONE))
    assert "Пісня" in file.read_text(encoding="utf-8")
    assert [line["input"] for line in lines_of(file)[:2]] == ["Пісня.wav", "caf\udce9.wav"]


def test_without_a_file_nothing_is_written(tmp_path):
    """The report is there for those who ask."""
    before = sorted(tmp_path.iterdir())
    with Journal(None) as journal:
        journal.file_done(FileDone(input="a.wav", index=0, **DONE))
    assert sorted(tmp_path.iterdir()) == before
