"""Real jobs of a worker on two devices, which here are two processes on the processor."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from worker_process import WorkerProcess, wait_until_ended, worker_command

from workers import WORKERS

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def start(worker_dir, family_models):
    """Start `dsu worker` on these devices."""

    def start_one(*devices):
        command = [*worker_command(WORKERS["dsu"], worker_dir), "worker", *devices, "--threads", "1"]
        return WorkerProcess([*command, "--models-dir", str(family_models), "--offline"])

    return start_one


@pytest.fixture(scope="module")
def both(start):
    with start("--devices", "cpu,cpu") as worker:
        assert [device["device"] for device in worker.expect("ready")["devices"]] == ["cpu", "cpu"]
        yield worker


def test_the_results_are_those_of_one_device(both, start, songs, tmp_path):
    """The same bytes, for the models of several families at once; and the models are where they were used."""
    requests = [
        {"cmd": "separate", "id": model, "input": str(songs / "short.wav"), "model": model, "pcm_type": "FLOAT"}
        for model in ("tiny", "my_net", "my_vr.pth")
    ]
    both.send(*({**request, "output": str(tmp_path / "both")} for request in requests))
    done = {line["id"]: line for line in (both.expect("done", "error") for _ in requests)}
    with start("--device", "cpu") as alone:
        alone.expect("ready")
        for request in requests:
            alone.send({**request, "output": str(tmp_path / "alone")})
            expected = alone.expect("done")
            found = done[request["id"]]
            assert {name: Path(path).read_bytes() for name, path in found["paths"].items()} == {
                name: Path(path).read_bytes() for name, path in expected["paths"].items()
            }
            assert found.keys() == expected.keys()
    cached = both.ask(cmd="list_cached")["models"]
    assert sorted(model["name"] for model in cached) == sorted(line["model"] for line in done.values())


@pytest.mark.skipif(sys.platform == "win32", reason="the process is killed as Linux and macOS do it")
def test_a_song_goes_on_when_its_process_is_killed(both, songs, tmp_path):
    """Another one begins it anew, nothing of the first is left, and the worker ends without leaving a process."""
    output = tmp_path / "out"
    both.send({"cmd": "separate", "id": 1, "input": str(songs / "long.wav"), "output": str(output), "model": "tiny"})
    both.expect("progress", id=1)
    both.send({"cmd": "get_status", "id": "who"})
    (victim,) = (device["pid"] for device in both.expect("status", id="who")["devices"] if device["busy"])
    os.kill(victim, signal.SIGKILL)
    both.expect("separating", id=1)
    both.expect("progress", id=1)
    assert both.cancel(id=1)["cancelled"]["id"] == 1
    both.send({"cmd": "separate", "id": 2, "input": str(songs / "short.wav"), "output": str(output), "model": "tiny"})
    assert both.expect("done", "error", id=2)["status"] == "done"
    assert not [path for path in output.rglob("*") if path.is_file() and path.suffix != ".wav"]
    every = [child.pid for child in psutil.Process(both.pid).children(recursive=True)]
    both.send({"cmd": "exit"})
    assert both.rest()[-1]["status"] == "exiting"
    for pid in every:
        wait_until_ended(pid)


def test_a_command_line_gives_its_songs_to_all_devices(worker_dir, family_models, songs, tmp_path):
    """The stems are those of one device, also for songs of the same name; one that cannot be read does not stop the others."""
    (tmp_path / "more").mkdir()
    one, other = tmp_path / "song.wav", tmp_path / "more" / "song.wav"
    for place in (one, other):
        place.write_bytes((songs / "short.wav").read_bytes())
    (tmp_path / "broken.wav").write_bytes(b"no song")
    command = [*worker_command(WORKERS["dsu"], worker_dir), "separate", "-m", "tiny", "--threads", "1", "--offline"]
    command += ["--models-dir", str(family_models), str(one), str(tmp_path / "broken.wav"), str(other)]
    found = {}
    for name, places in (("both", ["--devices", "cpu,cpu"]), ("alone", ["--device", "cpu"])):
        done = subprocess.run(
            [*command, *places, "-o", str(tmp_path / name)], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, done.stderr
        assert "2 done, 1 failed" in done.stderr
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        found[name] = {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files}
    assert found["both"] == found["alone"]
    assert {Path(path).parent.name for path in found["both"]} == {"song", "song (2)"}
