"""The choice of a model for a test program."""

import pytest

from tools.choose_models import BUILT_IN, KINDS, choose, installed, models_directory
from tools.fixtures.models import make_models


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    make_models(folder, ["demucs", "bsroformer"])
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder of the test for small networks."""
    monkeypatch.setenv("DSU_BENCHMARK_OUTPUT", str(tmp_path / "out"))
    return tmp_path / "out" / "small-models"


def test_a_named_model_is_taken_as_it_is(tmp_path):
    """A named model is not checked; its worker does that."""
    choice = choose("demucs", tmp_path, "anything")
    assert (choice.name, choice.load, choice.models_dir) == ("anything", {"model": "anything"}, tmp_path)


def test_an_installed_model_is_found(models):
    """A model in the models directory is chosen, and the note names both."""
    choice = choose("demucs", models)
    assert (choice.name, choice.load) == ("tiny", {"model": "tiny"})
    assert str(models) in choice.note
    assert "found" in choice.note


def test_the_built_in_model_comes_last(models, tmp_path):
    """A model of the user is preferred to the built-in one."""
    names = installed("bsroformer", models)
    assert len(names) > 1
    assert names[-1] == BUILT_IN
    alone = choose("bsroformer", tmp_path)
    assert (alone.name, alone.load) == (BUILT_IN, {"model": BUILT_IN})
    assert "comes with DSU" in alone.note


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bsroformer"])
def test_without_a_model_a_small_one_is_made(kind, tmp_path, elsewhere):
    """The note says that the model is small and random."""
    choice = choose(kind, tmp_path)
    assert choice.models_dir == elsewhere
    assert choice.name.startswith("tiny")
    assert "random weights" in choice.note
    assert str(tmp_path) in choice.note


def test_the_directory_is_the_worker_s(tmp_path, monkeypatch):
    """DSU_MODELS is used unless a directory is given."""
    monkeypatch.setenv("DSU_MODELS", str(tmp_path / "environment"))
    assert models_directory() == tmp_path / "environment"
    assert models_directory(tmp_path / "option") == tmp_path / "option"
