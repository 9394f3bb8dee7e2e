"""Real jobs of dsu-audiosep over the real process: loading by files and by name, texts, files, cancelling, offline."""

import json
import shutil
import socket
import subprocess
import threading
from contextlib import closing, contextmanager, suppress

import numpy as np
import pytest
import soundfile
from jsonschema import Draft202012Validator
from worker_process import TIMEOUT_S, WorkerProcess, clean_environment, job_lines, statuses, worker_command

from tools.fixtures.audiosep import write_audiosep
from workers import WORKERS

pytestmark = pytest.mark.e2e

RATE = 44100


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Tiny networks in the formats of the public ones."""
    return write_audiosep(tmp_path_factory.mktemp("audiosep"))


@pytest.fixture(scope="module")
def parts(files):
    """The files as requests name them."""
    return {
        "config_path": str(files.config),
        "checkpoint_path": str(files.checkpoint),
        "clap_checkpoint_path": str(files.clap_checkpoint),
        "roberta_dir": str(files.roberta_dir),
    }


@pytest.fixture(scope="module")
def start(worker_dir, tmp_path_factory):
    nowhere = tmp_path_factory.mktemp("models")

    def start_one(*flags, models=nowhere, **env):
        command = [*worker_command(WORKERS["audiosep"], worker_dir), "--worker", "--device", "cpu"]
        return WorkerProcess([*command, "--models-dir", str(models), *flags], env=env)

    return start_one


@pytest.fixture(scope="module")
def worker(start, parts):
    """One worker with a loaded model, for the tests that leave it as it was."""
    with start("--offline", "--max-cached-models", "3") as process:
        process.expect("ready")
        process.send({"cmd": "load_model", **parts})
        process.expect("model_loaded")
        yield process


@pytest.fixture
def song(songs, tmp_path):
    """`a.wav`, two seconds."""
    samples, rate = soundfile.read(songs / "short.wav", frames=2 * RATE)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    return tmp_path / "a.wav"


@pytest.fixture
def separate(song, tmp_path):
    """A request for the song; fields replace its own, and None takes one away."""

    def request(**fields):
        basis = {"cmd": "separate", "input": str(song), "output": str(tmp_path / "out" / "dog.wav"), "text": "a dog"}
        return {key: value for key, value in {**basis, **fields}.items() if value is not None}

    return request


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


# Loading --------------------------------------------------------------------------------------------------------------


def test_a_load_of_the_same_files_is_cached(start, parts):
    """`loading_model`, `model_loaded`, and the second time at once; older fields are known and change nothing."""
    with start("--offline") as worker:
        worker.expect("ready")
        request = {"cmd": "load_model", **parts, "device": "cpu", "mmap": True}
        older = {**request, "use_torch_stft": "auto", "auto_stft_seconds": 60}
        worker.send(request, older)
        first = job_lines(worker, "model_loaded", "error")
        assert statuses(first) == ["loading_model", "model_loaded"]
        assert (first[-1]["model"], first[-1]["cached"]) == ("audiosep", False)
        second = worker.expect("model_loaded", "error")
        assert second["cached"]
        assert second["elapsed"] < first[-1]["elapsed"]
        assert "warnings" not in second
        assert worker.ask(cmd="ping")["model_loaded"] == "audiosep"
        assert worker.ask(cmd="clear_cache")["models_cleared"] == 1


def test_each_missing_part_is_named(start, parts, tmp_path):
    """With the field that would name it, or the command that fetches it."""
    with start("--offline") as worker:
        worker.expect("ready")
        worker.send({"cmd": "load_model"})
        error = worker.expect("error", "model_loaded")
        assert error["code"] == "model_not_installed"
        for name in ("audiosep_base_4M_steps.ckpt", "music_speech_audioset_epoch_15_esc_89.98.pt", "vocab.json"):
            assert name in error["message"]
        for field in ("checkpoint_path", "clap_checkpoint_path", "roberta_dir", "config_path"):
            worker.send({"cmd": "load_model", **parts, field: str(tmp_path / "none")})
            error = worker.expect("error", "model_loaded")
            assert (error["code"], error["field"]) == (
                "config_invalid" if field == "config_path" else "model_not_installed",
                field,
            )


# Separating -----------------------------------------------------------------------------------------------------------


def test_a_text_goes_to_the_file_that_is_named(worker, separate, song, tmp_path):
    """`separating`, progress to 100, `done` with its path; stereo, the song's rate, the song's length."""
    worker.send(separate(id=1))
    lines = job_lines(worker, "done", "error")
    assert statuses(lines)[0] == "separating"
    assert lines[-2]["percent"] == 100
    done = lines[-1]
    assert done["files"] == [str(tmp_path / "out" / "dog.wav")]
    assert (done["stems"], done["model"], done["model_from_cache"], done["id"]) == (["a dog"], "audiosep", True, 1)
    assert soundfile.info(done["files"][0]).samplerate == RATE
    assert read(done["files"][0]).shape == read(song).shape


@pytest.mark.parametrize("use_chunk", [True, False, "auto"])
def test_chunks_do_not_change_the_result(worker, separate, tmp_path, use_chunk):
    """Whatever `use_chunk` says; this song is shorter than the windows of the published program."""
    worker.send(separate(pcm_type="FLOAT"))
    whole = read(worker.expect("done")["files"][0])
    worker.send(separate(output=str(tmp_path / "b.wav"), pcm_type="FLOAT", use_chunk=use_chunk, chunk_seconds=0.5))
    parts = read(worker.expect("done", "error")["files"][0])
    assert whole.std() > 0.001
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_several_texts_and_the_residual(worker, separate, song, tmp_path):
    """One file each, named after the text, which sum up to the song."""
    fields = {"text": None, "texts": ["drums", "a singing voice"], "residual": True, "pcm_type": "FLOAT"}
    worker.send(separate(output=None, output_dir=str(tmp_path / "out"), **fields))
    done = worker.expect("done", "error")
    assert [path.rpartition("a_")[2] for path in done["files"]] == [
        "(drums).wav",
        "(a singing voice).wav",
        "(residual).wav",
    ]
    np.testing.assert_allclose(sum(read(path) for path in done["files"]), read(song), atol=1e-5)


def test_many_files_and_batches(worker, separate, song, tmp_path):
    """`inputs` into a directory, and a batch in which one job listens to the residual of another."""
    shutil.copy(song, tmp_path / "b.wav")
    inputs = [str(song), str(tmp_path / "b.wav")]
    worker.send(separate(input=None, inputs=inputs, output=None, output_dir=str(tmp_path / "many")))
    assert worker.expect("done", "error")["succeeded"] == 2
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["a_(a dog).wav", "b_(a dog).wav"]
    first = separate(residual=True)
    second = separate(input={"from": 0, "stem": "residual"}, output=str(tmp_path / "rain.wav"), text="rain")
    worker.send({"cmd": "batch", "jobs": [first, second]})
    done = worker.expect("done", "error")
    assert statuses(done["results"]) == ["done", "done"], done
    assert (tmp_path / "rain.wav").is_file()


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_text_it_is_speech(worker, separate, tmp_path, nothing):
    """As with the worker that clients had before; the file that they name has it."""
    worker.send(separate(text=nothing, output=str(tmp_path / "said.wav")))
    assert worker.expect("done", "error")["stems"] == ["speech"]
    assert (tmp_path / "said.wav").is_file()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"text": " "}, "invalid_request"),
        ({"texts": ["a"]}, "invalid_request"),
        ({"output_dir": "x"}, "invalid_request"),
        ({"output": "out.xyz"}, "unsupported_format"),
        ({"name_template": "{stem}"}, "invalid_request"),
        ({"use_chunk": "sometimes"}, "invalid_request"),
        ({"stems": ["cat"]}, "invalid_request"),
        ({"input": "none.wav"}, "input_not_found"),
        ({"model": "audiosep_bass"}, "unknown_model"),
        ({"checkpoint_path": "none.ckpt"}, "model_not_installed"),
    ],
)
def test_bad_requests_get_one_clear_line_and_leave_nothing(worker, separate, tmp_path, change, code):
    """The right code, and the next command works."""
    worker.send({**separate(), **change, "id": "bad"})
    error = job_lines(worker, "error", "done")[-1]
    assert (error["status"], error.get("code")) == ("error", code), error
    assert "Traceback" not in json.dumps(error)
    assert not (tmp_path / "out").exists()
    assert worker.ask(cmd="ping")["status"] == "pong"


def test_cancelling_leaves_nothing(worker, separate, songs, tmp_path):
    """In the middle of a long song."""
    worker.send(separate(input=str(songs / "long.wav"), id="long", chunk_seconds=1, use_chunk=True))
    worker.expect("progress", id="long")
    worker.cancel()
    assert not (tmp_path / "out").exists()


def test_every_line_is_as_described(worker, separate, parts):
    """The schemas of `describe` hold."""
    description = worker.ask(cmd="describe")
    definitions = {"definitions": description["definitions"]}
    for request in (separate(), {"cmd": "load_model", **parts}, {"cmd": "preload_model", **parts}):
        Draft202012Validator({**description["commands"][request["cmd"]]["request"], **definitions}).validate(request)
        worker.send(request)
        *events, last = job_lines(worker, "done", "model_loaded", "model_preloaded", "error")
        Draft202012Validator({**description["commands"][request["cmd"]]["response"], **definitions}).validate(last)
        for event in events:
            Draft202012Validator({**description["events"][event["status"]], **definitions}).validate(event)


# Network --------------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_of_any_hub(start, parts, separate):
    """Loading and separating make no connection: a proxy hears nothing before something is to be downloaded."""
    with proxy() as (address, called):
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        env = {**dict.fromkeys(names, address), "NO_PROXY": "", "no_proxy": ""}
        with start(**env) as worker:
            worker.expect("ready")
            worker.send({"cmd": "load_model", **parts}, separate())
            assert worker.expect("done", "error")["status"] == "done"
            assert not called.is_set()
            worker.send({"cmd": "download_model", "model": "audiosep_base", "id": "fetch"})
            assert called.wait(TIMEOUT_S)
            worker.send({"cmd": "cancel", "id": "fetch"})
            worker.expect("cancelled", "error", id="fetch")


@contextmanager
def proxy():
    """The address of a proxy that hangs up, and an event that tells of a call."""
    called, over = threading.Event(), threading.Event()

    def answer():
        while not over.is_set():
            with suppress(TimeoutError):
                server.accept()[0].close()
                called.set()

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0.1)
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", called
        finally:
            over.set()
            thread.join()


# For people -----------------------------------------------------------------------------------------------------------


def test_the_command_line(worker_dir, parts, song, tmp_path):
    """Several texts and the residual into a directory."""
    options = [word for field, path in parts.items() for word in (f"--{field.replace('_', '-')}", path)]
    command = [*worker_command(WORKERS["audiosep"], worker_dir), *options, "-d", "cpu", str(song)]
    texts = ["--text", "drums", "--text", "a singing voice", "--residual", "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, *texts, "--print-paths"], capture_output=True, text=True, env=clean_environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    names = ["a_(drums).wav", "a_(a singing voice).wav", "a_(residual).wav"]
    assert done.stdout.splitlines() == [str(tmp_path / "out" / name) for name in names]
