"""Everything that tables refer to by name is in the frozen folder: networks, configurations, models."""

import json
import struct

import av
import numpy as np
import pytest
from frozen_places import ROOT, program
from worker_process import WorkerProcess, job_lines

from models.architectures import DEMUCS, OWN
from tests.aids.onnx_writer import model, node
from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.demucs import DEMUCS as DEMUCS_FILE
from tools.fixtures.demucs import HDEMUCS, HTDEMUCS, make_repo
from tools.fixtures.networks import write_network
from workers import WORKERS

CONFIGS = sorted(path.relative_to(ROOT / "configs").as_posix() for path in (ROOT / "configs").glob("*/*.yaml"))
LARGEST_BYTES = 2 << 30  # more than a quarter of the largest network
OWN_CONFIGS = [name for name in CONFIGS if name.partition("/")[0] in OWN]
DEMUCS_FILES = {"HTDemucs": HTDEMUCS, "HDemucs": HDEMUCS, "Demucs": DEMUCS_FILE}


@pytest.fixture(scope="module")
def start(folder, tmp_path_factory):
    def start_one(name):
        models = tmp_path_factory.mktemp("models")
        flags = ["--worker", "--device", "cpu", "--offline", "--models-dir", str(models)]
        return WorkerProcess([str(program(folder, WORKERS[name])), *flags])

    return start_one


@pytest.fixture(scope="module")
def worker(start):
    """dsu-bsroformer, which has all of our own networks."""
    with start("bsroformer") as worker:
        worker.expect("ready")
        yield worker


@pytest.fixture(scope="module")
def useless(tmp_path_factory):
    """For each kind of network a checkpoint that fits none of its configurations, although it is large enough for all.

    It has a hole in place of its data, which takes no room on the disk.
    """
    folder = tmp_path_factory.mktemp("useless")
    tensor = {"dtype": "U8", "shape": [LARGEST_BYTES], "data_offsets": [0, LARGEST_BYTES]}
    head = json.dumps({"nothing": tensor}).encode()
    with (folder / "useless.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        file.truncate(file.tell() + LARGEST_BYTES)
    small = write_network(folder, "apollo").checkpoint  # Apollo's sizes are read from the checkpoint first
    return {kind: small if kind == "apollo" else folder / "useless.safetensors" for kind in OWN}


@pytest.mark.parametrize("kind", OWN)
def test_every_network_of_ours_can_be_loaded(worker, tmp_path, kind):
    """Each row of the table loads from a small checkpoint."""
    files = write_network(tmp_path, kind)
    worker.send({"cmd": "load_model", "model_path": str(files.checkpoint), "config_path": str(files.config)})
    assert job_lines(worker, "model_loaded", "error")[-1]["status"] == "model_loaded"


def test_every_network_of_demucs_can_be_loaded(start, tmp_path):
    """Each row of that table loads from a small checkpoint in demucs' format."""
    make_repo(tmp_path)
    assert DEMUCS_FILES.keys() == DEMUCS.keys()
    with start("demucs") as worker:
        worker.expect("ready")
        for signature in DEMUCS_FILES.values():
            worker.send({"cmd": "load_model", "model": signature, "repo": str(tmp_path)})
            assert job_lines(worker, "model_loaded", "error")[-1]["status"] == "model_loaded"


@pytest.mark.parametrize("config", OWN_CONFIGS)
def test_every_configuration_makes_its_network(worker, folder, useless, config):
    """The program reads the file in its folder and builds the network at full size; only the weights do not fit."""
    path, checkpoint = folder / "configs" / config, useless[config.partition("/")[0]]
    worker.send({"cmd": "load_model", "model_path": str(checkpoint), "config_path": str(path)})
    error = job_lines(worker, "model_loaded", "error")[-1]
    assert (error["status"], error.get("code")) == ("error", "checkpoint_mismatch"), error


def test_all_configurations_in_the_registry_are_tested():
    """The files that dsu-bsroformer's records name are among those of the test above."""
    records = [record for worker, record in records_of_workers() if worker == "bsroformer"]
    assert {record["config"] for record in records if record.get("config")} <= set(OWN_CONFIGS)


def records_of_workers():
    """Each record of the lists, with the worker whose it is."""
    for path in (ROOT / "configs" / "models").glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        yield from ((document["worker"], record) for record in document["models"])


@pytest.mark.parametrize("name", [name for name in WORKERS if name != "denoise"])  # which has no models
def test_every_model_of_the_registry_is_listed(start, name):
    """The program that runs a model lists it, from the files in its folder; `dsu` lists all."""
    names = {record["name"] for worker, record in records_of_workers() if name in ("dsu", worker)}
    with start(name) as worker:
        worker.expect("ready")
        assert names <= set(worker.ask(cmd="list_models")["models"])


def test_files_of_unknown_origin_are_opened_by_the_program_itself(start, tmp_path):
    """There is no other Python: it starts itself for a checkpoint, a network of ONNX, and an unusual container of audio."""
    song = tmp_path / "song.ac3"
    with av.open(str(song), "w", format="ac3") as container:
        stream = container.add_stream("ac3", rate=48000, layout="stereo")
        for first in range(0, 48000, 1536):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1536), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 48000, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    mdx = make_mdx(tmp_path, "own").checkpoint
    vr = make_vr(tmp_path, "own_vr").checkpoint
    with start("audio-separator") as worker:
        worker.expect("ready")
        for path in (mdx, vr):
            worker.send({"cmd": "separate", "input": str(song), "output": str(tmp_path / "out"), "model": str(path)})
            reply = job_lines(worker, "done", "error")[-1]
            assert reply["status"] == "done", reply
        mdx.write_bytes(model([node("Loop", ["x"])]))
        worker.send({"cmd": "load_model", "model": str(mdx)})
        reply = job_lines(worker, "model_loaded", "error")[-1]
        assert (reply["status"], reply["code"]) == ("error", "checkpoint_invalid"), reply
