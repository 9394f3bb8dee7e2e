"""Conv-TasNet: masks for a representation of the signal that the network learns itself, without a spectrogram.

A convolution turns short overlapping pieces of the signal into features, blocks of ever more dilated convolutions look
at them, and the masked features become pieces of each stem's signal again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.sections import Section

EPS = 1e-8
MOST_DILATIONS = 20  # the last one looks ten seconds ahead at the public hop and rate
MASKS = ("relu", "softmax")
LETTERS = ("N", "L", "B", "H", "P", "X", "R")


@dataclass(frozen=True, kw_only=True)
class TasnetParams:
    """The options of the class from which the public models come, with its letters and defaults.

    N features of pieces of L samples; blocks of B channels, inside H; convolutions of P taps; R times X blocks, each with
    twice the dilation of the one before.
    """

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    audio_channels: int = 2
    N: int = 256
    L: int = 20
    B: int = 256
    H: int = 512
    P: int = 3
    X: int = 8
    R: int = 4
    norm_type: str = "gLN"
    causal: bool = False
    mask_nonlinear: str = "relu"

    def __post_init__(self) -> None:
        if self.L < 2:  # noqa: PLR2004 - pieces overlap by half
            raise ValueError(f"`model.L` must be at least 2, so that pieces overlap, not {self.L}.")
        if self.P % 2 == 0 and not self.causal:
            raise ValueError("`model.P` must be odd, so that it has a middle, unless `model.causal` is true.")
        if self.X > MOST_DILATIONS:
            raise ValueError(f"`model.X` is {self.X}, but no signal is as long as so many dilations.")
        if self.norm_type not in NORMS:
            raise ValueError(f"`model.norm_type` must be one of {', '.join(NORMS)}; it is `{self.norm_type}`.")
        if self.mask_nonlinear not in MASKS:
            raise ValueError(
                f"`model.mask_nonlinear` must be one of {', '.join(MASKS)}; it is `{self.mask_nonlinear}`."
            )

    @classmethod
    def tiny(cls) -> TasnetParams:
        """Small enough for a test: two stems."""
        return cls(sources=("vocals", "other"), N=16, L=8, B=8, H=12, X=3, R=2)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TasnetParams:
        """The parameters that a configuration describes."""
        model = Section(config, "model")
        model.reject_unknown(field.name for field in fields(cls))
        return cls(
            sources=model.names("sources", cls.sources),
            audio_channels=model.integer("audio_channels", cls.audio_channels),
            **{letter: model.integer(letter, getattr(cls, letter)) for letter in LETTERS},
            norm_type=model.text("norm_type", cls.norm_type),
            causal=model.switch("causal", default=cls.causal),
            mask_nonlinear=model.text("mask_nonlinear", cls.mask_nonlinear),
        )

    @property
    def channels(self) -> int:
        return self.audio_channels

    @property
    def outputs(self) -> int:
        return len(self.sources)


class Tasnet(nn.Module):
    """The network. Its layers have the keys of public checkpoints."""

    def __init__(self, params: TasnetParams) -> None:
        super().__init__()
        self.params = params
        pieces = nn.Conv1d(params.audio_channels, params.N, params.L, params.L // 2, bias=False)
        self.encoder = nn.ModuleDict({"conv1d_U": pieces})
        repeats = [nn.Sequential(*[_block(params, 2**number) for number in range(params.X)]) for _ in range(params.R)]
        network = nn.Sequential(
            FrameNorm(params.N),
            nn.Conv1d(params.N, params.B, 1, bias=False),
            nn.Sequential(*repeats),
            nn.Conv1d(params.B, params.outputs * params.N, 1, bias=False),
        )
        self.separator = nn.ModuleDict({"network": network})
        self.decoder = nn.ModuleDict(
            {"basis_signals": nn.Linear(params.N, params.audio_channels * params.L, bias=False)}
        )

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples). `stems` are the indices of the heads to run."""
        samples = mix.shape[-1]
        features = F.relu(self.encoder["conv1d_U"](F.pad(mix, (0, max(0, self.params.L - samples)))).float())
        masked = features[:, None] * self._masks(features, stems)
        signal = self._overlapped(masked.flatten(0, 1)).float()[..., :samples]
        # The last samples that fill no piece are in no stem.
        whole = F.pad(signal, (0, samples - signal.shape[-1]))
        return torch.unflatten(whole, 0, masked.shape[:2])

    def _masks(self, features: Tensor, stems: Sequence[int] | None) -> Tensor:
        """(batch, features, frames) to (batch, stems, features, frames)."""
        norm, narrow, blocks, widen = cast(
            "tuple[nn.Module, nn.Module, nn.Module, nn.Conv1d]", tuple(self.separator["network"])
        )
        # What blocks add up to stays in single precision, even if their products do not.
        tokens = blocks(narrow(norm(features)).float())
        heads = torch.unflatten(widen.weight, 0, (self.params.outputs, -1))
        wanted = range(self.params.outputs) if stems is None else list(stems)
        if self.params.mask_nonlinear == "softmax":
            scores = torch.unflatten(F.conv1d(tokens, widen.weight), 1, heads.shape[:2])
            return scores.softmax(dim=1)[:, wanted]
        chosen = heads if stems is None else heads[wanted]
        return torch.unflatten(F.conv1d(tokens, chosen.flatten(0, 1)), 1, chosen.shape[:2]).relu()

    def _overlapped(self, features: Tensor) -> Tensor:
        """The sum of the pieces, each half a piece after the one before: a convolution, transposed."""
        weight = self.decoder["basis_signals"].weight
        pieces = torch.unflatten(weight.T, 1, (self.params.audio_channels, self.params.L))
        return F.conv_transpose1d(features, pieces, stride=self.params.L // 2)


def _block(params: TasnetParams, dilation: int) -> nn.Module:
    make_norm = NORMS[params.norm_type]
    padding = (params.P - 1) * dilation
    ahead = DilatedConv(params.H, params.P, dilation, (padding, 0) if params.causal else (padding // 2, padding // 2))
    # In causal networks, checkpoints count a layer that has no weights.
    cut = [nn.Identity()] if params.causal else []
    along = nn.ModuleDict(
        {"net": nn.Sequential(ahead, *cut, Slope(), make_norm(params.H), nn.Conv1d(params.H, params.B, 1, bias=False))}
    )
    return DilatedBlock(nn.Conv1d(params.B, params.H, 1, bias=False), Slope(), make_norm(params.H), along)


class DilatedBlock(nn.Module):
    """Widen, convolve each channel over time, narrow; added to the input."""

    def __init__(self, widen: nn.Module, slope: nn.Module, norm: nn.Module, along: nn.ModuleDict) -> None:
        super().__init__()
        self.net = nn.ModuleList((widen, slope, norm, along))

    def forward(self, features: Tensor) -> Tensor:
        widen, slope, norm, along = self.net
        refined: Tensor = cast("nn.ModuleDict", along)["net"](norm(slope(widen(features))))
        return features + refined


class DilatedConv(nn.Conv1d):
    """A convolution of each channel by itself, with silence before and after."""

    def __init__(self, width: int, taps: int, dilation: int, silence: tuple[int, int]) -> None:
        super().__init__(width, width, taps, dilation=dilation, groups=width, bias=False)
        self.silence = silence

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(F.pad(features, self.silence))


class Slope(nn.Module):
    """Negative values times a learned factor."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1,), 0.25))

    def forward(self, features: Tensor) -> Tensor:
        return F.prelu(features, self.weight.type_as(features))


class FrameNorm(nn.Module):
    """Normalises each frame over its channels: (batch, channels, frames) to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, width, 1))
        self.beta = nn.Parameter(torch.zeros(1, width, 1))

    def forward(self, features: Tensor) -> Tensor:
        gamma, beta = self.gamma.flatten(), self.beta.flatten()
        return F.layer_norm(features.transpose(1, 2), gamma.shape, gamma, beta, EPS).transpose(1, 2)


class ExampleNorm(FrameNorm):
    """Normalises each example as a whole."""

    def forward(self, features: Tensor) -> Tensor:
        return F.group_norm(features, 1, self.gamma.flatten(), self.beta.flatten(), EPS)


NORMS = {"gLN": ExampleNorm, "cLN": FrameNorm, "BN": nn.BatchNorm1d}
