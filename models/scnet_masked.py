"""Masked SCNet: the network's output is refined into masks for the mixture's spectrogram.

In addition, its spectrogram has a window, and it learns positions on the frequency axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.stft import complex_product
from models.scnet import Scnet, ScnetParams

MASK_WIDTH = 64


@dataclass(frozen=True)
class ScnetMaskedParams(ScnetParams):
    """The options of SCNet."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.audio_channels != 2:  # noqa: PLR2004 - the mask layers' widths are those of stereo
            raise ValueError("`model.audio_channels` must be 2.")


class ScnetMasked(Scnet):
    """The network with the keys of public masked SCNet checkpoints."""

    WINDOW: ClassVar[Callable[..., Tensor]] = torch.hann_window

    def __init__(self, params: ScnetMaskedParams) -> None:
        super().__init__(params)
        channels = params.dims[0] * len(params.sources)
        self.pos_embed_f = nn.Parameter(torch.zeros(1, params.dims[0], params.nfft // 2 + 1, 1))
        self.mask_layer = nn.Sequential(
            nn.Conv2d(channels, MASK_WIDTH, 3, padding=1), nn.GELU(), nn.Conv2d(MASK_WIDTH, channels, 1), nn.Tanh()
        )

    def _estimate(self, parts: Tensor, stems: Sequence[int] | None) -> Tensor:
        """(batch, channels, bins, frames, 2) to (batch, stems, channels, bins, frames, 2)."""
        features = parts.permute(0, 1, 4, 2, 3).flatten(1, 2)
        refined = self._separate(features + self.pos_embed_f, None)
        masks = self._split_stems(self._masks(refined, self._kept_channels(stems)).float())
        return complex_product(parts[:, None], masks.contiguous())

    def _masks(self, features: Tensor, kept_channels: list[int] | None) -> Tensor:
        widen, activate, narrow, bound = cast(
            "tuple[nn.Conv2d, nn.Module, nn.Conv2d, nn.Module]", tuple(self.mask_layer)
        )
        weight, bias = narrow.weight, cast("Tensor", narrow.bias)
        if kept_channels is not None:
            weight, bias = weight[kept_channels], bias[kept_channels]
        masks: Tensor = bound(F.conv2d(activate(widen(features)), weight, bias))
        return masks
