"""The methods of `dsu jsonrpc`, over an engine without models."""

import json

import msgspec
import pytest
from scripted_engine import ScriptedEngine, details

from utils.commandline.jsonrpc import answer
from utils.commandline.provider import Provider
from utils.core.api import Readiness
from utils.core.job import Job
from utils.core.requests import AudioSeparatorSeparate, DemucsSeparate, NetworkSeparate
from utils.core.settings import Settings


def model(name, kind, **facts):
    return msgspec.structs.replace(details(name), type=kind, **facts)


KNOWN = [
    model("big", "bs_roformer", stems=["vocals"], installed=False, description="A large one."),
    model("dsu_mini", "mask_unet", stems=["drums", "vocals"], description=""),
    model("HQ.onnx", "mdx", stems=["Instrumental", "Vocals"]),
    model("htdemucs", "demucs", stems=["drums", "vocals"]),
    model("drums", "demucs", stems=["drums"]),
    model("restorer", "apollo", stems=["restored"]),
    model("audiosep_base", "audiosep", stems=["query"]),
]


class OnDevice(ScriptedEngine):
    """Starts on a device of the test's choice."""

    def __init__(self, device="cpu"):
        super().__init__()
        self.device = device

    def start(self):
        super().start()
        return Readiness(self.device, "fp32", 1, 2, "")


@pytest.fixture
def engine():
    return OnDevice()


@pytest.fixture
def provider(engine, tmp_path):
    return provider_of(engine, tmp_path)


def provider_of(engine, folder, *, job=None, **settings):
    return Provider(
        Settings(models_dir=folder, **settings), lambda _: engine, lambda models_dir, repo: KNOWN, job or Job()
    )


def call(provider, method, **params):
    line = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode()
    reply = json.loads(answer(line, provider.methods))
    return reply.get("result", reply.get("error"))


def test_the_list_has_the_models_with_vocals(provider, engine):
    """The default one first, with what is known of each; the engine is not needed for it."""
    models = call(provider, "get_available_models")
    assert list(models) == ["dsu_mini", "big", "HQ.onnx", "htdemucs"]
    assert (models["big"], models["dsu_mini"]) == ("big: A large one", "dsu_mini")
    call(provider, "get_version")
    assert not engine.started


@pytest.mark.parametrize(("device", "accelerated"), [("cpu", False), ("cuda:0", True), ("mps", True)])
def test_acceleration_is_that_of_the_device(tmp_path, device, accelerated):
    """Which the engine chooses."""
    assert call(provider_of(OnDevice(device), tmp_path), "is_gpu_accelerated") is accelerated


@pytest.mark.parametrize(
    ("name", "kind"), [("big", NetworkSeparate), ("htdemucs", DemucsSeparate), ("HQ.onnx", AudioSeparatorSeparate)]
)
def test_a_request_is_that_of_the_model_s_family(provider, engine, tmp_path, name, kind):
    """Vocals and the rest, named after the song, in the directory itself."""
    result = call(provider, "split", input_file="a/song.mp3", output_dir=str(tmp_path / "out"), model=name)
    assert result.keys() == {"output_vocals", "output_instrumental"}
    (asked,) = engine.requests
    assert type(asked) is kind
    assert (asked.input, asked.folder, asked.model) == ("a/song.mp3", str(tmp_path / "out"), name)
    assert (asked.two_stems, asked.name_template) == ("vocals", "{track}_{stem}")


def test_without_a_model_the_default_one_is_used(provider, engine, tmp_path):
    """It is the first of the list."""
    call(provider, "split", input_file="song.mp3", output_dir=str(tmp_path))
    assert engine.requests[0].model == "dsu_mini"


@pytest.mark.parametrize(("offline", "downloaded"), [(False, ["big"]), (True, [])])
def test_a_missing_model_is_downloaded(engine, tmp_path, offline, downloaded):
    """Unless the network must not be used."""
    provider = provider_of(engine, tmp_path, offline=offline)
    for name in ("big", "htdemucs"):
        call(provider, "split", input_file="song.mp3", output_dir=str(tmp_path), model=name)
    assert engine.downloaded == downloaded


def test_one_engine_serves_all_requests(provider, engine, tmp_path):
    """It is closed at the end, but only if it was needed."""
    provider.close()
    assert not engine.closed
    for _ in range(2):
        call(provider, "split", input_file="song.mp3", output_dir=str(tmp_path))
    provider.close()
    assert (len(engine.requests), engine.closed) == (2, True)


def test_nothing_is_split_after_the_end(engine, tmp_path):
    """Requests that still wait are errors."""
    job = Job()
    job.cancel()
    error = call(provider_of(engine, tmp_path, job=job), "split", input_file="song.mp3", output_dir=str(tmp_path))
    assert (error["code"], engine.started) == (-32000, False)


def test_exit_is_remembered(provider):
    """Whoever serves stops after it."""
    assert not provider.left
    assert call(provider, "exit") is None
    assert provider.left
