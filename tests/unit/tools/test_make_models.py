"""A models directory of small networks."""

import json
from pathlib import Path

import pytest

from tools.make_models import GROUPS, main, make_models
from utils.store.audio_separator_models import resolve_audio_separator
from utils.store.audiosep_models import NamedParts, resolve_audiosep
from utils.store.demucs_models import resolve_demucs
from utils.store.folders import ModelFolders
from utils.store.network_models import own_network, resolve_network
from utils.store.registry import Registry


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def places(made):
    """What the stores need to find a model by its name."""
    return {"registry": Registry.load(), "folders": ModelFolders(Path(made["folder"]))}


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


def test_each_kind_has_two_models(made):
    """Every worker is there, and no kind has just one model."""
    models = made["models"]
    assert set(models) == set(GROUPS) == {"demucs", "bsroformer", "audio-separator", "audiosep"}
    assert set(models["audio-separator"]) == {"vr", "mdx", "apollo"}
    groups = [*models["audio-separator"].values(), *(models[name] for name in models if name != "audio-separator")]
    assert all(len(group) >= 2 for group in groups)


def test_workers_find_them(made, places):
    """Where a name is given, it is enough; where files are, they are whole."""
    models = made["models"]
    for model in models["demucs"]:
        assert resolve_demucs(model["load"]["model"], repo=None, **places).name == model["name"]
    for model in models["bsroformer"]:
        assert resolve_network(model["load"]["model"], **places).name == model["name"]
    for kind in ("vr", "mdx"):
        for model in models["audio-separator"][kind]:
            assert resolve_audio_separator(model["load"]["model"], **places).family == kind
    for model in models["audio-separator"]["apollo"]:
        paths = [Path(model["load"][field]) for field in ("model_path", "config_path")]
        assert own_network(*paths, None).type == "apollo"
    for model in models["audiosep"]:
        fields = ("config_path", "checkpoint_path", "clap_checkpoint_path", "roberta_dir")
        parts = NamedParts(None, *(Path(model["load"][field]) for field in fields))
        assert resolve_audiosep(parts, **places).checkpoint == parts.checkpoint


def test_nothing_else_is_left_in_the_folder(made):
    """What was written aside is gone."""
    assert {path.name for path in Path(made["folder"]).iterdir()} == {
        "demucs", "bsroformer", "audio-separator", "apollo", "audiosep",
    }  # fmt: skip


def test_a_second_time_touches_nothing(made):
    """What is there stays as it is, and the answer is the same."""
    before = stamps(made["folder"])
    assert make_models(Path(made["folder"])) == made
    assert stamps(made["folder"]) == before


def test_what_is_missing_is_made_again(tmp_path):
    """A group that is not whole is completed, and what there is of it is not replaced."""
    make_models(tmp_path, ["bsroformer"])
    before = stamps(tmp_path)
    gone = tmp_path / "bsroformer" / "tiny_scnet.yaml"
    text = gone.read_text()
    gone.unlink()
    make_models(tmp_path, ["bsroformer"])
    assert gone.read_text() == text
    after = stamps(tmp_path)
    assert {path for path in before if after[path] != before[path]} == {gone}


def test_the_program_prints_one_line_of_json(tmp_path, capsys):
    """Only the workers that were asked for, as `make_models` answers."""
    assert main([str(tmp_path), "--worker", "audio-separator"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == make_models(tmp_path, ["audio-separator"])
    assert not (tmp_path / "demucs").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys):
    """The message says what to do, and the exit status is 1."""
    (tmp_path / "file").write_bytes(b"")
    assert main([str(tmp_path / "file")]) == 1
    assert "Name another folder" in capsys.readouterr().err
