"""Real jobs of dsu-denoise over the real process, the command in dsu, and the program for people."""

import subprocess

import numpy as np
import pytest
import soundfile
from jsonschema import Draft202012Validator
from plain_denoise import agreement_db, denoised, drums, hiss
from worker_process import clean_environment, job_lines, start_worker, statuses, worker_command

from workers import WORKERS

pytestmark = pytest.mark.e2e

RATE = 44100
AGREEMENT_DB = 90.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`song.wav` and `hiss.wav`, and a song that no test lets run to its end."""
    folder = tmp_path_factory.mktemp("songs")
    soundfile.write(folder / "song.wav", drums(RATE, 2.0), RATE, subtype="FLOAT")
    soundfile.write(folder / "hiss.wav", hiss(RATE, 1.0), RATE, subtype="FLOAT")
    soundfile.write(folder / "long.wav", np.tile(drums(RATE, 10.0, channels=2), (180, 1)), RATE)
    return folder


@pytest.fixture(scope="module")
def files(folder):
    return {"input": str(folder / "song.wav"), "noise_profile": str(folder / "hiss.wav")}


@pytest.fixture(scope="module", params=["denoise", "dsu"])
def worker(request, worker_dir, tmp_path_factory):
    """A worker that is ready."""
    with start_worker(request.param, worker_dir, tmp_path_factory.mktemp("models")) as process:
        process.expect("ready")
        yield process


def expected(folder):
    song, noise = (soundfile.read(folder / name, dtype="float32")[0] for name in ("song.wav", "hiss.wav"))
    return denoised(song, noise, RATE)


def test_a_song_is_denoised(worker, files, folder, tmp_path):
    """`denoising`, then `done` with the file; all lines are as `describe` says."""
    result = tmp_path / "clean.wav"
    worker.send({"cmd": "denoise", "id": 1, **files, "output": str(result), "pcm_type": "FLOAT", "clip": "none"})
    lines = job_lines(worker, "done", "error")
    assert {"denoising", "progress", "done"} <= set(statuses(lines))
    assert (lines[-1]["files"], lines[-1]["id"], lines[-1]["model"]) == ([str(result)], 1, "envelope_matched")
    assert agreement_db(soundfile.read(result)[0], expected(folder)) > AGREEMENT_DB
    description = worker.ask(cmd="describe")
    command = description["commands"]["denoise"]
    schema = {**command["response"], "definitions": description["definitions"]}
    Draft202012Validator(schema).validate(lines[-1])


def test_many_songs_and_one_that_is_broken(worker, files, folder, tmp_path):
    """Each has a line of its own, and the others go on."""
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    songs = [files["input"], str(tmp_path / "broken.wav")]
    out = tmp_path / "out"
    worker.send({"cmd": "denoise", "inputs": songs, "noise_path": files["noise_profile"], "output_dir": str(out)})
    lines = job_lines(worker, "done", "error")
    assert [line["ok"] for line in lines if line["status"] == "file_done"] == [True, False]
    assert (lines[-1]["succeeded"], lines[-1]["failed"]) == (1, 1)
    assert [path.name for path in out.iterdir()] == ["song_denoised.wav"]


def test_it_can_be_part_of_a_batch(worker, files, tmp_path):
    """A job may take what an earlier one has made."""
    first = {"cmd": "denoise", **files, "output_dir": str(tmp_path)}
    second = {**first, "input": {"from": 0, "stem": "denoised"}, "mode": "drums"}
    worker.send({"cmd": "batch", "jobs": [first, second]})
    done = job_lines(worker, "done", "error")[-1]
    assert [result["status"] for result in done["results"]] == ["done", "done"]
    assert (tmp_path / "song_denoised_denoised.wav").is_file()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"noise_profile": None}, "noise_profile"),
        ({"noise_profile": "nowhere.wav"}, "noise_profile"),
        ({"mode": "fast"}, "mode"),
        ({"input": None}, "input"),
        ({"subtraction_factor": -1}, "subtraction_factor"),
        ({"output": "song.xyz"}, "output"),
    ],
)
def test_a_wrong_request_is_one_error(worker, files, fields, field):
    """It names the field."""
    worker.send({"cmd": "denoise", **files, **fields})
    error = job_lines(worker, "done", "error")[-1]
    assert (error["status"], error["field"]) == ("error", field)


def test_a_job_is_cancelled(worker, files, folder, tmp_path):
    """Within the song, and nothing is left."""
    job = {**files, "input": str(folder / "long.wav"), "output": str(tmp_path / "out.wav")}
    worker.send({"cmd": "denoise", "id": "long", **job})
    worker.expect("progress", stage="survey")
    assert worker.cancel(id="long")["cancelled"]["id"] == "long"
    assert list(tmp_path.iterdir()) == []


def test_there_is_one_method(worker_dir, tmp_path):
    """`load_model` is accepted, also without a name."""
    with start_worker("denoise", worker_dir, tmp_path) as worker:
        worker.expect("ready")
        assert worker.ask(cmd="list_models")["models"] == ["envelope_matched"]
        worker.send({"cmd": "load_model"})
        assert worker.expect("model_loaded")["model"] == "envelope_matched"
        worker.send({"cmd": "exit"})
        assert worker.rest()[-1] == {"status": "exiting"}


@pytest.mark.parametrize("words", [[], ["--drums"], ["--slow"]])
def test_people_denoise_a_song(worker_dir, files, folder, tmp_path, words):
    """A song, the noise and the result, in this order."""
    command = [*worker_command(WORKERS["denoise"], worker_dir), files["input"], files["noise_profile"]]
    done = subprocess.run(
        [*command, str(tmp_path / "clean.wav"), "--float32", "--print-paths", *words],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'clean.wav'}\n"), done.stderr
    same = agreement_db(soundfile.read(tmp_path / "clean.wav")[0], expected(folder)) > AGREEMENT_DB
    assert same == (words == [])
