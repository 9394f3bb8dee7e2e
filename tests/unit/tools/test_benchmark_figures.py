"""Which moment each figure of benchmark_worker_e2e.py is taken from."""

import importlib.util
import os
from pathlib import Path

import pytest

from benchmarks.worker_process import Line, WorkerFailed
from tools.choose_models import ModelChoice

PROGRAM = Path(__file__).resolve().parents[2] / "benchmark_worker_e2e.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_worker_e2e", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Scripted:
    """Replaces a worker: ready after 2 s, and each answer takes the given time."""

    pid = os.getpid()

    def __init__(self, output):
        self.asked = []
        self._done = {"duration": 1.0, "paths": {"vocals": str(output)}}
        self._took = {"model_loaded": iter([5.0, 0.5]), "done": iter([9.0, 4.0, 3.0]), "exiting": iter([0.0])}

    def wait_for(self, status):
        ready = {"version": "1", "device": "cpu", "threads": 1}
        return Line(0.25 if status is None else 2.0, ready)

    def ask(self, request, status):
        self.asked.append(request)
        took = next(self._took[status])
        return took, {"elapsed": took - 0.125, **self._done}


def measured(benchmark, output):
    worker = Scripted(output)
    choice = ModelChoice("tiny", {"model": "tiny"}, output.parent, "")
    figures = benchmark.measure(worker, benchmark.MEASURED["apollo"], choice, {"input": "a.wav"}, 2)
    return figures, worker.asked


def test_each_figure_is_of_its_own_moment(benchmark, tmp_path):
    """Each figure has its own time: first line, ready, loads, cold and fastest warm job, and the worker's own times."""
    output = tmp_path / "vocals.wav"
    output.touch()
    figures, asked = measured(benchmark, output)
    times = {key: value for key, value in figures.items() if key.startswith("t_") or key.endswith("elapsed_s")}
    assert times == {
        "t_start_to_first_status_s": 0.25,
        "t_start_to_ready_s": 2.0,
        "t_load_model_s": 5.0,
        "t_load_model_again_s": 0.5,
        "t_separate_cold_wall_s": 9.0,
        "t_separate_warm_wall_s": 3.0,
        "t_separate_warm_walls_s": [4.0, 3.0],
        "load_model_elapsed_s": 4.875,
        "separate_cold_elapsed_s": 8.875,
        "separate_warm_elapsed_s": 2.875,
    }
    assert [request["cmd"] for request in asked] == ["load_apollo", "load_apollo", "apollo", "apollo", "apollo", "exit"]


def test_a_file_that_was_not_written_is_a_failure(benchmark, tmp_path):
    """A result that names a missing file counts as a failure."""
    with pytest.raises(WorkerFailed, match=r"vocals\.wav` as written, but it does not exist"):
        measured(benchmark, tmp_path / "vocals.wav")
