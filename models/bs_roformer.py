"""BS-RoFormer: separates stems by masking the mixture's spectrogram.

The bins are divided into neighbouring bands that do not overlap, and each band of each frame becomes one token.
Transformers attend along time and along the bands in turn; one small network per stem and band then gives the mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from models.blocks.roformer import Roformer, RoformerParams, require

DEFAULT_BANDS = (2,) * 24 + (4,) * 12 + (12,) * 8 + (24,) * 8 + (48,) * 8 + (128, 129)

# The keys, in checkpoints with shared biases, of the bias of all input projections and of all output projections.
SHARED_BIASES = {"to_qkv.bias": "linear_62_bias_0", "to_out.0.bias": "linear_64_bias_0"}


@dataclass(frozen=True, kw_only=True)
class BSRoformerParams(RoformerParams):
    """The options of a BS-RoFormer, named as in the public configurations."""

    freqs_per_bands: tuple[int, ...] = DEFAULT_BANDS
    use_shared_bias: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            sum(self.freqs_per_bands) == self.bins and min(self.freqs_per_bands) > 0,
            f"`model.freqs_per_bands` must divide the {self.bins} bins of `stft_n_fft` into bands, "
            f"but covers {sum(self.freqs_per_bands)}.",
        )

    @classmethod
    def tiny(cls) -> Self:
        """Small enough for a test."""
        return cls.small(freqs_per_bands=(2, 2, 2, 4, 4, 8, 11))


class BSRoformer(Roformer):
    """The network with the keys of public BS-RoFormer checkpoints."""

    def __init__(self, params: BSRoformerParams) -> None:
        shared = _shared_biases(params) if params.use_shared_bias else None
        super().__init__(params, params.freqs_per_bands, shared_biases=shared)
        if shared is not None:
            self.linear_62_bias_0, self.linear_64_bias_0 = shared
            self.register_load_state_dict_pre_hook(_complete_before_loading)  # type: ignore[no-untyped-call]  # so in torch

    def complete_state(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A checkpoint's tensors, with the shared biases under each of their keys, which some files leave out."""
        names = {key: _shared_name(key) for key in self.state_dict()}
        return {**{key: tensors[name] for key, name in names.items() if name in tensors}, **tensors}

    def _gather_bands(self, spectrum: Tensor) -> Tensor:
        return spectrum.flatten(-2)

    def _merge_bands(self, mask: Tensor) -> Tensor:
        return torch.unflatten(mask, -1, (self.params.bins, -1))


def _shared_biases(params: BSRoformerParams) -> tuple[nn.Parameter, nn.Parameter]:
    inner = params.heads * params.dim_head
    return nn.Parameter(torch.zeros(3 * inner)), nn.Parameter(torch.zeros(params.dim))


def _shared_name(key: str) -> str:
    return next((shared for own, shared in SHARED_BIASES.items() if key.endswith(own)), "")


def _complete_before_loading(net: BSRoformer, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    own = {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
    state.update({prefix + key: tensor for key, tensor in net.complete_state(own).items()})
