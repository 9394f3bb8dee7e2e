"""A device that is really there: `run.py test --device cuda`. Each test is about what cannot be pretended."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest
from device_case import JOBS, files, read, two_networks
from worker_process import WorkerProcess

from models.architectures import OWN
from tools.fixtures.networks import write_network
from utils import device as devices
from utils.core.job import Job, JobCancelled
from utils.core.requests import NetworkSeparate
from utils.doctor.computing import LEAST_DB, _agreement_db, precisions_of

ROOT = Path(__file__).resolve().parents[2]
JOBS_IN_A_ROW = 50
KEPT_MB = 1.0  # on a card; what the host's memory wanders by is more
KEPT_ON_HOST_MB = 64.0


def used_mb(device):
    """What is in use on the device, or of the host's memory where it has none of its own."""
    gc.collect()
    devices.release_unused(device)
    memory = devices.memory(device)
    return memory.rss_mb if memory.device_allocated_mb is None else memory.device_allocated_mb


def kept_mb(device):
    return KEPT_ON_HOST_MB if device == "cpu" else KEPT_MB


def agree(one, other, least_db=60.0):
    assert one.keys() == other.keys()
    for name, reference in other.items():
        error = np.sum(np.square(one[name] - reference, dtype=np.float64))
        assert error <= 10 ** (-least_db / 10) * np.sum(np.square(reference, dtype=np.float64)), name


@pytest.mark.parametrize("precision", LEAST_DB)
@pytest.mark.parametrize("name", OWN)
def test_a_network_gives_what_it_gives_on_the_processor(device, name, precision):
    """In every precision that the device has and the network stands."""
    if precision not in precisions_of(device):
        pytest.skip(f"{device} has no {precision}")
    if precision != "fp32" and not OWN[name].stands_half:
        pytest.skip(f"{name} computes in single precision only")
    assert _agreement_db(name, device, precision) > LEAST_DB[precision]


@pytest.mark.parametrize("name", JOBS)
def test_a_job_gives_what_it_gives_on_the_processor(case, tmp_path, name):
    """From file to files, with the family's own steps, chunks and blends."""
    kind, fields = JOBS[name](tmp_path)
    expected = case.run(case.engine("cpu"), kind, **fields)
    agree(case.run(case.engine(), kind, **fields), expected)


def test_memory_is_back_at_its_level_after_many_jobs(case, tmp_path, device):
    """What the first jobs take for good is all that is ever taken; without its models, nothing is."""
    fields = files(write_network(tmp_path, "mel_band_roformer"))
    engine, empty = case.engine(), used_mb(device)
    for _ in range(3):
        case.run(engine, NetworkSeparate, **fields)
    level = used_mb(device)
    for _ in range(JOBS_IN_A_ROW):
        case.run(engine, NetworkSeparate, **fields)
    assert used_mb(device) <= level + kept_mb(device)
    engine.close()
    if device != "cpu":
        assert used_mb(device) <= empty + kept_mb(device)


def test_a_cancelled_job_leaves_nothing(case, tmp_path, device):
    """Neither memory nor files, and the next job is right."""
    fields = files(write_network(tmp_path, "mel_band_roformer", chunk_seconds=0.5))
    engine = case.engine()
    expected = case.run(engine, NetworkSeparate, **fields)
    level = used_mb(device)

    class Cancelled(Job):
        def progress(self, stage, done, total):
            super().progress(stage, done, total)
            if stage == "separate" and done > 0:
                self.cancel()

    with pytest.raises(JobCancelled):
        case.run(engine, NetworkSeparate, Cancelled(), **fields, output_dir=str(tmp_path / "none"))
    assert used_mb(device) <= level + kept_mb(device)
    assert not list(tmp_path.glob("none/*"))
    agree(case.run(engine, NetworkSeparate, **fields), expected)


def test_a_model_is_parked_and_comes_back(case, tmp_path, device):
    """With a cache of one model, two in turns: each has the device for itself, and gives the same as before."""
    both = two_networks(tmp_path, "mel_band_roformer")
    engine, stems, levels = case.engine(max_cached_models=1), [], []
    for fields in (*both, *both):
        stems.append(case.run(engine, NetworkSeparate, **fields))
        levels.append(used_mb(device))
    for before, after in zip(stems[:2], stems[2:], strict=True):
        agree(before, after, least_db=80)
    assert max(levels) - min(levels) <= kept_mb(device)


def test_two_workers_share_a_device(case, tmp_path, device):
    """At the same time, each with its own results, which are the same."""
    fields = files(write_network(tmp_path, "mel_band_roformer"))
    expected = case.run(case.engine(), NetworkSeparate, **fields)
    command = [sys.executable, str(ROOT / "workers" / "dsu_worker.py"), "--worker", "--device", device]
    command += ["--models-dir", str(tmp_path / "models"), "--threads", "1"]
    with WorkerProcess(command, cwd=tmp_path) as one, WorkerProcess(command, cwd=tmp_path) as other:
        for number, worker in enumerate((one, other)):
            worker.expect("ready")
            for again in range(3):
                output = str(tmp_path / f"worker{number}-{again}")
                job = {"cmd": "separate", "family": "networks", "input": str(case.song), "output": output}
                worker.send({**job, "precision": "fp32", "pcm_type": "FLOAT", "clip": "none", **fields})
        for worker in (one, other):
            for _ in range(3):
                done = worker.expect("done")
                agree({name: read(path) for name, path in done["paths"].items()}, expected)
