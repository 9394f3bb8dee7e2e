"""Networks found by name and by the files of a request."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
import torch
import yaml

from models.architectures import OWN
from utils.core.errors import ChecksumMismatch, ConfigInvalid, InvalidRequest, ModelNotInstalled, UnknownModel
from utils.store.folders import ModelFolders, configs_folder
from utils.store.network_models import guess_type, list_networks, own_network, resolve_network
from utils.store.records import FileRecord, ModelRecord
from utils.store.registry import Registry

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
TRAINING = {"instruments": ["vocals", "other"], "target_instrument": "other"}


def network(name, *urls, size_bytes=3, sha256=None):
    return ModelRecord(
        name=name,
        worker="bsroformer",
        type="scnet",
        folder="bsroformer",
        stems=("drums", "bass"),
        description=f"The network {name}.",
        config=f"scnet/{name}.yaml",
        files=(FileRecord(f"{name}.ckpt", urls, size_bytes, sha256),),
    )


PUBLISHED = network("published", "https://example.org/published.ckpt")
SUPPLIED = network("supplied")
HASHED = network("hashed", size_bytes=None, sha256=SHA256_OF_ABC)
DESCRIBED = msgspec.structs.replace(
    network("described", "https://example.org/published%20as.ckpt"),
    config=None,
    files=(
        FileRecord("described.ckpt", ("https://example.org/published%20as.ckpt",), 3),
        FileRecord("described.yaml", ("https://example.org/config.yaml",)),
    ),
)
REGISTRY = Registry([PUBLISHED, SUPPLIED, HASHED, DESCRIBED], {})


@pytest.fixture
def folders(tmp_path):
    return ModelFolders(tmp_path / "models")


@pytest.fixture
def put(folders):
    def put(name, content=b"abc"):
        path = folders.folder("bsroformer") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return put


@pytest.fixture
def own(tmp_path):
    """Writes a checkpoint and a configuration; gives their paths."""

    def own(model, *tensors):
        config, checkpoint = tmp_path / "mine.yaml", tmp_path / "my_net.ckpt"
        config.write_text(yaml.safe_dump({"audio": {}, "model": model, "training": TRAINING}), encoding="utf-8")
        torch.save({name: torch.zeros(1) for name in tensors}, checkpoint)
        return checkpoint, config

    return own


def resolve(name, folders, *, offline=False):
    return resolve_network(name, registry=REGISTRY, folders=folders, offline=offline)


# By name -----------------------------------------------------------------------------------------------------------


def test_network_that_is_installed(folders, put):
    """An installed network comes with its checkpoint, its configuration and the record's facts."""
    path = put("published.ckpt")
    source = resolve("published", folders)
    assert (source.name, source.type, source.stems) == ("published", "scnet", ("drums", "bass"))
    assert source.checkpoint == path
    assert source.config == configs_folder() / "scnet" / "published.yaml"
    assert source.record is PUBLISHED


def config_text(model, *stems):
    return yaml.safe_dump({"audio": {}, "model": model, "training": {"instruments": stems}}).encode()


def test_configuration_that_was_downloaded_beside_its_network(folders, put):
    """It is read like one of the user's, and its stems have its names, in its order."""
    checkpoint = put("described.ckpt")
    config = put("described.yaml", config_text({"band_SR": []}, "Bass", "Drums"))
    source = resolve("published as.ckpt", folders)
    assert (source.name, source.checkpoint, source.config) == ("described", checkpoint, config)
    assert (source.type, source.stems, source.record) == ("scnet", ("Bass", "Drums"), DESCRIBED)
    assert [details.name for details in list_networks(REGISTRY, folders)].count("described") == 1


def test_configuration_that_is_still_missing(folders, put):
    """The checkpoint alone is not the whole model, and its size is not that of the model's files but of the network."""
    put("described.ckpt")
    with pytest.raises(ModelNotInstalled, match=r"`described\.yaml` is missing"):
        resolve("described", folders)
    (details,) = list_networks(REGISTRY, folders, "described")
    assert (details.installed, details.size_bytes) == (False, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>not found</html>", "not the configuration of a network"),
        (config_text({"freqs_per_bands": []}, "drums", "bass"), "of a bs_roformer, and `described` is a scnet"),
        (config_text({"band_SR": []}, "drums", "bass", "other"), "names 3 stems, and `described` has 2"),
    ],
)
def test_configuration_that_belongs_to_something_else(folders, put, content, said):
    """What was downloaded in its place is named, with what to do."""
    put("described.ckpt")
    path = put("described.yaml", content)
    with pytest.raises(ConfigInvalid, match=said) as caught:
        resolve("described", folders)
    assert f"Delete `{path}` and download the model again" in caught.value.hint


def test_network_that_is_not_installed(folders):
    """The error names file and folder, and the command that fetches it."""
    with pytest.raises(ModelNotInstalled, match=r"published\.ckpt` is missing") as caught:
        resolve("published", folders)
    assert str(folders.folder("bsroformer")) in caught.value.message
    assert '{"cmd":"download_model","model":"published"}' in caught.value.hint


def test_network_that_is_not_installed_offline(folders):
    """In offline mode the address is told, for another computer."""
    with pytest.raises(ModelNotInstalled) as caught:
        resolve("published", folders, offline=True)
    assert "https://example.org/published.ckpt" in caught.value.hint
    assert "download_model" not in caught.value.hint


@pytest.mark.parametrize("offline", [False, True])
def test_network_without_an_address(folders, put, offline):
    """A file that only its user can have is asked for, with the folder where it belongs."""
    with pytest.raises(ModelNotInstalled) as caught:
        resolve("supplied", folders, offline=offline)
    assert "`supplied.ckpt`" in caught.value.hint
    assert str(folders.folder("bsroformer")) in caught.value.hint
    assert "download_model" not in caught.value.hint
    put("supplied.ckpt")
    assert resolve("supplied", folders).record is SUPPLIED


def test_incomplete_file(folders, put):
    """A file of the wrong size is not installed, and both sizes are said."""
    put("published.ckpt", b"ab")
    with pytest.raises(ModelNotInstalled, match="has 2 bytes and should have 3"):
        resolve("published", folders)


def test_file_of_unknown_size_is_known_by_its_hash(folders, put):
    """Without a size the hash decides whether it is the right file."""
    put("hashed.ckpt")
    assert resolve("hashed", folders).record is HASHED
    put("hashed.ckpt", b"another")
    with pytest.raises(ChecksumMismatch, match=r"hashed\.ckpt"):
        resolve("hashed", folders)


def test_unknown_network(folders):
    """A misspelt name is answered with the nearest."""
    with pytest.raises(UnknownModel, match="Did you mean: published"):
        resolve("publishd", folders)


def test_record_without_a_configuration(folders, put):
    """A list that names no configuration is an error of the list."""
    put("published.ckpt")
    records = [ModelRecord(**{**{f: getattr(PUBLISHED, f) for f in PUBLISHED.__struct_fields__}, "config": None})]
    with pytest.raises(ConfigInvalid, match="`published` must have one configuration"):
        resolve_network("published", registry=Registry(records, {}), folders=folders)


def test_list_says_what_is_installed(folders, put):
    """All networks are listed in order, whether their files are there or not."""
    put("supplied.ckpt")
    listed = list_networks(REGISTRY, folders)
    assert [(details.name, details.installed) for details in listed] == [
        ("published", False),
        ("supplied", True),
        ("hashed", False),
        ("described", False),
    ]
    assert (listed[0].type, listed[0].stems, listed[0].size_bytes) == ("scnet", ["drums", "bass"], 3)
    assert listed[0].aliases == REGISTRY.get("published", "bsroformer").aliases != []


# By files ----------------------------------------------------------------------------------------------------------


def test_own_network_with_a_type(own):
    """Files and type of a request make a network with the configuration's stems."""
    checkpoint, config = own({"dim": 8})
    source = own_network(checkpoint, config, "mel_band_roformer")
    assert dataclasses.astuple(source) == ("my_net", "mel_band_roformer", checkpoint, config, ("other",), None)


def test_type_from_the_configuration(own):
    """Without a type the configuration tells it, and the checkpoint is not read."""
    checkpoint, config = own({"num_bands": 60})
    checkpoint.write_bytes(b"no checkpoint")
    assert own_network(checkpoint, config, None).type == "mel_band_roformer"


def test_type_from_the_checkpoint(own):
    """A configuration that leaves the type open is completed by the names of the tensors, also wrapped ones."""
    checkpoint, config = own({"dim": 8}, "final_norm.gamma", "band_split.to_features.0.0.gamma")
    assert own_network(checkpoint, config, None).type == "bs_roformer"
    torch.save({"state_dict": {"module.final_norm.gamma": torch.zeros(1)}}, checkpoint)
    assert own_network(checkpoint, config, None).type == "bs_roformer"


def test_type_that_nothing_tells(own):
    """Where neither file tells the type, the error lists the types there are."""
    checkpoint, config = own({"dim": 8}, "weight")
    with pytest.raises(ConfigInvalid, match="what type") as caught:
        own_network(checkpoint, config, None)
    assert all(kind in caught.value.hint for kind in OWN)
    assert caught.value.field == "model_type"


def test_unknown_type(own):
    """A misspelt type is answered with the nearest, even if the configuration tells the type."""
    with pytest.raises(InvalidRequest, match="Did you mean: mel_band_roformer") as caught:
        own_network(*own({"num_bands": 60}), "melband_roformer")
    assert caught.value.field == "model_type"


@pytest.mark.parametrize(
    ("missing", "error", "field"), [(0, ModelNotInstalled, "model_path"), (1, ConfigInvalid, "config_path")]
)
def test_missing_files_of_a_request(own, missing, error, field):
    """A file that is not there is named, with the field that named it."""
    paths = own({"num_bands": 60})
    paths[missing].unlink()
    with pytest.raises(error, match=paths[missing].name) as caught:
        own_network(*paths, None)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("model", "keys", "kind"),
    [
        ({"freqs_per_bands": (2, 3)}, (), "bs_roformer"),
        ({"num_bands": 60, "dim": 4}, ["BN.0.0.weight"], "mel_band_roformer"),
        ({"band_SR": [0.2], "sources": ["a"]}, (), "scnet"),
        ({"num_subbands": 4, "act": "gelu"}, (), "mdx23c"),
        ({"feature_dim": 256, "layer": 6}, (), "apollo"),
        ({}, ["encoder.0.SDlayer.convs.0.weight"], "scnet"),
        ({"num_bands": 60, "freqs_per_bands": [2]}, ["layers.0.0.norm.gamma"], "mel_band_roformer"),
        ({"band_SR": [0.2]}, ["encoder.0.SDlayer.convs.0.weight", "pos_embed_f"], "scnet_masked"),
        ({"band_SR": [0.2], "tran_depth": 1}, (), "scnet_tran"),
        ({"band_specs": "musical", "n_bands": 64}, (), "bandit"),
        ("htdemucs", (), "htdemucs"),
        ("hdemucs", (), "htdemucs"),
    ],
)
def test_guess(model, keys, kind):
    """The configuration's own keys decide; the tensors' names do where it says nothing or two things."""
    assert guess_type({"model": model}, keys) == kind


@pytest.mark.parametrize(
    ("told", "model", "keys", "kind"),
    [
        ("bs_roformer", {"use_pope": True}, (), "bs_polarformer"),
        ("scnet", {}, ["pos_embed_f"], "scnet_masked"),
        ("scnet", {"num_bands": 60}, ["layers.0.0.norm.gamma"], "scnet"),
        ("scnet_tran", {}, ["pos_embed_f"], "scnet_tran"),
    ],
)
def test_a_told_type_is_only_made_more_exact(told, model, keys, kind):
    """Who tells the type of which a network is a variant, as other programs do, gets the variant; and never another type."""
    assert guess_type({"model": model}, keys, told) == kind


def test_guess_where_the_options_have_another_name():
    """The options of BandIt's second generation are not in `model`."""
    assert guess_type({"kwargs": {"band_type": "musical", "n_bands": 64}}) == "bandit_v2"
