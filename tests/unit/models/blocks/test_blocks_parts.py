"""Layers that are computed part by part."""

import pytest
import torch
from torch import nn

from models.blocks import parts
from models.blocks.parts import SquareConv2d


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
@pytest.mark.parametrize("count", [1, 2, 5, 1000])
@pytest.mark.parametrize("bias", [True, False])
def test_stretches_of_rows_are_the_whole(rows, count, bias, monkeypatch):
    """Whatever their number, with somebody who looks on before each."""
    torch.manual_seed(0)
    layer = SquareConv2d(6, 4, bias=bias).eval()
    features = torch.randn(2, 6, rows, 9)
    work = 2 * layer.weight.numel() * features[:, 0].numel()
    monkeypatch.setattr(parts, "MOST_WORK", work / count)
    looks = []
    layer.register_forward_pre_hook(lambda _, inputs: looks.append(inputs[0].shape))
    with torch.inference_mode():
        torch.testing.assert_close(layer(features), nn.functional.conv2d(features, layer.weight, layer.bias, padding=1))
        assert len(looks) >= min(rows, count)
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(features).dtype == torch.bfloat16
