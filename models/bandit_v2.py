"""BandIt, second generation: the same network with other keys, and with the values of a band in a different order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from models.bandit import (
    ONLY_VALUES,
    BanditParams,
    BandMask,
    BandRnn,
    Generation,
    StoredWindow,
    separate,
    spectrogram_of,
)


@dataclass(frozen=True)
class BanditV2Params(BanditParams):
    """The section `kwargs` of a public configuration."""

    SECTION: ClassVar[str] = "kwargs"
    BAND_KIND: ClassVar[str] = "band_type"
    FIXED: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **ONLY_VALUES,
        "in_channels": (1,),
        "treat_channel_as_feature": (True,),
    }
    IGNORED: ClassVar[tuple[str, ...]] = (
        "require_no_overlap", "require_no_gap",
        "stft_precisions", "bandsplit_precisions", "tf_model_precisions", "mask_estim_precisions",
    )  # fmt: skip


class BanditV2(BandRnn):
    """The network with the keys of public BandIt v2 checkpoints."""

    def __init__(self, params: BanditV2Params) -> None:
        generation = Generation(SequentialNormedLinear, RepeatedBandMask, real_parts_first=False, layers_apart=2)
        super().__init__(params, generation)
        self.stft, self.istft = StoredWindow(params.win_length), StoredWindow(params.win_length)
        self.spectrogram = spectrogram_of(params, self.stft)

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples). `stems` are the indices of the heads to run."""
        return separate(self, self.spectrogram, mix, stems)


class SequentialNormedLinear(nn.Module):
    """The values of one band to a token."""

    def __init__(self, values: int, width: int) -> None:
        super().__init__()
        self.combined = nn.Sequential(nn.LayerNorm(values), nn.Linear(values, width))

    def forward(self, values: Tensor) -> Tensor:
        token: Tensor = self.combined(values)
        return token


class RepeatedBandMask(BandMask):
    """The mask of one band from its tokens. Checkpoints hold its layers a second time, as a sequence."""

    def __init__(self, params: BanditParams, values: int) -> None:
        super().__init__(params, values)
        self.combined = nn.Sequential(self.norm, self.hidden, self.output)
