"""Finding, loading, caching and releasing networks, and errors in networks and requests."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from network_case import RATE, close, edit, member

from tools.fixtures.networks import write_network
from utils.core.errors import (
    CheckpointMismatch,
    ConfigInvalid,
    InvalidRequest,
    ModelNotInstalled,
    OutOfMemory,
    UnknownModel,
)
from utils.core.job import Job
from utils.core.replies import LoadingModel, Progress, Separating
from utils.core.requests import DemucsSeparate, DownloadModel, ListModels, NetworkLoad, NetworkMember, NetworkPreload
from utils.engine import engine as engine_module
from utils.engine.families.networks import network
from utils.store.records import FileRecord, ModelRecord
from utils.store.registry import Registry


def test_going_back_to_a_cached_network_costs_no_load(case, trio):
    """Using one network, another, and the first again reads only two."""
    song, events = case.song(0.5), []
    for net in (trio[0], trio[1], trio[0]):
        done, _ = case.run(net, song, job=Job(events.append))
    assert done.model_from_cache
    assert [event.model for event in events if isinstance(event, LoadingModel)] == ["one", "two"]


def test_load_preload_and_the_active_network(case, trio):
    """`load_model` makes a network the default for requests that name none; `preload_model` does not."""
    one, two, _ = [member(net) for net in trio]
    loaded = case.engine.load_model(NetworkLoad(**one), Job())
    assert (loaded.model, loaded.stems, loaded.cached) == ("one", ["vocals", "other"], False)
    preloaded = case.engine.preload_model(NetworkPreload(**two), Job())
    assert (preloaded.model, preloaded.already_cached, preloaded.cached_count) == ("two", False, 2)
    assert case.engine.load_model(NetworkLoad(**one), Job()).cached
    assert case.engine.ping().model_loaded == "one"
    done, _ = case.run(song=case.song(0.5))
    assert (done.model, done.model_from_cache) == ("one", True)


def test_without_a_loaded_network_the_built_in_one_is_used(case):
    """The reply names it and says how to get a better one; a loaded network takes precedence."""
    job, next_job = Job(), Job()
    done, _ = case.run(song=case.song(0.5), job=job)
    assert (done.model, done.stems) == ("dsu_mini", ["drums", "bass", "other", "vocals"])
    (warning,) = job.warnings
    assert "dsu_mini" in warning
    assert "list_models" in warning
    again, _ = case.run(song=case.song(0.5), job=next_job)
    assert (again.model, next_job.warnings) == ("dsu_mini", [])
    assert case.engine.load_model(NetworkLoad(), Job()).cached


def test_a_file_that_was_replaced_is_read_again(case, tmp_path, files):
    """The same path with different weights is a different network."""
    song = case.song(0.5)
    _, before = case.run(files, song)
    other = write_network(tmp_path / "other", "mdx23c", seed=9)
    shutil.copy(other.checkpoint, files.checkpoint)
    done, after = case.run(files, song)
    assert not done.model_from_cache
    assert not np.allclose(before["vocals"], after["vocals"], atol=1e-3)


def test_networks_in_the_models_directory_have_names(case, tmp_path, files):
    """A checkpoint with a configuration of the same name is listed and usable by name; one without is not."""
    folder = tmp_path / "models" / "bsroformer"
    folder.mkdir(parents=True)
    shutil.copy(files.checkpoint, folder / "mine.ckpt")
    shutil.copy(files.config, folder / "mine.yaml")
    shutil.copy(files.checkpoint, folder / "alone.ckpt")
    listed = case.engine.list_models(ListModels(details=True))
    assert listed.models[-1] == "mine"
    assert "alone" not in listed.models
    details = listed.details[-1]
    assert (details.type, details.stems, details.installed) == ("mdx23c", ["vocals", "other"], True)
    song = case.song(0.5)
    done, by_name = case.run(song=song, model="mine")
    assert done.model == "mine"
    close(by_name, case.run(files, song)[1], atol=0)
    assert case.engine.list_models(ListModels(model="mine")).models == ["mine"]


def test_models_are_chosen_by_what_they_are_for(case):
    """The filters of `list_models` work on names and on details alike; the recommended ones say so."""
    listed = case.engine.list_models(ListModels(details=True, purpose="vocals", commercial_use=True, speed="medium"))
    assert listed.models == [one.name for one in listed.details]
    assert "vocals_bs_anvuew" in listed.models
    assert "becruily_deux" not in listed.models
    assert all("vocals" in one.purposes and one.commercial_use and one.speed != "slow" for one in listed.details)
    (deux,) = case.engine.list_models(ListModels(details=True, model="becruily_deux")).details
    assert deux.recommended == {"vocals": "best", "instrumental": "best"}
    assert case.engine.list_models(ListModels(installed=True)).models == ["dsu_mini"]


def test_a_broken_configuration_in_the_models_directory_is_listed_with_its_problem(case, tmp_path, files):
    """The list still works, and describes the problem."""
    folder = tmp_path / "models" / "bsroformer"
    folder.mkdir(parents=True)
    shutil.copy(files.checkpoint, folder / "mine.ckpt")
    (folder / "mine.yaml").write_text("audio: [")
    details = case.engine.list_models(ListModels(details=True)).details[-1]
    assert (details.name, details.type, details.stems) == ("mine", "unknown", [])
    assert "mine.yaml" in details.description


def test_names_that_are_not_there(case):
    """Unknown names get suggestions; a public model that is not installed comes with instructions."""
    with pytest.raises(UnknownModel) as caught:
        case.run(model="vocal_melband")
    assert "vocals_melband" in caught.value.suggestions
    with pytest.raises(UnknownModel):
        case.engine.list_models(ListModels(model="vocal_melband"))
    with pytest.raises(ModelNotInstalled) as caught:
        case.run(model="vocals_melband")
    assert "download_model" in caught.value.hint


def test_events_come_in_order(case, files):
    """`loading_model`, `separating`, then progress up to 100."""
    events = []
    case.run(files, job=Job(events.append))
    kinds = [type(event) for event in events]
    assert kinds[:2] == [LoadingModel, Separating]
    assert set(kinds[2:]) == {Progress}
    assert events[-1].percent == 100


def test_a_public_network_is_downloaded_into_its_folder(case, monkeypatch):
    """The file goes into the folder of its record, the reply has path, size and hash, and the model is installed."""
    file = FileRecord(name="net.ckpt", urls=("https://example.org/net.ckpt",), size_bytes=5, sha256="0" * 64)
    fields = {"worker": "bsroformer", "type": "mdx23c", "folder": "bsroformer", "stems": ("vocals",)}
    record = ModelRecord(name="net", description="", files=(file,), config="mdx23c/vocals_mdx23c.yaml", **fields)
    case.engine.host.registry = Registry([record], {})
    fetched = []

    def fetch(files, *, folder, **options):
        fetched.append((list(files), options["offline"]))
        folder.mkdir(parents=True)
        (folder / files[0].name).write_bytes(b"12345")

    monkeypatch.setattr(engine_module, "download_files", fetch)
    reply = case.engine.download_model(DownloadModel(model="net"), Job())
    path = case.folder / "models" / "bsroformer" / "net.ckpt"
    assert (reply.path, reply.size_bytes, reply.sha256) == (str(path), 5, "0" * 64)
    assert fetched == [([file], False)]
    assert case.engine.list_models(ListModels(details=True, model="net")).details[0].installed
    with pytest.raises(UnknownModel):
        case.engine.download_model(DownloadModel(model="nett"), Job())


def test_a_public_network_is_downloaded_with_its_configuration(case, tmp_path, monkeypatch):
    """Both files arrive, and the network is used by name, with the names of its configuration; other names work as well."""
    published = write_network(tmp_path / "published", "scnet", name="a net", stems=["Piano", "Rest"])
    urls = [f"https://example.org/{name}" for name in ("a%20net.ckpt", "config.yaml")]
    files = (
        FileRecord(name="net.ckpt", urls=(urls[0],), size_bytes=published.checkpoint.stat().st_size),
        FileRecord(name="net.yaml", urls=(urls[1],)),
    )
    fields = {"worker": "bsroformer", "type": "scnet", "folder": "bsroformer", "stems": ("piano", "rest")}
    record = ModelRecord(name="net", description="", files=files, also=("elsewhere",), **fields)
    case.engine.host.registry = Registry([record], {})

    def fetch(files, *, folder, **options):
        folder.mkdir(parents=True)
        for file, path in zip(files, published, strict=True):
            shutil.copy(path, folder / file.name)

    monkeypatch.setattr(engine_module, "download_files", fetch)
    reply = case.engine.download_model(DownloadModel(model="elsewhere"), Job())
    assert [Path(path).name for path in reply.files] == ["net.ckpt", "net.yaml"]
    done, stems = case.run(model="a net.ckpt")
    assert (done.model, list(stems)) == ("net", ["Piano", "Rest"])
    close(stems, case.run(published)[1], atol=0)


# What can be wrong --------------------------------------------------------------------------------------------------


def test_a_configuration_of_another_network_is_a_mismatch(case, tmp_path):
    """The error names keys and shapes; nothing is guessed."""
    right = write_network(tmp_path, "mel_band_roformer", name="right")
    wrong = write_network(tmp_path, "mel_band_roformer", name="wrong", changes={"dim": 12, "depth": 3})
    with pytest.raises(CheckpointMismatch) as caught:
        case.run(right, config_path=str(wrong.config))
    assert "missing keys `layers.2." in caught.value.message
    assert "[8,8], the network needs [12,12]" in caught.value.message or "network needs" in caught.value.message


def test_a_configuration_that_describes_no_network(case, files):
    """The error names the key and the problem."""
    edit(files.config, "model", num_scales="many")
    with pytest.raises(ConfigInvalid, match=r"mdx23c\.yaml.*num_scales"):
        case.run(files)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("mel_band_roformer", {"depth": 100_000}),
        ("mel_band_roformer", {"dim": 1_000_000_000}),
        ("mel_band_roformer", {"dim": 1_000_000}),
        ("mel_band_roformer", {"num_bands": 1_000_000}),
        ("mdx23c", {"num_scales": 1_000_000}),
    ],
)
def test_a_configuration_of_a_network_that_no_checkpoint_holds(case, tmp_path, kind, values):
    """Nothing of that size is built: the error comes first."""
    net = write_network(tmp_path, kind)
    text = net.config.read_text()
    for key, value in values.items():
        text = re.sub(rf"^  {key}: .*$", f"  {key}: {value}", text, flags=re.MULTILINE)
    assert text != net.config.read_text()
    net.config.write_text(text)
    with pytest.raises(ConfigInvalid, match=r"\.yaml"):
        case.run(net)


def test_a_sample_rate_beyond_all(case, files):
    """The error names the key and the limit."""
    edit(files.config, "audio", sample_rate=1_000_000_000)
    with pytest.raises(ConfigInvalid, match=r"audio\.sample_rate.*768000"):
        case.run(files)


def test_more_names_than_outputs(case, tmp_path):
    """A network with two outputs cannot have three stems."""
    net = write_network(tmp_path, "scnet")
    edit(net.config, "training", instruments=["a", "b", "c"])
    with pytest.raises(ConfigInvalid, match=r"2 outputs.*names 3: a, b, c"):
        case.run(net)


@pytest.mark.parametrize("value", [0, -5, "long", 1.5, True, None])
def test_an_invalid_chunk_size(case, files, value):
    """The error names the key and its value."""
    edit(files.config, "audio", chunk_size=value)
    with pytest.raises(ConfigInvalid, match=r"audio\.chunk_size"):
        case.run(files)


def test_a_request_of_another_worker(case):
    """The engine accepts only requests that it supports."""
    with pytest.raises(InvalidRequest):
        case.engine.separate(DemucsSeparate(input=str(case.song()), output=str(case.folder)), Job())


def test_where_memory_runs_out_chunks_get_shorter(case, tmp_path, monkeypatch):
    """Chunks are halved until they fit; the reply warns and reports the settings that were used."""
    net = write_network(tmp_path, "mdx23c", chunk_seconds=4.0)
    limit_memory(monkeypatch, most=1.5 * RATE)
    job = Job()
    done, stems = case.run(net, case.song(3.0), job=job)
    assert done.settings["chunk_seconds"] == 1.0
    assert any("half as long" in warning for warning in job.warnings)
    assert stems["vocals"].shape == (2, 3 * RATE)


def test_where_memory_runs_out_an_ensemble_shortens_its_longest_chunks(case, tmp_path, monkeypatch):
    """The member with the shorter chunks keeps them, also where halving the others' would still be longer."""
    short, long = [
        NetworkMember(**member(write_network(tmp_path, "mdx23c", name=name, chunk_seconds=seconds)))
        for name, seconds in (("short", 0.5), ("long", 4.0))
    ]
    lengths = limit_memory(monkeypatch, most=2.5 * RATE)
    done, _ = case.run(song=case.song(3.0), ensemble=[short, long])
    assert done.settings["chunk_seconds"] == 2.0
    assert {round(length / RATE, 1) for length in lengths} == {0.5, 2.0}


def test_a_cache_that_is_cleared_during_a_job_stays_empty(case, tmp_path, monkeypatch):
    """Also where memory runs out afterwards, so that the job starts again with the network that it has."""
    net = write_network(tmp_path, "mdx23c", chunk_seconds=4.0)
    limit_memory(monkeypatch, most=2.5 * RATE, meanwhile=case.engine.clear_cache)
    job = Job()
    case.run(net, case.song(3.0), job=job)
    assert any("half as long" in warning for warning in job.warnings)
    assert case.engine.list_cached().models == []


def test_where_memory_never_suffices_it_is_an_error(case, files, monkeypatch):
    """The job fails and leaves no files."""
    limit_memory(monkeypatch, most=1000)
    with pytest.raises(OutOfMemory):
        case.run(files)
    assert not (case.folder / "out").exists()


def limit_memory(monkeypatch, most, meanwhile=lambda: None):
    """Make networks run out of memory above this many samples, and do something else meanwhile.

    Returns the lengths of the chunks that fit.
    """
    real, lengths = network.NetworkView.__call__, []

    def call(self, mix):
        if mix.shape[0] * mix.shape[-1] > most:
            meanwhile()
            raise torch.OutOfMemoryError("CUDA out of memory (in a test)")
        lengths.append(mix.shape[-1])
        return real(self, mix)

    monkeypatch.setattr(network.NetworkView, "__call__", call)
    return lengths
