"""Small band-split transformers with random weights, for the tests of this folder."""

import torch
from torch import Tensor, nn

from models.bs_roformer import BSRoformer, BSRoformerParams
from models.mel_band_roformer import MelBandRoformer, MelBandRoformerParams

NETWORKS = {"bs": (BSRoformerParams, BSRoformer), "mel": (MelBandRoformerParams, MelBandRoformer)}


def with_random_weights(net: nn.Module, seed: int = 1) -> nn.Module:
    """Every parameter moved at random from where it starts, so that none is neutral."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return net.eval()


def noise(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def largest_difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())
