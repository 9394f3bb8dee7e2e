"""Each row of the table of architectures is complete and true."""

import functools
import sys
from dataclasses import is_dataclass

import pytest
import torch

from models.architectures import OWN, network_class, params_class
from tools.fixtures.networks import RECIPES, small_params, write_network
from utils.engine.backends.torch import without_data
from utils.store.folders import configs_folder
from utils.store.network_config import read_config
from utils.store.network_models import guess_type

# Of these there is no configuration here: they are known from the programs that train or run them.
NO_PUBLIC_MODEL = {
    *("bs_roformer_hyperace", "bs_roformer_hyperace_v1", "bs_polarformer", "bs_roformer_fno"),
    *("bs_roformer_axial", "bs_conformer", "mel_band_conformer"),
    *("scnet_masked", "scnet_unofficial"),
}

# Its state dict does not tell it, and its configuration always does.
TOLD_BY_CONFIGURATION = {"mel_band_conformer"}

every_architecture = pytest.mark.parametrize("name", OWN)


@functools.cache
def tiny_keys(name):
    """The keys of the state dict of a tiny network."""
    with torch.device("meta"):
        return frozenset(network_class(name)(params_class(name).tiny()).state_dict())


@functools.cache
def small_config(name, folder):
    """The configuration of a small network, written and read."""
    return read_config(write_network(folder, name).config)


@pytest.fixture(scope="module")
def config_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("configs")
    return lambda name: small_config(name, folder)


@every_architecture
def test_row_leads_to_a_network_and_its_parameters(name):
    """The network is built from `tiny()`, and its parameters are a value beside it."""
    network, params = network_class(name), params_class(name)
    assert params.__module__ == network.__module__ == OWN[name].network.partition(":")[0]
    assert is_dataclass(params)
    assert params.__dataclass_params__.frozen
    assert tiny_keys(name)


@every_architecture
def test_parameters_survive_a_configuration(name, config_of):
    """What a written configuration says is what it was written from."""
    recipe = RECIPES[name]
    outputs = recipe.stems if recipe.target is None else (recipe.target,)
    assert params_class(name).from_config(config_of(name)) == small_params(name, outputs, 44100, {})


@pytest.mark.parametrize("name", [name for name in OWN if name not in TOLD_BY_CONFIGURATION])
def test_state_dict_has_its_own_marks_and_no_others(name):
    """One mark of the row, and of the one that it is a variant of, is in the state dict; no other row's is, nor are marks
    of variants of a row with a mark.
    """
    family = {name, OWN[name].variant_of}
    marked = {other for other, row in OWN.items() if tiny_keys(name).intersection(row.tensors)}
    assert {other for other in marked if OWN[other].variant_of in {None, *marked}} == family - {None}


@every_architecture
def test_configuration_has_its_own_marks_and_no_others(name, config_of):
    """A configuration has no mark of an architecture that is not this one or the one that it is a variant of."""
    section = config_of(name).get("model") or config_of(name)["kwargs"]
    options = {section} if isinstance(section, str) else set(section)
    family = {name, OWN[name].variant_of} - {None}
    marked = {other for other, row in OWN.items() if options.intersection(row.options)}
    marked = {other for other in marked if OWN[other].variant_of in {None, *marked}}
    assert marked == {other for other in family if OWN[other].options}


@every_architecture
def test_type_is_recognised_by_either_file(name, config_of):
    """By the configuration and the checkpoint together, and by the checkpoint alone; or else by the configuration alone."""
    assert guess_type(config_of(name), tiny_keys(name)) == name
    alone = (config_of(name), ()) if name in TOLD_BY_CONFIGURATION else ({}, tiny_keys(name))
    assert guess_type(*alone) == name


@every_architecture
def test_variants_of_variants_do_not_exist(name):
    """A variant varies a row that is none itself, and rows have marks among the tensors, or else among the options."""
    base = OWN[name].variant_of
    assert base is None or OWN[base].variant_of is None
    assert OWN[name].options if name in TOLD_BY_CONFIGURATION else OWN[name].tensors


@pytest.mark.parametrize("name", [name for name in OWN if name not in NO_PUBLIC_MODEL])
def test_public_architectures_have_a_full_size_configuration(name):
    """Each architecture whose models are in our lists has a configuration of one, in a folder of its name."""
    path = min((configs_folder() / name).glob("*.yaml"))
    with torch.device("meta"):
        net = network_class(name)(params_class(name).from_config(read_config(path)))
    assert sum(parameter.numel() for parameter in net.parameters()) > 100_000


def test_architectures_without_a_configuration_are_in_the_table():
    """The exceptions above are rows, and have no configuration."""
    assert OWN.keys() >= NO_PUBLIC_MODEL
    assert not [name for name in NO_PUBLIC_MODEL if (configs_folder() / name).exists()]


def test_networks_are_built_without_sympy(monkeypatch):
    """The frozen programs leave it out, and torch's own functions for random numbers import it where there is no data."""
    monkeypatch.setitem(sys.modules, "sympy", None)
    for name in OWN:
        with without_data(None):
            network_class(name)(params_class(name).tiny())
