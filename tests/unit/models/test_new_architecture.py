"""Adding an architecture takes one file and one row: everything else follows from them."""

import pytest
import torch
from toy_architecture import GAINS, NAME, STEMS, add_architecture, write_toy_model

from models.architectures import network_class, params_class
from utils.core.errors import InvalidRequest
from utils.store.checkpoints import assign, read_checkpoint, unwrap_state
from utils.store.folders import ModelFolders
from utils.store.network_config import read_config
from utils.store.network_models import list_networks, own_network, resolve_network
from utils.store.registry import Registry


@pytest.fixture(autouse=True)
def added(tmp_path, monkeypatch):
    add_architecture(tmp_path / "added", monkeypatch)


@pytest.fixture
def folders(tmp_path):
    """A models directory that holds a model of the new architecture."""
    folders = ModelFolders(tmp_path / "models")
    write_toy_model(folders.folder("bsroformer"))
    return folders


def test_type_is_recognised_by_the_configuration(tmp_path):
    """A request that names a checkpoint and a YAML file needs no `model_type`."""
    checkpoint, config = write_toy_model(tmp_path)
    source = own_network(checkpoint, config, None)
    assert (source.type, source.stems) == (NAME, STEMS)


def test_type_is_recognised_by_the_checkpoint(tmp_path):
    """So does one whose configuration has no mark of the architecture."""
    checkpoint, config = write_toy_model(tmp_path)
    config.write_text(config.read_text(encoding="utf-8").replace("gain_per_stem", "dim"), encoding="utf-8")
    assert own_network(checkpoint, config, None).type == NAME


def test_model_in_the_models_directory_is_found_by_name(folders):
    """It is resolved and listed like any other network of the user's own."""
    source = resolve_network("toy", registry=Registry([], {}), folders=folders)
    (details,) = list_networks(Registry([], {}), folders)
    assert (source.type, source.stems) == (NAME, STEMS)
    assert (details.name, details.type, details.stems, details.installed) == ("toy", NAME, list(STEMS), True)


def test_network_is_built_from_its_files(folders):
    """The class is found by the row, and the configuration and the checkpoint fit it."""
    source = resolve_network("toy", registry=Registry([], {}), folders=folders)
    with torch.device("meta"):
        net = network_class(source.type)(params_class(source.type).from_config(read_config(source.config)))
    assign(net, unwrap_state(read_checkpoint(source.checkpoint), source.checkpoint), path=source.checkpoint)
    mix = torch.ones(1, 2, 8)
    torch.testing.assert_close(net(mix), torch.tensor(GAINS)[None, :, None, None] * mix[:, None])


def test_errors_offer_it(tmp_path):
    """A misspelt type is answered with the new name."""
    checkpoint, config = write_toy_model(tmp_path)
    with pytest.raises(InvalidRequest, match=f"Did you mean: {NAME}") as caught:
        own_network(checkpoint, config, "toy_gain")
    assert NAME in caught.value.hint
