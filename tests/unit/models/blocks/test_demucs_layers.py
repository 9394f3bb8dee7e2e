"""Layers of Demucs networks, part by part: what torch and the package compute at once."""

import copy

import pytest
import torch
from demucs.demucs import LocalState
from torch import nn

from models.blocks import demucs_layers
from models.blocks.demucs_layers import in_parts


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(demucs_layers, "POSITIONS", 100)
    monkeypatch.setattr(demucs_layers, "QUERIES", 10)
    monkeypatch.setattr(demucs_layers, "SEQUENCES", 4)


def attention(**options):
    """A layer with weights that make clear differences between positions."""
    torch.manual_seed(0)
    layer = LocalState(16, **options)
    for each in (layer.query, layer.key, *([layer.query_decay] if layer.ndecay else [])):
        each.weight.data.mul_(8)
    return layer


def assert_same(layer, features, atol=1e-5, **autocast):
    """The layer gives the same before and after; its tensors keep their keys."""
    layer.eval().requires_grad_(requires_grad=False)
    expected, keys = layer(features), layer.state_dict().keys()
    long = copy.deepcopy(layer)
    in_parts(nn.Sequential(long))
    assert type(long) is not type(layer)
    assert long.state_dict().keys() == keys
    with torch.autocast("cpu", torch.bfloat16, **autocast):
        actual = long(features)
    if isinstance(expected, tuple):
        expected, actual = expected[0], actual[0]
    assert expected.std() > 0.05
    torch.testing.assert_close(actual.float(), expected, atol=atol, rtol=0)


def assert_seen(layer, features, expected):
    """The last sizes of what those saw who look on at the layer: the whole, then each part."""
    seen = []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    in_parts(layer)
    layer(features)
    assert seen == expected


@pytest.mark.parametrize("length", [99, 100, 101, 200, 250, 301])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 8, "stride": 4},
        {"kernel_size": 3, "stride": 5},
        {"kernel_size": 7, "bias": False},
        {"kernel_size": 4, "stride": 2, "groups": 2, "dilation": 3},
        {"kernel_size": 4, "stride": 2, "padding": 1},
    ],
)
def test_transposed_convolutions(length, options):
    """Whatever is left for the last part, and however far outputs reach into each other."""
    torch.manual_seed(0)
    assert_same(nn.ConvTranspose1d(4, 6, **options), torch.randn(2, 4, length), enabled=False)


@pytest.mark.parametrize("length", [1, 2, 9, 10, 11, 35])
@pytest.mark.parametrize("options", [{}, {"heads": 2, "ndecay": 3}, {"ndecay": 0}, {"nfreqs": 2}])
def test_attention(length, options):
    """Of whatever kind, also where a part has a single query; one of kinds that no network has is left to the package."""
    assert_same(attention(**options), torch.randn(2, 16, length), enabled=False)


def test_attention_in_half_precision_is_close():
    """Positions, of which there are more than half precision can count, stay in single precision."""
    assert_same(attention(), torch.randn(1, 16, 300), atol=0.1)


@pytest.mark.parametrize("sequences", [1, 4, 5, 11])
def test_recurrent_layers(sequences):
    """Whatever number of sequences is left for the last part."""
    torch.manual_seed(0)
    assert_same(nn.LSTM(6, 8, 2, bidirectional=True), torch.randn(9, sequences, 6), enabled=False)


def test_who_looks_on_does_before_each_part():
    """So that a job can be cancelled there."""
    assert_seen(nn.ConvTranspose1d(1, 1, 4, 2), torch.zeros(1, 1, 250), [(1, 1, n) for n in (250, 100, 100, 50)])
    assert_seen(attention(), torch.zeros(1, 16, 25), [(1, 16, 25), (10,), (10,), (5,)])
    assert_seen(nn.LSTM(2, 2), torch.zeros(3, 6, 2), [(3, n, 2) for n in (6, 4, 2)])


def test_other_layers_stay_what_they_are():
    """Also those that are near them."""
    net = nn.Sequential(nn.ConvTranspose2d(1, 1, 4), nn.Conv1d(1, 1, 3), nn.GRU(1, 1))
    kinds = [type(layer) for layer in net]
    in_parts(net)
    assert [type(layer) for layer in net] == kinds
