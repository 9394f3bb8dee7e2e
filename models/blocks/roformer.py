"""What the band-split transformers have in common: spectrum to bands, transformers along time and along the bands,
one mask per stem, masked spectrum to signal. A network adds its bands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar, Self, cast, get_type_hints

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.bands import BandSplit, MaskEstimator
from models.blocks.norms import RMSNorm
from models.blocks.sections import Section
from models.blocks.stft import Stft, complex_product
from models.blocks.transformer import Attention, Heads, LinearAttention, Positions, RotaryPositions, Transformer

# Keys for training and for the choice of kernels. They do not change what the network computes.
IGNORED_KEYS = frozenset(
    {
        "attn_dropout",
        "conv_dropout",
        "dim_freqs_in",
        "ff_dropout",
        "flash_attn",
        "multi_stft_hop_size",
        "multi_stft_normalized",
        "multi_stft_resolution_loss_weight",
        "multi_stft_resolutions_window_sizes",
        "sage_attention",
        "use_torch_checkpoint",
    }
)
MAY_BE_ZERO = frozenset({"linear_transformer_depth", "linear_conformer_depth"})


@dataclass(frozen=True, kw_only=True)
class RoformerParams:
    """The options that the band-split transformers share, named as in the public configurations."""

    dim: int
    depth: int
    stereo: bool = False
    num_stems: int = 1
    time_transformer_depth: int = 2
    freq_transformer_depth: int = 2
    linear_transformer_depth: int = 0
    dim_head: int = 64
    heads: int = 8
    stft_n_fft: int = 2048
    stft_hop_length: int = 512
    stft_win_length: int = 2048
    stft_normalized: bool = False
    zero_dc: bool = True
    mask_estimator_depth: int = 2
    mlp_expansion_factor: int = 4
    skip_connection: bool = False

    def __post_init__(self) -> None:
        require(self.dim_head % 2 == 0, f"`model.dim_head` must be even, not {self.dim_head}.")
        require(
            self.stft_win_length <= self.stft_n_fft,
            f"`model.stft_win_length` must not be longer than `stft_n_fft`, but is {self.stft_win_length}.",
        )

    @classmethod
    def small(cls, **own: Any) -> Self:
        """Complete, but small; `own` are the options that the network adds."""
        return cls(
            dim=8, depth=2, stereo=True, num_stems=2, time_transformer_depth=1, freq_transformer_depth=1,
            dim_head=4, heads=2, stft_n_fft=64, stft_hop_length=16, stft_win_length=64, mlp_expansion_factor=2, **own,
        )  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The parameters that a public configuration describes. Raises `ValueError`, which says what is wrong in it."""
        model = Section(config, "model")
        names = {field.name: cls.option(field.name) for field in fields(cls)}
        model.reject_unknown(names.values(), IGNORED_KEYS)
        types = get_type_hints(cls)
        return cls(**{name: _read(model, key, types[name], getattr(cls, name, None)) for name, key in names.items()})

    @classmethod
    def option(cls, name: str) -> str:
        """What configurations call the parameter `name`."""
        return name

    @property
    def mask_linears(self) -> int:
        """The number of linear layers in the mask estimators."""
        return self.mask_estimator_depth

    @property
    def channels(self) -> int:
        return 2 if self.stereo else 1

    @property
    def outputs(self) -> int:
        return self.num_stems

    @property
    def bins(self) -> int:
        return self.stft_n_fft // 2 + 1


def require(condition: bool, message: str) -> None:
    """Raise `ValueError` with `message` unless `condition` holds."""
    if not condition:
        raise ValueError(message)


def _read(model: Section, name: str, kind: type, default: Any) -> Any:
    if kind is bool:
        return model.switch(name, default=default)
    if kind is not int:
        return model.integers(name, default)
    return 0 if name in MAY_BE_ZERO and model.values.get(name, default) == 0 else model.integer(name, default)


class Roformer(nn.Module, ABC):
    """(batch, channels, samples) to (batch, stems, channels, samples). `band_bins` is the number of bins in each band."""

    NORM_EACH: ClassVar[bool] = False  # every transformer ends in a norm of its own
    NORM_LAST: ClassVar[bool] = True  # a norm follows the last layer

    def __init__(
        self,
        params: RoformerParams,
        band_bins: Sequence[int],
        *,
        shared_biases: tuple[nn.Parameter, nn.Parameter] | None = None,
    ) -> None:
        super().__init__()
        self.params = params
        widths = [2 * params.channels * bins for bins in band_bins]
        self.stft = Stft(
            params.stft_n_fft, params.stft_hop_length, params.stft_win_length, normalized=params.stft_normalized
        )
        self.band_split = BandSplit(params.dim, widths)
        self.layers = self._make_layers(shared_biases)
        self.final_norm = RMSNorm(params.dim) if self.NORM_LAST else nn.Identity()
        self.mask_estimators = nn.ModuleList(self._make_mask_estimator(widths) for _ in range(params.num_stems))

    def _make_layers(self, shared_biases: tuple[nn.Parameter, nn.Parameter] | None) -> nn.ModuleList:
        heads = Heads(self.params.dim, self.params.heads, self.params.dim_head)
        linear = partial(Transformer, self.params.dim, norm_output=self.NORM_EACH)
        # All layers share the positions of an axis.
        by_time, by_band = (
            partial(Attention, heads, self._make_positions(heads), shared_biases) for _ in ("time", "bands")
        )
        kinds = (
            (linear, self.params.linear_transformer_depth, partial(LinearAttention, heads)),
            (self._make_block, self.params.time_transformer_depth, by_time),
            (self._make_block, self.params.freq_transformer_depth, by_band),
        )
        return nn.ModuleList(
            nn.ModuleList(make(depth, attention) for make, depth, attention in kinds if depth)
            for _ in range(self.params.depth)
        )

    def _make_positions(self, heads: Heads) -> Positions:
        """The positions along one axis."""
        return RotaryPositions(heads.dim_head)

    def _make_block(self, depth: int, attention: Callable[[], nn.Module]) -> nn.Module:
        """What one layer does along one axis."""
        return Transformer(self.params.dim, depth, attention, norm_output=self.NORM_EACH)

    def _make_mask_estimator(self, widths: Sequence[int]) -> nn.Module:
        """The head of one stem: (batch, frames, bands, dim) to (batch, frames, values of all bands)."""
        hidden = self.params.dim * self.params.mlp_expansion_factor
        return MaskEstimator(self.params.dim, widths, hidden=hidden, linears=self.params.mask_linears)

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """The stems of a mix; with `stems`, only those heads are run, in that order."""
        if mix.ndim != 3 or mix.shape[1] != self.params.channels:  # noqa: PLR2004 - the axes named below
            raise ValueError(f"The network takes (batch, {self.params.channels}, samples), not {tuple(mix.shape)}.")
        # Mirroring the signal at its ends takes more samples than half a window.
        samples = mix.shape[-1]
        spectrum = self.stft(F.pad(mix, (0, max(0, self.stft.bins - samples))))
        bands = self._gather_bands(spectrum.permute(0, 3, 2, 1, 4).flatten(-2))
        # The residual stream of the transformers stays in single precision, even if their products do not.
        tokens = self._transform(self.band_split(bands).float())
        heads = range(self.params.num_stems) if stems is None else stems
        masks = torch.stack([self._mask(head, tokens) for head in heads], dim=1)
        masked = complex_product(spectrum[:, None], masks)
        if self.params.zero_dc:
            masked[..., 0, :, :] = 0
        signal: Tensor = self.stft.inverse(masked, max(samples, self.stft.bins))
        return signal[..., :samples]

    @abstractmethod
    def _gather_bands(self, spectrum: Tensor) -> Tensor:
        """(batch, frames, bins, values of a bin) to (batch, frames, values of all bands)."""

    @abstractmethod
    def _merge_bands(self, mask: Tensor) -> Tensor:
        """(batch, frames, values of all bands) to (batch, frames, bins, values of a bin)."""

    def _mask(self, head: int, tokens: Tensor) -> Tensor:
        """(batch, channels, bins, frames, 2), in single precision; in memory, frames come first."""
        mask = self._merge_bands(self.mask_estimators[head](tokens).float())
        return torch.unflatten(mask, -1, (self.params.channels, 2)).permute(0, 3, 2, 1, 4)

    def _transform(self, x: Tensor) -> Tensor:
        earlier = None  # the sum of the outputs of all previous layers
        for layer in self.layers:
            *linear, along_time, along_bands = cast(nn.ModuleList, layer)
            for transformer in linear:
                x = transformer(x.flatten(1, 2)[:, None]).view_as(x)
            if earlier is not None:
                x = x + earlier
            x = along_time(x.transpose(1, 2)).transpose(1, 2)
            x = along_bands(x)
            if self.params.skip_connection:
                earlier = x if earlier is None else earlier + x
        normed: Tensor = self.final_norm(x)
        return normed
