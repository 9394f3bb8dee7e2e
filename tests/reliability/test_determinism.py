"""The same job, the same bytes. Whatever the worker has done before, alone or in a batch; other numbers of threads round otherwise."""

import numpy as np
import pytest
import soundfile
from job_folders import FORMATS, tree
from worker_process import WorkerProcess, worker_command

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


LOSSLESS = ("wav", "flac", "aiff")
STEP = 2.0**-15


def request(songs, out, form):
    names = {"name_template": "{track} {stem}", "format": form, "model": "tiny", "shifts": 1, "progress": False}
    return {"cmd": "separate", "input": str(songs / "first.wav"), "output": str(out), **names}


def separate(worker, songs, out, **fields):
    """The stems in each format."""
    for form in FORMATS:
        worker.send({**request(songs, out / form, form), **fields})
        assert worker.expect("done", "error")["status"] == "done"
    return {form: tree(out / form) for form in FORMATS}


def test_the_same_job_gives_the_same_bytes(scenario, start, songs, tmp_path):
    """Stems in each format are equal to the last bit, from a new worker or a used one, alone or in a batch."""
    for threads in range(1, scenario.times(1, 4) + 1):
        worker = start(threads)
        right = separate(worker, songs, tmp_path / f"{threads} new")
        found = {"used": separate(worker, songs, tmp_path / f"{threads} used")}
        found["another"] = separate(start(threads), songs, tmp_path / f"{threads} another")
        jobs = [request(songs, tmp_path / f"{threads} batch" / form, form) for form in FORMATS]
        worker.send({"cmd": "batch", "jobs": jobs})
        assert worker.expect("done", "error")["status"] == "done"
        found["batch"] = {form: tree(tmp_path / f"{threads} batch" / form) for form in FORMATS}
        for how, form in ((how, form) for how in found for form in FORMATS):
            with scenario.trial(form, threads, how):
                assert found[how][form] == right[form]


def test_the_number_of_threads_changes_no_more_than_the_last_bit(scenario, start, songs, tmp_path):
    """In single precision, stems that were computed with another number of threads differ by one step of 16 bits at most."""
    right = separate(start(1), songs, tmp_path / "1", precision="fp32")
    for threads in range(2, scenario.times(2, 4) + 1):
        found = separate(start(threads), songs, tmp_path / str(threads), precision="fp32")
        for form in LOSSLESS:
            for name in right[form]:
                with scenario.trial("stem", threads, form, name):
                    samples = [soundfile.read(tmp_path / str(many) / form / name)[0] for many in (1, threads)]
                    assert np.abs(samples[0] - samples[1]).max() <= 1.01 * STEP
        equal = sum(found[form][name] == right[form][name] for form in FORMATS for name in right[form])
        scenario.note(f"{threads} threads: {equal} of {sum(map(len, right.values()))} files equal")
