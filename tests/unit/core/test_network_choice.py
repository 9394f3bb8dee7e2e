"""Which networks a request asks for, and what contradicts itself."""

import msgspec
import pytest

from utils.core.errors import InvalidRequest
from utils.core.network_choice import OwnFiles, check_choice, choice_of, choices_of, weights_of
from utils.core.requests import NetworkLoad, NetworkSeparate

FILES = {"model_path": "net.ckpt", "config_path": "net.yaml"}


def separate(**fields):
    return msgspec.convert({"cmd": "separate", "input": "a.wav", "output": "out", **fields}, NetworkSeparate)


def test_one_by_name_by_files_or_none():
    """A name, files with or without a type, or nothing at all."""
    assert choices_of(separate(model="vocals_melband")) == ["vocals_melband"]
    assert choices_of(separate(**FILES)) == [OwnFiles("net.ckpt", "net.yaml", None)]
    assert choice_of(NetworkLoad(**FILES, model_type="scnet")) == OwnFiles("net.ckpt", "net.yaml", "scnet")
    assert choices_of(separate()) == [None]
    assert choices_of(separate(model="")) == [None]


def test_members_are_names_or_files():
    """Both kinds in one ensemble, in their order."""
    request = separate(ensemble=["a", {**FILES, "model_type": "scnet"}])
    assert choices_of(request) == ["a", OwnFiles("net.ckpt", "net.yaml", "scnet")]


@pytest.mark.parametrize(("weights", "expected"), [(None, [0.5, 0.5]), ([1, 3], [0.25, 0.75]), ([0, 2], [0.0, 1.0])])
def test_weights_sum_to_one(weights, expected):
    """Equal ones where none are given."""
    assert weights_of(separate(ensemble=["a", "b"], ensemble_weights=weights)) == expected


def test_without_an_ensemble_there_are_no_weights():
    """One network counts as it is."""
    assert weights_of(separate(model="a")) is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": "a", **FILES}, "model_path"),
        ({"model_path": "net.ckpt"}, "config_path"),
        ({"config_path": "net.yaml"}, "config_path"),
        ({"model": "a", "model_type": "scnet"}, "model_type"),
        ({"ensemble": ["a", "b"], "model": "c"}, "ensemble"),
        ({"ensemble": ["a", "b"], **FILES}, "ensemble"),
        ({"ensemble_weights": [1, 2]}, "ensemble_weights"),
        ({"ensemble": ["a", "b"], "ensemble_weights": [1]}, "ensemble_weights"),
        ({"ensemble": ["a", "b"], "ensemble_weights": [0, 0]}, "ensemble_weights"),
        ({"ensemble": ["a", "b"], "ensemble_weights": [1, 2], "ensemble_type": "max_fft"}, "ensemble_weights"),
    ],
)
def test_what_contradicts_itself_is_refused(fields, field):
    """The error names the field that has to go or is missing."""
    with pytest.raises(InvalidRequest) as caught:
        check_choice(separate(**fields))
    assert caught.value.field == field


@pytest.mark.parametrize("fields", [{"ensemble": ["a"]}, {"ensemble": ["a", {"model_path": "b"}]}, {"quality": "good"}])
def test_what_is_malformed_is_no_request(fields):
    """One member is no ensemble, half a member is none, and presets have names."""
    with pytest.raises(msgspec.ValidationError):
        separate(**fields)


def test_requests_of_one_model_have_one_key():
    """What a batch groups by: the name, the files, or the members."""
    assert separate(model="a").model_key == separate(model="a", overlap=3).model_key
    keys = {separate(**fields).model_key for fields in ({"model": "a"}, FILES, {"ensemble": ["a", "b"]}, {})}
    assert len(keys) == 4
