"""Transposed convolutions over waveforms, part by part."""

import pytest
import torch
from torch import nn

from models.blocks import long_convolutions
from models.blocks.long_convolutions import LongConvTranspose1d, in_parts


@pytest.mark.parametrize("length", [99, 100, 101, 200, 250, 301])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 8, "stride": 4},
        {"kernel_size": 3, "stride": 5},
        {"kernel_size": 7, "bias": False},
        {"kernel_size": 4, "stride": 2, "groups": 2, "dilation": 3},
    ],
)
def test_parts_give_the_whole(monkeypatch, length, options):
    """Whatever is left for the last part, and however far outputs reach into each other."""
    monkeypatch.setattr(long_convolutions, "PART", 100)
    torch.manual_seed(0)
    layer, features = nn.ConvTranspose1d(4, 6, **options), torch.randn(2, 4, length)
    expected = layer(features)
    keys = layer.state_dict().keys()
    in_parts(nn.Sequential(layer))
    assert (type(layer), layer.state_dict().keys()) == (LongConvTranspose1d, keys)
    torch.testing.assert_close(layer(features), expected, atol=1e-6, rtol=0)


def test_who_looks_on_does_before_each_part(monkeypatch):
    """So that a job can be cancelled there."""
    monkeypatch.setattr(long_convolutions, "PART", 10)
    layer, seen = nn.ConvTranspose1d(1, 1, 4, 2), []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    in_parts(layer)
    layer(torch.zeros(1, 1, 25))
    assert seen == [25, 10, 10, 5]


def test_others_stay_what_they_are():
    """Those with padding, which could not be joined like this, and what is no such layer."""
    net = nn.Sequential(nn.ConvTranspose1d(1, 1, 4, 2, padding=1), nn.ConvTranspose2d(1, 1, 4), nn.Conv1d(1, 1, 3))
    kinds = [type(layer) for layer in net]
    in_parts(net)
    assert [type(layer) for layer in net] == kinds
