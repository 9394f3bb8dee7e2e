"""Two of everything. Workers that share folders, also from different containers, leave each other's work alone."""

import subprocess
import sys
import threading

import pytest
from downloads import fetch
from job_folders import STEMS, tree
from loopback_server import Page, record
from worker_process import WorkerProcess, worker_command

from tools.fixtures.song import song
from workers import WORKERS

CONTENT = bytes(range(128, 256)) * 16384


def can_contain():
    """Whether this system lets us number processes anew."""
    if sys.platform != "linux":
        return False
    try:
        return (
            subprocess.run(["unshare", "-pf", "--mount-proc", "true"], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


CONTAINER = ("unshare", "-pf", "--mount-proc", "--kill-child")


@pytest.fixture
def start(demucs_models):
    """Start real workers, in a container or not."""
    started = []

    def start_one(*container):
        command = [
            *container,
            *worker_command(WORKERS["demucs"]),
            "--worker",
            "--device",
            "cpu",
            "--threads",
            "1",
            "--offline",
        ]
        worker = WorkerProcess([*command, "--models-dir", str(demucs_models)])
        started.append(worker)
        worker.expect("ready")
        return worker

    yield start_one
    for worker in started:
        with worker:
            pass


@pytest.fixture(scope="module")
def long_song(tmp_path_factory):
    import numpy as np
    import soundfile

    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, np.tile(song(4.0), (75, 1)), 44100)
    return path


def request(source, out, **fields):
    template = {"name_template": "{track} {stem}", "model": "tiny", "shifts": 0}
    return {"cmd": "separate", "input": str(source), "output": str(out), **template, **fields}


def test_two_workers_do_the_same_song_at_once(scenario, start, songs, tmp_path):
    """Two workers that write the same stems into the same folder are both done, and the set is whole."""
    first, second = start(), start()
    first.send(request(songs / "first.wav", tmp_path / "right"))
    first.expect("done")
    right = tree(tmp_path / "right")
    for number in range(scenario.times(5, 200)):
        out = tmp_path / f"out {number}"
        for worker in (first, second):
            worker.send(request(songs / "first.wav", out, id=number, progress=False))
        with scenario.trial("pair", number):
            for worker in (first, second):
                assert worker.expect("done", "error", id=number)["status"] == "done"
            assert tree(out) == right


@pytest.mark.parametrize("place", ["beside", "in another container"])
def test_a_worker_does_not_sweep_what_another_one_writes(scenario, start, songs, long_song, tmp_path, place):
    """While a worker writes its stems, another one that finishes a job in the folder leaves its temporary files there."""
    if place != "beside" and not can_contain():
        scenario.note("not tried: this system lets nobody number processes anew")
        return
    out = tmp_path / "out"
    busy, other = start(), start(*CONTAINER * (place != "beside"))
    busy.send(request(long_song, out, id="long"))
    busy.expect("progress", stage="separate")
    parts = {path.name for path in out.glob(".*.part")}
    for number in range(scenario.times(2, 20)):
        with scenario.trial("job beside", number):
            other.send(request(songs / "first.wav", out, id=number, progress=False))
            assert other.expect("done", "error", id=number)["status"] == "done"
            assert parts <= {path.name for path in out.glob(".*.part")}
    busy.cancel()
    assert sorted(tree(out)) == [f"first {stem}.wav" for stem in sorted(STEMS)]


def test_a_restarted_container_sweeps_what_it_left(scenario, start, songs, long_song, tmp_path):
    """A worker that is killed in its container leaves temporary files, and the next one removes them, although its number is the same."""
    if not can_contain():
        scenario.note("not tried: this system lets nobody number processes anew")
        return
    for number in range(scenario.times(1, 10)):
        out, pids = tmp_path / f"out {number}", []
        for _ in range(2):
            worker = start(*CONTAINER)
            pids.append(worker.transcript[0]["pid"])
            worker.send(request(long_song, out))
            worker.expect("progress", stage="separate")
            worker.process.kill()
            worker.wait()
        with scenario.trial("restart", number):
            assert pids[0] == pids[1]
            assert len(list(out.glob(".*.part"))) >= len(STEMS)
            worker = start(*CONTAINER)
            worker.send(request(songs / "first.wav", out))
            assert worker.expect("done", "error")["status"] == "done"
            assert sorted(tree(out)) == [f"first {stem}.wav" for stem in sorted(STEMS)]


def test_two_downloads_of_one_file(scenario, site, tmp_path):
    """Two that want the same file at once both have it, and it came once."""
    for number in range(scenario.times(3, 100)):
        site.pages[str(number)] = Page(CONTENT)
        file = record(f"{number}.th", CONTENT, site.url(str(number)))

        def fetch_too(found, file=file):
            found += fetch(file, tmp_path)

        found = []
        threads = [threading.Thread(target=fetch_too, args=(found,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with scenario.trial("pair", number):
            assert found == [tmp_path / f"{number}.th"] * 2
            assert found[0].read_bytes() == CONTENT
            assert len([path for path, _ in site.requests if path == str(number)]) == 1
