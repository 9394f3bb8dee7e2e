"""The same job, the same bytes. Whatever the worker has done before, however many threads it has, alone or in a batch."""

from typing import get_args

import pytest
from job_folders import tree
from worker_process import WorkerProcess, worker_command

from utils.core.requests import AudioFormat
from workers import WORKERS


@pytest.fixture
def start(demucs_models):
    """Start real workers with so many threads."""
    started = []

    def start_one(threads):
        command = [*worker_command(WORKERS["demucs"]), "--worker", "--device", "cpu", "--offline"]
        worker = WorkerProcess([*command, "--models-dir", str(demucs_models), "--threads", str(threads)])
        started.append(worker)
        worker.expect("ready")
        return worker

    yield start_one
    for worker in started:
        with worker:
            pass


def request(songs, out, form):
    names = {"name_template": "{track} {stem}", "format": form, "model": "tiny", "shifts": 1, "progress": False}
    return {"cmd": "separate", "input": str(songs / "first.wav"), "output": str(out), **names}


def test_the_same_job_gives_the_same_bytes(scenario, start, songs, tmp_path):
    """Stems in each format are equal to the last bit, from a new worker or a used one, with one thread or several, alone or in a batch."""
    right = {}
    for threads in range(1, scenario.times(2, 4) + 1):
        worker = start(threads)
        for turn in ("new", "used"):
            for form in get_args(AudioFormat):
                worker.send(request(songs, tmp_path / f"{threads} {turn} {form}", form))
                assert worker.expect("done", "error")["status"] == "done"
                found = tree(tmp_path / f"{threads} {turn} {form}")
                with scenario.trial(form, threads, turn):
                    assert right.setdefault(form, found) == found
        jobs = [request(songs, tmp_path / f"{threads} batch {form}", form) for form in get_args(AudioFormat)]
        worker.send({"cmd": "batch", "jobs": jobs})
        assert worker.expect("done", "error")["status"] == "done"
        for form in get_args(AudioFormat):
            with scenario.trial(form, threads, "batch"):
                assert tree(tmp_path / f"{threads} batch {form}") == right[form]
