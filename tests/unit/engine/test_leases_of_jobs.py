"""Jobs on a fake GPU: the models of a job stay on the GPU until it ends, however small the cache is."""

from pathlib import Path

import pytest
import torch
from demucs_case import write_song
from network_case import member

from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.demucs import make_repo
from tools.fixtures.networks import write_network
from utils.core.errors import OutOfMemory
from utils.core.job import Job
from utils.core.requests import (
    Apollo,
    AudioSeparatorLoad,
    AudioSeparatorSeparate,
    DemucsPreload,
    DemucsSeparate,
    NetworkMember,
    NetworkPreload,
    NetworkSeparate,
)
from utils.core.settings import Settings
from utils.engine.backends.onnx import OnnxBackend
from utils.engine.backends.torch import TorchBackend
from utils.engine.cache import ModelCache
from utils.engine.programs import make_engine

pytestmark = pytest.mark.slow

CARD = "cpu:0"  # torch computes there as on the CPU, and the engine takes it for another device
PLENTY = 10**12


@pytest.fixture
def networks(tmp_path):
    """Three networks with the same stems."""
    return [write_network(tmp_path / "nets", "mdx23c", name=name, seed=seed) for seed, name in enumerate("abc")]


@pytest.fixture
def ran(monkeypatch):
    """The devices that networks were on when they ran, which are those they were last moved to."""
    ran, places = [], {}

    def watch(backend):
        move, call = backend.move, backend.__call__

        def moved(self, device):
            places[id(self)] = device
            move(self, device)

        def called(self, *inputs, **options):
            ran.append(places[id(self)])
            return call(self, *inputs, **options)

        monkeypatch.setattr(backend, "move", moved)
        monkeypatch.setattr(backend, "__call__", called)

    watch(TorchBackend)
    opened = OnnxBackend.__init__

    def opening(self, *args, device, **options):
        places[id(self)] = device
        opened(self, *args, device=device, **options)

    monkeypatch.setattr(OnnxBackend, "__init__", opening)
    watch(OnnxBackend)
    return ran


@pytest.fixture
def engine_of(tmp_path):
    """The engine of dsu on the fake GPU, with a cache for this many models."""

    def make(max_models):
        engine = make_engine("dsu", Settings(models_dir=tmp_path / "models", device="cpu", threads=1))
        engine.start()
        engine.host.device = CARD
        engine.cache = ModelCache(max_models, PLENTY, device=CARD, max_parked_bytes=PLENTY)
        return engine

    return make


@pytest.fixture
def song(tmp_path):
    write_song(tmp_path / "song.wav", 1.2)
    return {"input": str(tmp_path / "song.wav"), "output": str(tmp_path / "out")}


def samples(done):
    return {name: Path(path).read_bytes() for name, path in done.paths.items()}


@pytest.mark.parametrize("max_models", [0, 1, 2])
def test_an_ensemble_larger_than_the_cache_stays_on_the_card(engine_of, networks, song, ran, max_models):
    """All members are on the GPU in every job; in between, excess models are in host memory."""
    request = NetworkSeparate(
        **song, ensemble=[NetworkMember(**member(files)) for files in networks], ensemble_type="median_wave"
    )
    expected = samples(engine_of(3).separate(request, Job()))
    engine = engine_of(max_models)
    for _ in range(2):
        ran.clear()
        assert samples(engine.separate(request, Job())) == expected
        assert set(ran) == {CARD}
        assert len(engine.list_cached().models) == max_models


def test_preloading_between_jobs_moves_models_only_then(engine_of, networks, song, ran):
    """An evicted model is back on the GPU before it runs."""
    engine = engine_of(1)
    fields = [{"model_path": str(files.checkpoint), "config_path": str(files.config)} for files in networks]
    first = samples(engine.separate(NetworkSeparate(**song, **fields[0]), Job()))
    engine.preload_model(NetworkPreload(**fields[1]), Job())
    assert samples(engine.separate(NetworkSeparate(**song, **fields[0]), Job())) == first
    assert set(ran) == {CARD}


def test_a_bag_has_its_networks_on_the_card(engine_of, networks, song, ran, tmp_path):
    """This includes networks read later, and all of them after the bag was evicted."""
    make_repo(tmp_path / "models" / "demucs")
    engine = engine_of(1)
    bag = {"model": "tiny_ft", "shifts": 0}
    engine.separate(DemucsSeparate(**song, **bag, stems=["drums"]), Job())
    engine.separate(DemucsSeparate(**song, **bag), Job())
    engine.preload_model(
        NetworkPreload(model_path=str(networks[0].checkpoint), config_path=str(networks[0].config)), Job()
    )
    engine.preload_model(DemucsPreload(model="tiny"), Job())
    done = engine.separate(DemucsSeparate(**song, **bag), Job())
    assert done.model_from_cache
    assert set(ran) == {CARD}


@pytest.mark.parametrize("max_models", [1, 2])
def test_separating_and_restoring_in_turns(engine_of, song, ran, tmp_path, max_models):
    """VR, MDX and Apollo models that evict each other always run on the GPU."""
    vr, mdx = make_vr(tmp_path, "vr"), make_mdx(tmp_path, "mdx")
    apollo = write_network(tmp_path, "apollo")
    engine = engine_of(max_models)
    results = []
    for _ in range(2):
        engine.load_model(AudioSeparatorLoad(model=str(mdx.checkpoint)), Job())
        for files in (vr, mdx):
            done = engine.separate(AudioSeparatorSeparate(**song, model=str(files.checkpoint)), Job())
            results.append(samples(done))
        restore = Apollo(input=song["input"], output=str(tmp_path / "x.wav"), model_path=str(apollo.checkpoint))
        results.append(samples(engine.separate(restore, Job())))
    assert results[:3] == results[3:]
    assert set(ran) == {CARD}
    assert len(engine.list_cached().models) == max_models


def short_of_memory(monkeypatch, engine, most):
    """Moving a network to the card fails while more than so many models are in the cache."""
    move = TorchBackend.move

    def moved(self, device):
        if device == CARD and len(engine.list_cached().models) > most:
            raise torch.OutOfMemoryError("CUDA out of memory (in a test)")
        move(self, device)

    monkeypatch.setattr(TorchBackend, "move", moved)


@pytest.mark.parametrize("parked", [False, True])
def test_memory_that_runs_out_while_a_model_is_loaded_releases_others(engine_of, networks, song, monkeypatch, parked):
    """Those that are not leased, also where the model comes back from the host's memory; the reply says so."""
    fields = [{"model_path": str(files.checkpoint), "config_path": str(files.config)} for files in networks]
    engine = engine_of(2)
    order = [0, 1, 2, 0] if parked else [1, 2, 0]
    for number in order[:-1]:
        engine.separate(NetworkSeparate(**song, **fields[number]), Job())
    short_of_memory(monkeypatch, engine, most=0)
    job = Job()
    engine.separate(NetworkSeparate(**song, **fields[order[-1]]), job)
    assert any("released" in warning for warning in job.warnings)
    assert [model.name for model in engine.list_cached().models] == ["a"]


def test_a_model_that_never_fits_is_an_error(engine_of, networks, song, monkeypatch):
    """It names the model, and nothing is left in the cache."""
    engine = engine_of(2)
    short_of_memory(monkeypatch, engine, most=-1)
    fields = {"model_path": str(networks[0].checkpoint), "config_path": str(networks[0].config)}
    with pytest.raises(OutOfMemory, match="to load `a`"):
        engine.separate(NetworkSeparate(**song, **fields), Job())
    assert engine.list_cached().models == []
