"""A folder of songs whose worker or program is killed: finished songs stay as they are, the rest is done, nothing is left over."""

import json
import subprocess
from functools import partial

import pytest
import soundfile
from worker_process import clean_environment, job_lines, start_worker, statuses, worker_command

from tools.fixtures.audio_separator import make_mdx
from tools.fixtures.song import song
from workers import WORKERS

pytestmark = pytest.mark.e2e

RATE = 44100
NAMES = ["a", "b", "c", "d"]
NOTES = ".dsu"


@pytest.fixture
def folder(tmp_path):
    """Four songs: the first is short, the second takes a while, so that there is a middle to be killed in."""
    samples = song(120.0)
    (tmp_path / "songs").mkdir()
    for name in NAMES:
        seconds = {"a": 1, "b": 120}.get(name, 10)
        soundfile.write(tmp_path / "songs" / f"{name}.wav", samples[: seconds * RATE], RATE)
    return tmp_path / "songs"


def results_in(out):
    """The time of change of every file that is no note."""
    files = (path for path in out.rglob("*") if path.is_file() and NOTES not in path.parts)
    return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in files}


def journal_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_program_killed_in_the_middle_of_a_folder(worker_dir, repo, folder, tmp_path):
    """The second run leaves finished songs alone, does the others, and its report and its status are those of a good run."""
    out, journal = tmp_path / "out", tmp_path / "run.jsonl"
    words = ["-n", "tiny", "--repo", str(repo), "-d", "cpu", "--shifts", "0", "--threads", "1", "-o", str(out)]
    words += ["--resume", "--journal", str(journal), "--print-paths", str(folder)]
    command = [*worker_command(WORKERS["demucs"], worker_dir), *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_environment()
    ) as process:
        process.stdout.readline()  # the first song's, which comes after its line in the report
        process.kill()
    (first, *others) = told = journal_lines(journal)
    assert (first["status"], first["input"]) == ("done", str(folder / "a.wav"))
    assert len(others) < len(NAMES) - 1
    before = results_in(out)
    finished = {path for line in told for path in line["outputs"].values()}

    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=clean_environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    *songs, summary = journal_lines(journal)[len(told) :]
    assert [line["status"] for line in songs[: len(told)]] == ["skipped"] * len(told)
    assert songs[-1]["status"] == "done"
    assert (summary["files"], summary["skipped"] + summary["done"], summary["failed"]) == (4, 4, 0)
    after = results_in(out)
    kept = {name for name in after if str(out / name) in finished}
    assert len(kept) == 4 * len(told)  # four stems each
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert sorted(after) == sorted(
        f"tiny/{name}/{stem}.wav" for name in NAMES for stem in ("drums", "bass", "other", "vocals")
    )
    assert sorted(path.suffix for path in (out / NOTES).iterdir()) == [".json"] * 4
    assert len(done.stdout.splitlines()) == 16


def test_a_bad_song_in_a_folder(worker_dir, repo, folder, tmp_path):
    """It has its line in the report, the others are done, the status is not 0; the next run tries it again."""
    for name in NAMES[2:]:
        (folder / f"{name}.wav").unlink()
    (folder / "b.wav").write_text("This is no audio.")
    journal = tmp_path / "run.jsonl"
    words = ["-n", "tiny", "--repo", str(repo), "-d", "cpu", "--shifts", "0", "-o", str(tmp_path / "out")]
    command = [
        *worker_command(WORKERS["demucs"], worker_dir),
        *words,
        "--resume",
        "--journal",
        str(journal),
        str(folder),
    ]
    for expected in (["done", "failed", "summary"], ["skipped", "failed", "summary"]):
        done = subprocess.run(command, capture_output=True, env=clean_environment(), check=False)
        assert done.returncode == 1
        lines = journal_lines(journal)
        assert [line["status"] for line in lines[-3:]] == expected
        assert lines[-2]["error"]["code"] == "input_unreadable"


@pytest.fixture
def start(worker_dir, tmp_path):
    """Start dsu-audio-separator with an MDX model."""
    make_mdx(tmp_path / "models" / "audio-separator", "tiny")
    return partial(start_worker, "audio-separator", worker_dir, tmp_path / "models")


def test_the_worker_killed_in_the_middle_of_a_song(start, folder, tmp_path):
    """Temporary files lie there when it is killed, and are gone when the next worker has done the rest."""
    out = tmp_path / "out"
    request = {"cmd": "separate", "inputs": [str(folder)], "output": str(out), "model": "tiny.onnx", "resume": True}
    with start() as worker:
        worker.send(request)
        assert worker.expect("file_done", "error")["ok"]
        line = worker.expect("progress", "done", index=1, part_stage="separate")
        assert line["count"] == 4
        worker.process.kill()
        worker.wait()
    before = results_in(out)
    assert [name for name in before if name.endswith(".part")]
    noted = {path.name.partition(".")[0] for path in (out / NOTES).iterdir()}
    assert "a" in noted

    with start() as worker:
        worker.send(request)
        lines = job_lines(worker, "done", "error")
    done = lines[-1]
    assert (done["status"], done["succeeded"], done["failed"]) == ("done", 4, 0)
    told = [line for line in lines if line["status"] == "file_done"]
    assert told[0]["skipped"]
    assert done["skipped"] == sum(line.get("skipped", False) for line in told) == len(noted)
    after = results_in(out)
    assert sorted(after) == sorted(f"{name}_({stem}).wav" for name in NAMES for stem in ("Vocals", "Instrumental"))
    kept = {name for name in after if name.partition("_")[0] in noted}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_a_skipped_job_answers_as_it_did(start, folder, tmp_path):
    """The same paths, `skipped`, no model loaded; with other settings it is done."""
    request = {"cmd": "separate", "input": str(folder / "a.wav"), "output": str(tmp_path / "out")}
    request |= {"model": "tiny.onnx", "resume": True}
    with start() as worker:
        worker.send(request)
        first = worker.expect("done", "error")
        assert "skipped" not in first
    with start() as worker:
        worker.expect("ready")
        worker.send(request)
        lines = job_lines(worker, "done", "error")
        assert set(statuses(lines)) <= {"progress", "done"}
        assert {**lines[-1], "skipped": None} == {**first, "skipped": None}
        assert lines[-1]["skipped"] is True
        assert worker.ask(cmd="ping")["model_loaded"] is None
        worker.send({**request, "mdx_overlap": 0.5})
        assert "skipped" not in worker.expect("done", "error")
        worker.send(request)
        assert "skipped" not in worker.expect("done", "error")  # its files were replaced
