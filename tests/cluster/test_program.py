"""`dsu batch` as a program: what it refuses, what it tells, and Ctrl-C."""

import json
import signal
import subprocess
import sys

import pytest
from fake_batch_worker import BatchWorker
from ray_cluster import FAKE, ROOT, write_song
from web_server import until
from worker_process import TIMEOUT_S, wait_until_ended

from utils.cluster import program

# With another worker than the program's own. Shells have what they start in the background ignore Ctrl-C, and so would the program.
CODE = """
import dataclasses, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from utils.cluster import program
options = dataclasses.replace(program.read(sys.argv[1:]), worker_command={command!r})
sys.exit(program.batch(options))
"""


def test_a_missing_package_is_named(monkeypatch, capsys):
    """With how it is installed."""

    def batch(options):
        raise ModuleNotFoundError("No module named 'ray'", name="ray")

    monkeypatch.setattr(program, "batch", batch)
    assert program.main(["songs", "-o", "out"]) == 2
    assert "run.py batch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["songs"], "--out"),
        (["songs", "-o", "out", "--set", "format"], "FIELD=VALUE"),
        (["songs", "-o", "out", "--storage-options", "[]"], "object for each protocol"),
        (["songs", "-o", "out", "--autoscale"], "--max-workers"),
        (["songs", "-o", "out", "-m", "no_such_model"], "There is no model"),
    ],
)
def test_mistakes_on_the_command_line(words, said, capsys):
    """They are told before anything is read."""
    assert program.main(words) == 2
    assert said in capsys.readouterr().err


def test_faulty_rows_start_nothing(tmp_path, capsys):
    """All of them are told; nothing is written, not even a folder."""
    manifest = tmp_path / "rows.jsonl"
    write_song(tmp_path / "song.wav")
    rows = [{"input": "song.wav"}, {"input": "gone.wav"}, {"input": "song.wav", "modle": "x"}]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert program.main([str(manifest), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "line 2" in said
    assert "line 3" in said
    assert "2 of 3 rows cannot be done" in said
    assert not (tmp_path / "out").exists()
    manifest.write_text(json.dumps(rows[0]))
    assert program.main([str(manifest), "-o", str(tmp_path / "out"), "--check"]) == 0
    assert not (tmp_path / "out").exists()


def test_ray_is_started_again_where_a_machine_is_busy(tmp_path, monkeypatch, capsys):
    """It is given up with a cure, as a cluster is that is not there."""
    import ray

    starts = []

    def init(**options):
        starts.append(options["address"])
        raise RuntimeError("The current node timed out during startup." if options["address"] == "local" else "Nobody.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    words = [str(write_song(tmp_path / "song.wav")), "-o", str(tmp_path / "out"), "-m", "dsu_mini"]
    assert program.main(words) == 2
    assert starts == ["local"] * program.STARTS
    assert "core that is not busy" in capsys.readouterr().err
    assert program.main([*words, "--address", "nobody:1"]) == 2
    assert starts[program.STARTS :] == ["nobody:1"]
    assert "no Ray cluster at `nobody:1`" in capsys.readouterr().err


def test_nothing_of_it_is_imported_by_others():
    """Neither the worker nor other commands know Ray, Arrow or fsspec."""
    code = "import sys, workers.launch, utils.commandline.dsu, utils.serving.entry; print(sorted({'ray', 'pyarrow', 'fsspec'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def batch_of(folder, cluster):
    """The program, with the songs of a folder."""
    places = [folder / "songs", "-o", folder / "out"]
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            CODE.format(command=FAKE),
            *places,
            "-m",
            "dsu_mini",
            "--json",
            "--address",
            cluster.address,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.e2e
def test_ctrl_c_finishes_what_is_under_way(cluster, tmp_path):
    """Programs read lines of JSON; the tables tell what was not done, and half results are nowhere."""
    for number in range(200):
        write_song(tmp_path / "songs" / f"song{number}.wav")
    with batch_of(tmp_path, cluster) as running:
        events = []
        for line in running.stdout:
            events.append(json.loads(line))
            if events[-1]["event"] == "done" and not any(each["event"] == "done" for each in events[:-1]):
                running.send_signal(signal.SIGINT)
        said = running.stderr.read()
    assert (
        running.returncode == 256 - signal.SIGINT
    )  # -2, as `sys.exit` makes it; the launcher ends by the signal itself
    assert "Press Ctrl-C again" in said
    assert "Traceback" not in said
    assert events[-1]["event"] == "summary"
    rows = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    done = [row for row in rows if row["status"] == "done"]
    assert {row["status"] for row in rows} == {"done", "not_done"}
    assert len(done) == events[-1]["done"]
    assert all(
        (tmp_path / "out" / stem["path"]).stat().st_size == stem["size_bytes"] for row in done for stem in row["stems"]
    )
    assert len(list((tmp_path / "out").glob("*/*.wav"))) == 2 * len(done)
    assert not (tmp_path / "out" / ".dsu" / "incoming").exists()


@pytest.mark.slow
@pytest.mark.e2e
def test_ctrl_c_again_ends_at_once(cluster, tmp_path):
    """Also where a song never ends: its worker is gone, and nothing has a final name."""
    song = write_song(tmp_path / "songs" / "endless.wav", BatchWorker.ENDLESS)
    with batch_of(tmp_path, cluster) as running:
        until(lambda: song.with_suffix(".pid").exists() and song.with_suffix(".pid").read_text(), bool)
        running.send_signal(signal.SIGINT)
        assert "Press Ctrl-C again" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        try:
            _, said = running.communicate(timeout=TIMEOUT_S)
        finally:
            running.kill()
    assert (running.returncode, said) == (256 - signal.SIGINT, "")
    wait_until_ended(int(song.with_suffix(".pid").read_text()))
    assert list((tmp_path / "out").rglob("*.wav")) == []
