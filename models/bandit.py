"""BandIt: separates speech, music and effects of films by masking the spectrogram of each audio channel by itself.

Overlapping bands of equal musical width become tokens. Recurrent layers run along time and along the bands in turn;
one small network per stem and band then gives the band's mask, and masks that overlap are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.musical import musical_bands, shares_of_bins
from models.blocks.recurrent import KINDS, kept_flat, run_recurrent
from models.blocks.sections import Section
from models.blocks.stft import Stft, complex_product

# Options that have the same value in all public networks; no other value is supported.
ONLY_VALUES: dict[str, tuple[Any, ...]] = {
    "normalize_channel_independently": (False,),
    "hidden_activation": ("Tanh",),
    "hidden_activation_kwargs": (None, {}),
    "complex_mask": (True,),
    "window_fn": ("hann_window",),
    "wkwargs": (None, {}),
    "power": (None,),
    "center": (True,),
    "onesided": (True,),
}
PAD_MODES = ("constant", "reflect")


@dataclass(frozen=True)
class BanditParams:
    """The options of a public configuration, with its names and defaults."""

    stems: tuple[str, ...]
    n_bands: int = 64
    fs: int = 44100
    n_sqm_modules: int = 12
    emb_dim: int = 128
    rnn_dim: int = 256
    rnn_type: str = "LSTM"
    bidirectional: bool = True
    mlp_dim: int = 512
    use_freq_weights: bool = True
    n_fft: int = 2048
    win_length: int = 2048
    hop_length: int = 512
    normalized: bool = True
    pad_mode: str = "constant"

    SECTION: ClassVar[str] = "model"
    BAND_KIND: ClassVar[str] = "band_specs"
    FIXED: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **ONLY_VALUES, "in_channel": (1,), "cond_dim": (0,), "mult_add_mask": (False,), "normalize_input": (False,)
    }  # fmt: skip
    IGNORED: ClassVar[tuple[str, ...]] = (
        "require_no_overlap", "require_no_gap", "treat_channel_as_feature", "freeze_encoder",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.rnn_type not in KINDS:
            raise ValueError(f"`{self.SECTION}.rnn_type` must be one of {', '.join(KINDS)}, not `{self.rnn_type}`.")
        if self.pad_mode not in PAD_MODES:
            raise ValueError(f"`{self.SECTION}.pad_mode` must be one of {', '.join(PAD_MODES)}, not `{self.pad_mode}`.")
        if self.win_length > self.n_fft:
            raise ValueError(f"`{self.SECTION}.win_length` must not be longer than `{self.SECTION}.n_fft`.")

    @classmethod
    def tiny(cls) -> Self:
        """Small enough for a test: two stems, two recurrent layers."""
        return cls(
            stems=("speech", "music"), n_bands=8, n_sqm_modules=1, emb_dim=8, rnn_dim=8, rnn_type="GRU", mlp_dim=16,
            n_fft=256, win_length=256, hop_length=64,
        )  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The parameters that a public configuration describes."""
        model = Section(config, cls.SECTION)
        model.reject_unknown([*cls.__dataclass_fields__, cls.BAND_KIND, *cls.FIXED], cls.IGNORED)
        if not model.text(cls.BAND_KIND, "musical").endswith("musical"):
            raise ValueError(f"The configuration's `{cls.SECTION}.{cls.BAND_KIND}` must be musical.")
        for key, allowed in cls.FIXED.items():
            if model.values.get(key, allowed[0]) not in allowed:
                raise ValueError(f"The configuration's `{cls.SECTION}.{key}` must be {allowed[0]!r}.")
        n_fft = model.integer("n_fft", cls.n_fft)
        return cls(
            stems=model.names("stems"),
            n_bands=model.integer("n_bands", cls.n_bands),
            fs=model.integer("fs", cls.fs),
            n_sqm_modules=model.integer("n_sqm_modules", cls.n_sqm_modules),
            emb_dim=model.integer("emb_dim", cls.emb_dim),
            rnn_dim=model.integer("rnn_dim", cls.rnn_dim),
            rnn_type=model.text("rnn_type", cls.rnn_type),
            bidirectional=model.switch("bidirectional", default=cls.bidirectional),
            mlp_dim=model.integer("mlp_dim", cls.mlp_dim),
            use_freq_weights=model.switch("use_freq_weights", default=cls.use_freq_weights),
            n_fft=n_fft,
            win_length=n_fft if model.values.get("win_length") is None else model.integer("win_length"),
            hop_length=model.integer("hop_length", cls.hop_length),
            normalized=model.switch("normalized", default=cls.normalized),
            pad_mode=model.text("pad_mode", cls.pad_mode),
        )

    @property
    def outputs(self) -> int:
        return len(self.stems)

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    @cached_property
    def bands(self) -> tuple[range, ...]:
        """The bins of each band."""
        return tuple(musical_bands(self.fs, self.n_fft, self.n_bands))


class Bandit(nn.Module):
    """The network with the keys of public BandIt checkpoints."""

    def __init__(self, params: BanditParams) -> None:
        super().__init__()
        self.params = params
        self.stft, self.istft = StoredWindow(params.win_length), StoredWindow(params.win_length)
        self.bsrnn = BandRnn(params, Generation(NormedLinear, BandMask))
        self.spectrogram = spectrogram_of(params, self.stft)

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples). `stems` are the indices of the heads to run."""
        return separate(self.bsrnn, self.spectrogram, mix, stems)


class StoredWindow(nn.Module):
    """The window of a spectrogram, which checkpoints hold for both directions."""

    window: Tensor

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(samples))


def window_of(stored: StoredWindow, _: int, device: torch.device) -> Tensor:
    return stored.window.to(device, torch.float32, copy=True)


def spectrogram_of(params: BanditParams, stored: StoredWindow) -> Stft:
    """The transform of a network, with the window of its checkpoint."""
    return Stft(
        params.n_fft, params.hop_length, params.win_length, pad_mode=params.pad_mode,
        window=partial(window_of, stored),
    )  # fmt: skip


def separate(core: BandRnn, spectrogram: Stft, mix: Tensor, stems: Sequence[int] | None) -> Tensor:
    """Mask the spectrogram of each audio channel by itself: (batch, channels, samples) to one more axis for stems."""
    samples = mix.shape[-1]
    # Mirroring the signal at its ends takes more samples than half a window.
    signals = F.pad(mix, (0, max(0, spectrogram.n_fft // 2 + 1 - samples))).flatten(0, 1)
    gain = spectrogram.window.get(mix.device).norm().reciprocal() if core.params.normalized else 1.0
    masked = core.masked(spectrogram(signals), stems, gain)
    estimates: Tensor = spectrogram.inverse(masked, signals.shape[-1])[..., :samples]
    return torch.unflatten(estimates, 0, mix.shape[:2]).transpose(1, 2)


# From a spectrum to the masked spectra --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Generation:
    """What differs between the generations of BandIt: the modules of a band, and the order of values and layers."""

    split: type[nn.Module]
    mask: type[BandMask]
    real_parts_first: bool = True
    layers_apart: int = 1


class BandRnn(nn.Module):
    """Masks (signals, bins, frames, 2). Features are (frames, signals, bands, width), as recurrent kernels need them."""

    def __init__(self, params: BanditParams, generation: Generation) -> None:
        super().__init__()
        self.params = params
        self.band_split = BandEmbedding(params, generation)
        self.tf_model = RecurrentStack(params, generation)
        self.mask_estim = nn.ModuleDict({stem: StemMask(params, generation) for stem in params.stems})

    def masked(self, parts: Tensor, stems: Sequence[int] | None, gain: Tensor | float) -> Tensor:
        """(signals, stems, bins, frames, 2). The network sees the spectrum times `gain`."""
        estimators = list(self.mask_estim.values())
        wanted = estimators if stems is None else [estimators[stem] for stem in stems]
        tokens = self.tf_model(self.band_split(parts.permute(2, 0, 1, 3) * gain))
        masks = torch.stack([estimate(tokens) for estimate in wanted])
        return complex_product(parts[:, None], masks.permute(2, 0, 3, 1, 4))


class BandEmbedding(nn.Module):
    """(frames, signals, bins, 2) to features, one band after another, since hardly any two have the same width."""

    def __init__(self, params: BanditParams, generation: Generation) -> None:
        super().__init__()
        self.bands = params.bands
        self.real_parts_first = generation.real_parts_first
        self.norm_fc_modules = nn.ModuleList(generation.split(2 * len(band), params.emb_dim) for band in params.bands)

    def forward(self, spectrum: Tensor) -> Tensor:
        values = spectrum.transpose(-1, -2) if self.real_parts_first else spectrum
        axis = -1 if self.real_parts_first else -2
        bands = [values.narrow(axis, band.start, len(band)).flatten(-2) for band in self.bands]
        return torch.stack(
            [embed(band) for embed, band in zip(self.norm_fc_modules, bands, strict=True)], dim=2
        ).float()


class NormedLinear(nn.Module):
    """The values of one band to a token."""

    def __init__(self, values: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(values)
        self.fc = nn.Linear(values, width)

    def forward(self, values: Tensor) -> Tensor:
        token: Tensor = self.fc(self.norm(values))
        return token


class RecurrentStack(nn.Module):
    """Recurrent layers along time and along the bands in turn."""

    def __init__(self, params: BanditParams, generation: Generation) -> None:
        super().__init__()
        numbers = range(2 * params.n_sqm_modules * generation.layers_apart)
        self.layers_apart = generation.layers_apart
        self.seqband = nn.ModuleList(
            nn.Identity() if number % generation.layers_apart else ResidualRnn(params) for number in numbers
        )

    def forward(self, features: Tensor) -> Tensor:
        for layer in self.seqband[:: self.layers_apart]:
            features = layer(features).transpose(0, 2).contiguous()
        return features


class ResidualRnn(nn.Module):
    """Norm, recurrent layer along the first axis, and projection to the width; added to the input."""

    def __init__(self, params: BanditParams) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(params.emb_dim)
        rnn = KINDS[params.rnn_type](params.emb_dim, params.rnn_dim, bidirectional=params.bidirectional)
        self.rnn = kept_flat(rnn)
        self.fc = nn.Linear(params.rnn_dim * (1 + params.bidirectional), params.emb_dim)

    def forward(self, features: Tensor) -> Tensor:
        sequences = self.norm(features).flatten(1, 2)
        change: Tensor = self.fc(run_recurrent(self.rnn, sequences))
        return features + change.view_as(features)


class StemMask(nn.Module):
    """One stem's mask: features to (frames, signals, bins, 2)."""

    def __init__(self, params: BanditParams, generation: Generation) -> None:
        super().__init__()
        self.bands, self.bins = params.bands, params.bins
        self.norm_mlp = nn.ModuleList(generation.mask(params, 2 * len(band)) for band in params.bands)
        self.weighted = params.use_freq_weights
        if params.use_freq_weights or generation.mask is BandMask:
            for number, share in enumerate(shares_of_bins(params.bands)):
                self.register_buffer(share_key(number), torch.from_numpy(share))

    def forward(self, features: Tensor) -> Tensor:
        mask = features.new_zeros((*features.shape[:2], self.bins, 2))
        for number, (band, estimate) in enumerate(zip(self.bands, self.norm_mlp, strict=True)):
            part = torch.unflatten(estimate(features[:, :, number]), -1, (-1, 2))
            covered = mask.narrow(2, band.start, len(band))
            if self.weighted:
                covered.addcmul_(part, self.get_buffer(share_key(number))[:, None])
            else:
                covered.add_(part)
        return mask


def share_key(number: int) -> str:
    """The key of a band's shares in checkpoints."""
    return f"freq_weights/{number}"


class BandMask(nn.Module):
    """The mask of one band from its tokens."""

    def __init__(self, params: BanditParams, values: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(params.emb_dim)
        self.hidden = nn.Sequential(nn.Linear(params.emb_dim, params.mlp_dim), nn.Tanh())
        self.output = nn.Sequential(nn.Linear(params.mlp_dim, 2 * values), nn.GLU(dim=-1))

    def forward(self, tokens: Tensor) -> Tensor:
        mask: Tensor = self.output(self.hidden(self.norm(tokens)))
        return mask
