"""All commands share one code path for an Apollo network, and one cache entry."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from demucs_case import write_song

from tools.fixtures.networks import write_network
from utils.core.errors import CheckpointMismatch
from utils.core.job import Job
from utils.core.replies import ApolloLoaded, LoadingModel, ModelLoaded, Restored, Restoring, Separating
from utils.core.requests import Apollo, AudioSeparatorSeparate, LoadApollo, NetworkLoad, NetworkMember, NetworkSeparate
from utils.core.settings import Settings
from utils.engine.programs import make_engine


@pytest.fixture
def files(tmp_path):
    return write_network(tmp_path / "models" / "bsroformer", "apollo", name="mine")


@pytest.fixture
def engine(tmp_path, files):
    engine = make_engine("dsu", Settings(models_dir=tmp_path / "models", device="cpu", threads=1))
    engine.start()
    return engine


@pytest.fixture
def song(tmp_path):
    write_song(tmp_path / "song.wav", 2.6)
    return str(tmp_path / "song.wav")


def restored(done):
    return soundfile.read(done.paths["restored"], dtype="float32", always_2d=True)[0]


def run(engine, request):
    events = []
    return engine.separate(request, Job(events.append)), [type(event) for event in events]


def test_all_commands_give_the_same_samples_with_one_load(engine, song, tmp_path):
    """`apollo` and both `separate` commands give equal samples for one name, with one load."""
    common = {"input": song, "model": "mine", "pcm_type": "FLOAT", "clip": "none"}
    requests = [
        Apollo(**common, output_dir=str(tmp_path / "a")),
        NetworkSeparate(**common, output=str(tmp_path / "b")),
        AudioSeparatorSeparate(**common, output=str(tmp_path / "c")),
    ]
    results = [run(engine, request) for request in requests]
    expected = restored(results[0][0])
    for done, _ in results[1:]:
        np.testing.assert_array_equal(restored(done), expected)
    assert [events.count(LoadingModel) for _, events in results] == [1, 0, 0]
    assert len(engine.list_cached().models) == 1
    assert [Path(done.files[0]).name for done, _ in results] == [
        "song_(restored).wav",
        "restored.wav",
        "song_(restored).wav",
    ]


def test_each_command_keeps_its_own_words(engine, song, tmp_path):
    """`apollo` restores and does not change the active model; `separate` activates its model."""
    done, events = run(engine, Apollo(input=song, model="mine", output=str(tmp_path / "x.wav")))
    assert isinstance(done, Restored)
    assert Restoring in events
    assert engine.ping().model_loaded is None
    done, events = run(engine, NetworkSeparate(input=song, model="mine", output=str(tmp_path / "y")))
    assert not isinstance(done, Restored)
    assert Separating in events
    assert engine.ping().model_loaded == "mine"


@pytest.mark.parametrize("chunk_s", [0.5, 30.0])
def test_chunks_of_separate_are_exact_too(engine, song, tmp_path, chunk_s):
    """Chunks of any length sum to one pass over the whole song, without cross-fades."""
    fields = {"input": song, "model": "mine", "pcm_type": "FLOAT", "clip": "none", "output": str(tmp_path / "out")}
    done, _ = run(engine, NetworkSeparate(**fields, chunk_seconds=chunk_s))
    other, _ = run(engine, NetworkSeparate(**{**fields, "output": str(tmp_path / "other")}, chunk_seconds=1.1))
    error = restored(done) - restored(other)
    assert 10 * np.log10(np.sum(restored(done) ** 2) / max(np.sum(error**2), 1e-20)) > 80
    assert done.settings["chunk_seconds"] == chunk_s


def test_the_complement_of_separate_is_the_addition(engine, song, tmp_path):
    """`extract_instrumental` writes the addition."""
    fields = {"input": song, "model": "mine", "pcm_type": "FLOAT", "clip": "none", "output": str(tmp_path / "out")}
    done, _ = run(engine, NetworkSeparate(**fields, extract_instrumental=True))
    addition = soundfile.read(done.paths["addition"], dtype="float32", always_2d=True)[0]
    mix = soundfile.read(song, dtype="float32", always_2d=True)[0]
    np.testing.assert_allclose(addition, restored(done) - mix, atol=1e-6)


def test_files_by_path_are_one_entry_too(engine, files, song, tmp_path):
    """They share an entry whether loaded by `load_apollo` or `load_model`, and with or without sizes."""
    paths = {"model_path": str(files.checkpoint), "config_path": str(files.config)}
    loaded = engine.load_model(LoadApollo(**paths), Job())
    assert isinstance(loaded, ApolloLoaded)
    assert (loaded.type, loaded.feature_dim, loaded.layer, loaded.cached) == ("apollo", 16, 1, False)
    again = engine.load_model(NetworkLoad(**paths), Job())
    assert isinstance(again, ModelLoaded)
    assert not isinstance(again, ApolloLoaded)
    assert again.cached
    assert engine.load_model(LoadApollo(**paths, feature_dim=16), Job()).cached
    with pytest.raises(CheckpointMismatch, match="the request says feature_dim 16 and layer 6"):
        engine.load_model(LoadApollo(**paths, layer=6), Job())
    with pytest.raises(CheckpointMismatch, match="the request says"):
        run(engine, Apollo(input=song, output=str(tmp_path / "x.wav"), **paths, feature_dim=384))
    assert len(engine.list_cached().models) == 1


def test_ensembles_of_restorers_add_up(engine, song, tmp_path):
    """An average of two restorers is the mean of their separate results."""
    for seed, name in enumerate(("one", "two"), start=1):
        write_network(tmp_path / name, "apollo", name=name, seed=seed)
    members = [
        NetworkMember(
            model_path=str(tmp_path / name / f"{name}.ckpt"), config_path=str(tmp_path / name / f"{name}.yaml")
        )
        for name in ("one", "two")
    ]
    fields = {"input": song, "pcm_type": "FLOAT", "clip": "none"}
    done, _ = run(engine, NetworkSeparate(**fields, output=str(tmp_path / "both"), ensemble=members))
    alone = [
        restored(
            run(
                engine,
                NetworkSeparate(
                    **fields,
                    output=str(tmp_path / "alone" / str(number)),
                    model_path=member.model_path,
                    config_path=member.config_path,
                ),
            )[0]
        )
        for number, member in enumerate(members)
    ]
    np.testing.assert_allclose(restored(done), np.mean(alone, axis=0), atol=1e-5)
    assert done.model == "one+two"
