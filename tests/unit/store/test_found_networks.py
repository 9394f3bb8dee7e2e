"""The user's own networks, in pairs of files and in a `models.json` of earlier versions."""

import json

import pytest

from tools.fixtures.networks import write_network
from utils.core.errors import ConfigInvalid, ModelNotInstalled
from utils.store.folders import ModelFolders
from utils.store.network_models import list_networks, resolve_network
from utils.store.registry import Registry

REGISTRY = Registry([], {})


@pytest.fixture
def models(tmp_path):
    """A models directory with a network in `weights`, its configuration elsewhere, and a list of both."""
    folder = tmp_path / "models"
    files = write_network(tmp_path / "made", "mdx23c")
    (folder / "weights").mkdir(parents=True)
    (tmp_path / "configs").mkdir()
    files.checkpoint.rename(folder / "weights" / "mine_v2.ckpt")
    files.config.rename(tmp_path / "configs" / "config_mine.yaml")
    entry = {
        "type": "mdx23c",
        "config": "configs/config_mine.yaml",
        "checkpoint": "weights/mine_v2.ckpt",
        "stems": ["vocals", "other"],
        "description": "Trained at home.",
    }
    (folder / "models.json").write_text(
        json.dumps({"mine": entry, "lost": {**entry, "checkpoint": "weights/lost.ckpt"}})
    )
    return folder


@pytest.mark.parametrize("place", ["configs", "models/configs", "models/weights"])
def test_listed_networks_are_found_by_name(models, place):
    """With the configuration in a folder of configurations, below the list, or beside the checkpoint."""
    target = models.parent / place
    target.mkdir(exist_ok=True)
    (models.parent / "configs" / "config_mine.yaml").rename(target / "config_mine.yaml")
    folders = ModelFolders(models, models.parent / "configs")
    source = resolve_network("mine", registry=REGISTRY, folders=folders)
    assert (source.name, source.type, source.stems) == ("mine", "mdx23c", ("vocals", "other"))
    assert source.checkpoint == models / "weights" / "mine_v2.ckpt"
    mine, lost = list_networks(REGISTRY, folders)
    assert (mine.name, mine.installed, mine.stems, mine.description) == (
        "mine",
        True,
        ["vocals", "other"],
        "Trained at home.",
    )
    assert (lost.name, lost.installed, lost.size_bytes) == ("lost", False, None)


def test_a_listed_network_without_its_file_is_not_installed(models):
    """The error says which file is missing."""
    with pytest.raises(ModelNotInstalled, match=r"lost\.ckpt"):
        resolve_network("lost", registry=REGISTRY, folders=ModelFolders(models, models.parent / "configs"))


def test_the_list_may_lie_in_the_folder_of_the_worker(models):
    """As where the models directory is that of all workers."""
    models.rename(models.parent / "bsroformer")
    folders = ModelFolders(models.parent, models.parent / "configs")
    assert resolve_network("mine", registry=REGISTRY, folders=folders).name == "mine"


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"mine": {"type": "scnet"}}', b'{"mine": 3}', b'{"m\xfcne": {}}'])
def test_a_malformed_list_is_an_error_with_its_name(models, content):
    """Nothing is guessed from it."""
    (models / "models.json").write_bytes(content)
    with pytest.raises(ConfigInvalid, match=r"models\.json"):
        list_networks(REGISTRY, ModelFolders(models))
