"""Real jobs of dsu-bsroformer over the real process: every kind of network from files in the forms of public ones."""

import json
import shutil
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from jsonschema import Draft202012Validator
from worker_process import clean_environment, job_lines, start_worker, statuses, worker_command

from tools.fixtures.networks import write_network
from tools.fixtures.song import song
from workers import WORKERS

pytestmark = pytest.mark.e2e

RATE = 44100
# Each kind once, and each form of a checkpoint once.
NETWORKS = {
    "bs_roformer": {"form": "lightning"},
    "mel_band_roformer": {"form": "half"},
    "scnet": {"form": "state_dict", "stems": ["drums", "bass", "other", "vocals"]},
    "mdx23c": {"form": "safetensors"},
    "apollo": {"form": "legacy"},
    "bandit": {},
    "htdemucs": {},
    "bandit_v2": {},
    "scnet_masked": {},
    "scnet_tran": {},
    "scnet_unofficial": {},
    "mask_unet": {},
    "bs_roformer_hyperace": {},
    "bs_roformer_hyperace_v1": {},
    "bs_polarformer": {},
    "bs_roformer_fno": {},
    "bs_roformer_axial": {},
    "bs_conformer": {},
    "mel_band_conformer": {},
    "demucs_v2": {"form": "with_class"},
    "tasnet": {},
    "vocals_only": {"kind": "mel_band_roformer", "stems": ["vocals", "other"], "target": "vocals"},
}


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    """The files of small networks by name, lying in a models directory, so that their names can be used too."""
    folder = tmp_path_factory.mktemp("models") / "bsroformer"
    return {
        name: write_network(folder, **{"kind": name, "name": f"my_{name}", **options})
        for name, options in NETWORKS.items()
    }


@pytest.fixture(scope="module")
def start(worker_dir, nets):
    """Start a worker on the CPU with that models directory."""
    return partial(start_worker, "bsroformer", worker_dir, nets["scnet"].checkpoint.parents[1])


@pytest.fixture(scope="module")
def worker(start):
    """One worker for the tests that leave it as it was."""
    with start() as process:
        process.expect("ready")
        yield process


@pytest.fixture
def separate(songs, tmp_path):
    """A request for the short song; fields replace its own."""

    def request(net=None, **fields):
        files = {} if net is None else {"model_path": str(net.checkpoint), "config_path": str(net.config)}
        basis = {"cmd": "separate", "input": str(songs / "short.wav"), "output": str(tmp_path / "out")}
        return {**basis, **files, **fields}

    return request


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_each_kind_from_its_files(worker, separate, nets, tmp_path, name):
    """Loaded, separated, written as OUT/TRACK/STEM.wav; what `done` says is there and is not silent."""
    kind = NETWORKS[name].get("kind", name)
    worker.send(separate(nets[name], model_type=kind, id=name))
    lines = job_lines(worker, "done", "error")
    assert statuses(lines)[:2] == ["loading_model", "separating"]
    done = lines[-1]
    assert done["status"] == "done", done
    assert done["output_dir"] == str(tmp_path / "out" / "short")
    assert done["files"] == [f"{stem}.wav" for stem in done["stems"]]
    assert len(done["stems"]) == {"scnet": 4, "apollo": 1, "vocals_only": 1}.get(name, 2)
    for path in done["paths"].values():
        samples = read(path)
        assert samples.shape == (4 * RATE, 2)
        assert samples.std() > 0.01


@pytest.mark.parametrize(
    ("name", "seconds", "channels", "rate"),
    [
        ("bs_roformer", 0.3, 2, RATE),
        ("mel_band_roformer", 1.0, 2, RATE),  # exactly one chunk
        ("scnet", 1.23457, 1, RATE),
        ("mdx23c", 1.5, 2, 48000),
        ("apollo", 1.1, 6, RATE),
    ],
)
def test_songs_of_any_length_and_kind(worker, separate, nets, tmp_path, name, seconds, channels, rate):
    """Short, exactly a chunk, odd, mono, 48 kHz, six channels: as many samples as the song lasts."""
    path = tmp_path / "odd.wav"
    frames = round(seconds * rate)
    noise = np.random.default_rng(0).standard_normal((frames, channels))
    soundfile.write(path, 0.1 * noise, rate)
    worker.send(separate(nets[name], input=str(path)))
    done = worker.expect("done", "error")
    assert done["status"] == "done", done
    for stem in done["paths"].values():
        samples = read(stem)
        assert samples.shape == (round(seconds * RATE) if rate == RATE else round(frames * RATE / rate), 2)
        assert np.isfinite(samples).all()
        assert samples.std() > 0.001


def test_a_request_word_for_word_as_the_documents_have_it(worker, separate, nets, tmp_path):
    """`model_path`, `config_path`, `output_dir`, `extract_instrumental`: vocals, and the mix without them."""
    net = nets["vocals_only"]
    request = {
        "cmd": "separate",
        "input": separate()["input"],
        "output_dir": str(tmp_path / "stems"),
        "model_path": str(net.checkpoint),
        "config_path": str(net.config),
        "extract_instrumental": True,
    }
    worker.send(request)
    done = worker.expect("done", "error")
    assert done["stems"] == ["vocals", "instrumental"]
    assert done["warnings"] == []
    mix = read(request["input"]) * done["gain"]
    total = read(done["paths"]["vocals"]) + read(done["paths"]["instrumental"])
    np.testing.assert_allclose(total, mix, atol=2 / 2**15)


def test_switching_between_networks_costs_no_second_load(start, separate, nets):
    """Cold, cached, another one, and back: only the first use of each loads."""
    with start() as worker:
        for name, loads in (("mdx23c", True), ("mdx23c", False), ("scnet", True), ("mdx23c", False)):
            worker.send(separate(nets[name], stems=["other"]))
            lines = job_lines(worker, "done", "error")
            assert ("loading_model" in statuses(lines)) == loads
            assert lines[-1]["model_from_cache"] != loads


def test_the_cache_as_clients_command_it(start, nets):
    """Load, preload, list, shrink, clear."""
    one, two = ({"model_path": str(n.checkpoint), "config_path": str(n.config)} for n in list(nets.values())[2:4])
    with start() as worker:
        worker.send({"cmd": "load_model", **one})
        assert statuses([worker.expect("loading_model"), worker.read()]) == ["loading_model", "model_loaded"]
        worker.send({"cmd": "preload_model", **two})
        preloaded = worker.expect("model_preloaded", "error")
        assert (preloaded["already_cached"], preloaded["cached_count"]) == (False, 2)
        worker.send({"cmd": "load_model", **one})
        assert worker.expect("model_loaded")["cached"]
        cached = worker.ask(cmd="list_cached")
        assert (cached["count"], [entry["active"] for entry in cached["models"]]) == (2, [False, True])
        assert worker.ask(cmd="set_cache_size", n=1)["max_cached_models"] == 1
        assert worker.ask(cmd="list_cached")["count"] == 1
        assert worker.ask(cmd="set_storage_type", type="hdd")["mmap_enabled"] is False
        assert worker.ask(cmd="clear_cache")["models_cleared"] == 1
        worker.send({"cmd": "load_model", "model": "my_scnet"})
        loaded = worker.expect("model_loaded", "error")
        assert (loaded["model"], loaded["cached"]) == ("my_scnet", False)


def test_an_ensemble_of_names_and_files(worker, separate, nets):
    """Blended over the spectrum, echoed in the settings; every line is what `describe` says."""
    members = [
        "my_bs_roformer",
        {"model_path": str(nets["mdx23c"].checkpoint), "config_path": str(nets["mdx23c"].config)},
    ]
    description = worker.ask(cmd="describe")
    worker.send(separate(ensemble=members, ensemble_type="max_fft", quality="balanced"))
    *events, done = job_lines(worker, "done", "error")
    assert done["model"] == "my_bs_roformer+my_mdx23c"
    assert done["stems"] == ["vocals", "other"]
    assert (done["settings"]["quality"], done["settings"]["overlap"]) == ("balanced", 2)
    assert done["settings"]["ensemble_type"] == "max_fft"
    definitions = {"definitions": description["definitions"]}
    Draft202012Validator({**description["commands"]["separate"]["response"], **definitions}).validate(done)
    for event in events:
        Draft202012Validator({**description["events"][event["status"]], **definitions}).validate(event)


def test_many_files_and_a_batch(worker, separate, nets, songs, tmp_path):
    """`inputs` writes a folder for each song; a batch hands a stem on to the next job."""
    shutil.copy(songs / "short.wav", tmp_path / "second.wav")
    worker.send(separate(nets["mdx23c"], input=None, inputs=[str(songs / "short.wav"), str(tmp_path / "second.wav")]))
    done = worker.expect("done", "error")
    assert done["succeeded"] == 2
    assert (tmp_path / "out" / "second" / "vocals.wav").is_file()
    first = separate(nets["mdx23c"], output=str(tmp_path / "one"))
    then = separate(nets["apollo"], input={"from": 0, "stem": "vocals"}, output=str(tmp_path / "two"))
    worker.send({"cmd": "batch", "jobs": [first, then]})
    done = worker.expect("done", "error")
    assert statuses(done["results"]) == ["done", "done"]
    assert (tmp_path / "two" / "vocals" / "restored.wav").is_file()


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"config_path": "scnet"}, "checkpoint_mismatch", "missing"),
        ({"config_path": "scnet", "model_type": "mdx23c"}, "config_invalid", "model"),
        ({"config_path": "missing.yaml"}, "config_invalid", "missing.yaml"),
        ({"model_path": "missing.ckpt"}, "model_not_installed", "missing.ckpt"),
        ({"model_type": "transformer"}, "invalid_request", "transformer"),
        ({"config_path": None}, "invalid_request", "config_path"),
        ({"model": "my_scnet"}, "invalid_request", "model"),
        ({"stems": ["drums"]}, "invalid_request", "drums"),
        ({"overlap": 0}, "invalid_request", "overlap"),
        ({"overlap": 0.25}, "invalid_request", "overlap"),
        ({"ensemble": ["my_scnet", "my_mdx23c"]}, "invalid_request", "ensemble"),
        ({"quality": "good"}, "invalid_request", "quality"),
    ],
)
def test_bad_requests_get_one_clear_line_and_leave_nothing(worker, separate, nets, tmp_path, change, code, words):
    """The right code, the thing by its name, and the next command works."""
    request = separate(nets["mdx23c"])
    change = {key: str(nets[value].config) if value == "scnet" else value for key, value in change.items()}
    worker.send({**request, **change, "id": "bad"})
    error = job_lines(worker, "error", "done")[-1]
    assert (error["status"], error.get("code")) == ("error", code), error
    assert words in error["message"] + error.get("field", "")
    assert "Traceback" not in json.dumps(error)
    assert not (tmp_path / "out").exists()
    assert worker.ask(cmd="ping")["status"] == "pong"


def test_a_configuration_that_would_run_code_is_refused(worker, separate, nets, tmp_path):
    """The tag is named, and nothing is run."""
    target = tmp_path / "made"
    config = tmp_path / "attack.yaml"
    config.write_text(
        nets["mdx23c"].config.read_text() + f"\nextra: !!python/object/apply:os.mkdir ['{target.as_posix()}']\n"
    )
    worker.send(separate(nets["mdx23c"], config_path=str(config)))
    error = worker.expect("error", "done")
    assert error["code"] == "config_invalid"
    assert "python/object/apply" in error["message"]
    assert not target.exists()


def test_cancelling_leaves_nothing(worker, separate, nets, songs, tmp_path):
    """In the middle of a long song."""
    worker.send(separate(nets["bs_roformer"], input=str(songs / "long.wav"), id="long"))
    worker.expect("progress", id="long")
    worker.cancel()
    assert not (tmp_path / "out").exists()


def test_public_models_are_listed_and_say_how_to_get_them(worker):
    """The 29 names come first; details tell type, stems, size and licence; one can be asked for alone."""
    listed = worker.ask(cmd="list_models", details=True)
    assert listed["models"][:2] == ["scnet_xl_ihf", "bsroformer_4stem"]
    assert set(NETWORKS) <= {name.removeprefix("my_") for name in listed["models"]}
    by_name = {entry["name"]: entry for entry in listed["details"]}
    assert by_name["vocals_melband"]["type"] == "mel_band_roformer"
    assert by_name["vocals_melband"]["stems"] == ["vocals"]
    assert not by_name["vocals_melband"]["installed"]
    assert by_name["my_scnet"]["installed"]
    assert worker.ask(cmd="list_models", model="vocals_melband")["models"] == ["vocals_melband"]
    worker.send({"cmd": "download_model", "model": "vocals_melband"})
    assert worker.expect("error", "model_downloaded")["code"] == "download_failed"  # the worker is offline


def test_the_command_line(worker_dir, nets, tmp_path):
    """As people type it: a model by its name, stems where they were asked for, nothing on stdout but paths."""
    source = tmp_path / "song.wav"
    soundfile.write(source, song(2.0), RATE)
    words = ["--model", "my_mdx23c", str(source), "-o", str(tmp_path / "out"), "--print-paths", "-d", "cpu"]
    done = subprocess.run(
        [*worker_command(WORKERS["bsroformer"], worker_dir), *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=clean_environment({"DSU_MODELS": str(nets["scnet"].checkpoint.parents[1])}),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "song"
    assert [Path(line) for line in done.stdout.splitlines()] == [folder / "vocals.wav", folder / "other.wav"]
    assert all(path.is_file() for path in folder.iterdir())
