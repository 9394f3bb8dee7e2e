"""Clients of the first DSU workers: the lines that they send and read, on directories as they were."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from worker_process import start_worker, worker_command

from tools.fixtures.audio_separator import make_vr
from tools.fixtures.demucs import make_repo
from tools.fixtures.networks import write_network
from workers import WORKERS

pytestmark = pytest.mark.e2e

RATE = 44100


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    path = tmp_path_factory.mktemp("songs") / "test.wav"
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (2 * RATE, 2))
    soundfile.write(path, noise, RATE)
    return path


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project as the first bsroformer worker had it: models.json, `configs`, `weights`."""
    folder = tmp_path_factory.mktemp("project") / "Models" / "bsroformer"
    entries = {}
    for seed, name in enumerate(("one", "two")):
        files = write_network(folder / "made", "mdx23c", name=name, seed=seed)
        for source, place in ((files.checkpoint, "weights"), (files.config, "configs")):
            (folder / place).mkdir(exist_ok=True)
            shutil.move(source, folder / place / source.name)
        entries[name] = {
            "type": "mdx23c",
            "config": f"configs/{name}.yaml",
            "checkpoint": f"weights/{name}.ckpt",
            "stems": ["vocals", "other"],
            "description": f"The network {name}.",
        }
    (folder / "models.json").write_text(json.dumps(entries))
    return folder


def last_line(command, request, cwd):
    """What a script does that starts a worker for one job: it waits for `ready`, sends, and reads on to the end."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1, cwd=cwd
    )
    lines = map(json.loads, filter(str.strip, process.stdout))  # stderr is in it, and every line is JSON
    with process:
        assert next(line for line in lines if line["status"] in ("ready", "error"))["status"] == "ready"
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        reply = next(line for line in lines if line["status"] in ("done", "error"))
        process.stdin.write('{"cmd":"exit"}\n')
        process.stdin.flush()
        assert next(lines)["status"] == "exiting"
    assert process.returncode == 0
    return reply


def test_bsroformer_with_the_project_as_its_models_directory(worker_dir, project, song, tmp_path):
    """The network is found by its name in models.json, and the files are below `output_dir`."""
    command = [*worker_command(WORKERS["bsroformer"], worker_dir), "--worker", "--models-dir", str(project)]
    request = {"cmd": "separate", "input": str(song), "output_dir": str(tmp_path), "model": "one", "batch_size": 4}
    reply = last_line(command, request, tmp_path)
    assert reply["status"] == "done", reply
    assert len(reply["files"]) == 2
    for name in reply["files"]:
        assert (Path(reply["output_dir"]) / name).is_file()
    assert reply["elapsed"] > 0


def test_demucs_with_a_folder_of_models(worker_dir, song, tmp_path):
    """Each of `files`, with `.wav` if it has none, is below the folder of the reply."""
    make_repo(tmp_path / "repo")
    command = [*worker_command(WORKERS["demucs"], worker_dir), "--worker"]
    request = {"cmd": "separate", "input": str(song), "output": str(tmp_path / "out"), "model": "aaaa0002"}
    reply = last_line(command, {**request, "repo": str(tmp_path / "repo")}, tmp_path)
    assert reply["status"] == "done", reply
    names = [name if name.endswith(".wav") else f"{name}.wav" for name in reply["files"] or reply["stems"]]
    assert len(names) == 4
    assert all((Path(reply["output_dir"]) / name).is_file() for name in names)


def test_audio_separator_with_a_folder_of_models(worker_dir, song, tmp_path):
    """`model_file_dir` is the flat folder of the audio-separator package."""
    make_vr(tmp_path / "models", "3_HP-Vocal-UVR", primary_stem="Instrumental")
    command = [*worker_command(WORKERS["audio-separator"], worker_dir), "--worker"]
    request = {"cmd": "separate", "input": str(song), "output_dir": str(tmp_path), "model": "3_HP-Vocal-UVR.pth"}
    reply = last_line(command, {**request, "model_file_dir": str(tmp_path / "models")}, tmp_path)
    assert (reply["status"], len(reply["files"])) == ("done", 2), reply


def test_a_worker_of_an_application(worker_dir, project, song, tmp_path):
    """All that its Node.js code sends in one life: nulls, empty strings, and numbers and lists in strings."""
    with start_worker(
        "bsroformer", worker_dir, project, "--configs-dir", str(project / "configs"), cwd=tmp_path
    ) as worker:
        worker.expect("ready")
        listed = worker.ask(cmd="list_models")["models"]
        assert {"one", "two", "bsroformer_4stem"} <= set(listed)
        assert listed.count("bsroformer_4stem") == 1
        worker.send({"cmd": "load_model", "model": "one"})
        assert worker.expect("model_loaded", "error")["model"] == "one"
        blanks = {"stems": None, "ensemble": "", "two_stems": "", "model_path": None, "pcm_type": ""}
        worker.send({"cmd": "separate", "input": str(song), "output": "", "overlap": "2", "batch_size": "1", **blanks})
        done = worker.expect("done", "error")
        assert done["status"] == "done", done
        assert Path(done["output_dir"]).parent == tmp_path.resolve() / "output"
        both = {"ensemble": "one,two", "ensemble_weights": "1.0,1.0", "ensemble_type": "avg_wave"}
        worker.send({"cmd": "separate", "input": str(song), "output_dir": str(tmp_path / "both"), **both})
        done = worker.expect("done", "error")
        assert (done["status"], done["model"]) == ("done", "one+two")
        assert done["settings"]["ensemble_weights"] == [0.5, 0.5]


def test_every_gain_is_told(worker_dir, project, tmp_path):
    """Workers once wrote samples above full scale; whoever asked for nothing else hears of the gain."""
    loud = np.sign(np.sin(np.arange(RATE))) * 0.999
    soundfile.write(tmp_path / "loud.wav", np.stack([loud, loud], axis=1), RATE)
    request = {"cmd": "separate", "input": str(tmp_path / "loud.wav"), "output": str(tmp_path), "model": "one"}
    with start_worker("bsroformer", worker_dir, project) as worker:
        worker.expect("ready")
        worker.send(request)
        done = worker.expect("done", "error")
        assert done["gain"] < 1.0
        assert any("lowered" in warning for warning in done["warnings"])
        worker.send({**request, "pcm_type": "FLOAT", "clip": "none"})
        assert worker.expect("done", "error")["gain"] == 1.0
