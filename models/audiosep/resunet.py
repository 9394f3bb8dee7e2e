"""ResUNet30, the separator of AudioSep: a U-net over a mono spectrogram that writes a mask for what a condition describes.

The condition, an embedding of 512 values, is added to the bias of every batch norm (FiLM without a scale). So its effect
is computed once per condition, and the spectrogram once per piece of audio, however many conditions there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.audiosep.checkpoints import NUMBERS
from models.blocks.buffers import Derived
from models.blocks.sections import Section
from models.blocks.stft import Stft, complex_product

SAMPLE_RATE = 32000
N_FFT = 2048
HOP_SAMPLES = 320
SLOPE = 0.01
LEAST_POWER = 1e-10
CHANNELS_LAST_DEVICES = frozenset({"cpu", "cuda"})
MASK_MAPS = 3  # the magnitude, and the two components of the phase rotation
FRAMES_MULTIPLE = 32
POOLINGS = ((2, 2), (2, 2), (2, 2), (2, 2), (2, 2), (1, 2))  # time and frequency, of each encoder block
WIDTHS = (32, 32, 64, 128, 256, 384, 384, 384)

MODEL_KEYS = ("model_type", "input_channels", "output_channels", "condition_size", "widths")
IGNORED_KEYS = ("query_net", "resume_checkpoint", "use_text_ratio")

# Transforms that the checkpoints hold as matrices; `Stft` does the same.
STORED_TRANSFORMS = ("base.stft.", "base.istft.")
SEPARATOR, QUERY_ENCODER = "ss_model.", "query_encoder."

# What a condition adds to each norm, by the name of its FiLM layer.
Shifts = Mapping[str, Tensor]


@dataclass(frozen=True)
class ResUNet30Params:
    """`widths` are the channels after the first layer, of the six levels, and between encoder and decoder."""

    condition_size: int = 512
    sample_rate: int = SAMPLE_RATE
    widths: tuple[int, ...] = WIDTHS

    def __post_init__(self) -> None:
        if len(self.widths) != len(WIDTHS):
            raise ValueError(f"`model.widths` must hold {len(WIDTHS)} numbers; it holds {len(self.widths)}.")

    @classmethod
    def tiny(cls) -> ResUNet30Params:
        """Small enough for a test: a few channels on each level."""
        return cls(condition_size=16, widths=(4, 4, 6, 8, 8, 8, 8, 8))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ResUNet30Params:
        """The parameters that a public configuration describes."""
        data, model = Section(config, "data"), Section(config, "model")
        model.reject_unknown(MODEL_KEYS, IGNORED_KEYS)
        if model.text("model_type", "ResUNet30") != "ResUNet30":
            raise ValueError(
                f"The configuration's `model.model_type` must be ResUNet30; it is {model.text('model_type')}."
            )
        for key in ("input_channels", "output_channels"):
            if model.integer(key, 1) != 1:
                raise ValueError(f"The configuration's `model.{key}` must be 1: this network is mono.")
        return cls(
            condition_size=model.integer("condition_size", cls.condition_size),
            sample_rate=data.integer("sampling_rate", cls.sample_rate),
            widths=model.integers("widths", cls.widths),
        )

    @property
    def outputs(self) -> int:
        return 1

    @property
    def channels(self) -> int:
        return 1


class ResUNet30(nn.Module):
    """The network. It takes mono audio of any length at 32 kHz."""

    PICKLED_WITH = NUMBERS

    def __init__(self, params: ResUNet30Params) -> None:
        super().__init__()
        self.params = params
        self.stft = Stft(N_FFT, HOP_SAMPLES)
        self.base = Unet(params.widths)
        self.film = Film(params.condition_size, self.base)

    def forward(self, mix: Tensor, condition: Tensor) -> Tensor:
        """(batch, 1, samples) and (batch, values), or (1, values) for all, to (batch, 1, samples)."""
        if len(condition) == 1:
            return self.separate(mix, condition)
        if len(condition) != len(mix):
            raise ValueError(
                f"{len(mix)} pieces of audio need one condition each, or one for all; {len(condition)} were given."
            )
        return torch.cat([self.separate(mix[i : i + 1], condition[i : i + 1]) for i in range(len(mix))])

    def separate(self, mix: Tensor, conditions: Tensor | Sequence[Shifts]) -> Tensor:
        """(batch, 1, samples) and (queries, values), or the output of `film` for these, to (batch, queries, samples)."""
        shifts = self.film(conditions) if isinstance(conditions, Tensor) else conditions
        samples = mix.shape[-1]
        # Reflection needs more samples than half a window.
        signal = F.pad(mix, (0, max(0, N_FFT // 2 + 1 - samples)))
        parts = self.stft(signal).transpose(2, 3)
        features = self.base.describe(parts)
        estimates = [self._masked(parts, self.base(features, shift), signal.shape[-1]) for shift in shifts]
        return torch.cat(estimates, dim=1)[..., :samples]

    def complete_state(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a checkpoint that belong to this network, with its keys."""
        own = {
            key.removeprefix(SEPARATOR): tensor for key, tensor in tensors.items() if not key.startswith(QUERY_ENCODER)
        }
        return {key: tensor for key, tensor in own.items() if not key.startswith(STORED_TRANSFORMS)}

    def _masked(self, parts: Tensor, maps: Tensor, samples: int) -> Tensor:
        """The audio of (batch, 1, frames, bins, 2) under the mask of (batch, maps, frames or more, fewer bins)."""
        frames, bins = parts.shape[2:4]
        mask = F.pad(mask_of(maps[:, :, :frames].float()), (0, 0, 0, bins - maps.shape[-1]))
        estimate: Tensor = self.stft.inverse(complex_product(parts, mask[:, None]).transpose(2, 3), samples)
        return estimate


def mask_of(maps: Tensor) -> Tensor:
    """(batch, 3, frames, bins) to (batch, frames, bins, 2): a magnitude and a phase rotation per bin."""
    rotation = maps[:, 1:].tanh()
    length = torch.linalg.vector_norm(rotation, dim=1, keepdim=True).clamp(min=LEAST_POWER)
    mask: Tensor = maps[:, :1].sigmoid() / length * rotation
    return mask.permute(0, 2, 3, 1).contiguous()


class Film(nn.Module):
    """One layer per norm of the U-net, named after it: `encoder_block1->conv_block1->beta1`."""

    def __init__(self, condition_size: int, unet: nn.Module) -> None:
        super().__init__()
        for name, norm in unet.named_modules():
            if isinstance(norm, nn.BatchNorm2d) and name != "bn0":
                self.add_module(film_name(name), nn.Linear(condition_size, norm.num_features))

    def forward(self, conditions: Tensor) -> list[dict[str, Tensor]]:
        """(queries, values) to what each query adds to each norm, independent of the other queries."""
        with torch.autocast(conditions.device.type, enabled=False):
            layers = dict(self.named_children())
            return [
                {name: in_single(layer, condition) for name, layer in layers.items()}
                for condition in conditions.float()
            ]


def in_single(layer: nn.Module, condition: Tensor) -> Tensor:
    """The output of a linear layer in single precision, also where its weights are in half precision."""
    linear = cast(nn.Linear, layer)
    return F.linear(condition, linear.weight.float(), linear.bias.float())


def film_name(norm: str) -> str:
    """The name of a norm's layer: `encoder_block1->conv_block1->beta1` for `encoder_block1.conv_block1.bn1`."""
    return norm.replace(".bn", ".beta").replace(".", "->")


# The U-net -------------------------------------------------------------------------------------------------------------


class Unet(nn.Module):
    """Features are (batch, channels, frames, bins)."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        first, *levels, centre = widths
        self.bn0 = nn.BatchNorm2d(N_FFT // 2 + 1)
        self.pre_conv = nn.Conv2d(1, first, 1)
        for number, (before, width) in enumerate(pairwise((first, *levels)), start=1):
            name = f"encoder_block{number}"
            self.add_module(name, EncoderBlock(name, before, width))
        self.conv_block7a = EncoderBlock("conv_block7a", levels[-1], centre)
        upwards = zip(pairwise((centre, *reversed(levels))), reversed(POOLINGS), strict=True)
        for number, ((before, width), pooling) in enumerate(upwards, start=1):
            name = f"decoder_block{number}"
            self.add_module(name, DecoderBlock(name, before, width, pooling))
        self.after_conv = nn.Conv2d(levels[0], MASK_MAPS, 1)

    def describe(self, parts: Tensor) -> Tensor:
        """(batch, 1, frames, bins, 2) to the first features, without the last bin. They do not depend on the condition."""
        magnitude = parts.square().sum(-1).clamp(min=LEAST_POWER).sqrt()
        # The bins are the norm's channels.
        normed = normalised(self.bn0, magnitude.transpose(1, 3), self.bn0.bias).transpose(1, 3)
        return laid_out(self.pre_conv(F.pad(normed, (0, -1, 0, -parts.shape[2] % FRAMES_MULTIPLE))))

    def forward(self, features: Tensor, shift: Shifts) -> Tensor:
        """The first features to the maps of the mask: (batch, 3, frames, bins)."""
        skips = []
        for number, pooling in enumerate(POOLINGS, start=1):
            skips.append(self.get_submodule(f"encoder_block{number}")(features, shift))
            features = F.avg_pool2d(skips[-1], pooling)
        features = self.conv_block7a(features, shift)
        for number in range(1, len(POOLINGS) + 1):
            features = self.get_submodule(f"decoder_block{number}")(features, skips.pop(), shift)
        maps: Tensor = self.after_conv(features)
        return maps


class EncoderBlock(nn.Module):
    """A residual block, whose output is pooled for the next level."""

    def __init__(self, name: str, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_block1 = ResidualBlock(f"{name}.conv_block1", inputs, outputs)

    def forward(self, features: Tensor, shift: Shifts) -> Tensor:
        refined: Tensor = self.conv_block1(features, shift)
        return refined


class DecoderBlock(nn.Module):
    """One level up: upsample, and join the encoder's features. Checkpoints also hold a norm that is never used."""

    def __init__(self, name: str, inputs: int, outputs: int, pooling: tuple[int, int]) -> None:
        super().__init__()
        self.shift = film_name(f"{name}.bn1")
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.ConvTranspose2d(inputs, outputs, pooling, pooling, bias=False)
        self.bn2 = nn.BatchNorm2d(inputs)
        self.conv_block2 = ResidualBlock(f"{name}.conv_block2", 2 * outputs, outputs)

    def forward(self, features: Tensor, skip: Tensor, shift: Shifts) -> Tensor:
        upsampled = self.conv1(activated(self.bn1, features, shift[self.shift]))
        refined: Tensor = self.conv_block2(torch.cat((upsampled, skip), dim=1), shift)
        return refined


class ResidualBlock(nn.Module):
    """Two convolutions, each of normalised and activated features, with a shortcut around both."""

    def __init__(self, name: str, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shifts = film_name(f"{name}.bn1"), film_name(f"{name}.bn2")
        self.bn1 = nn.BatchNorm2d(inputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None
        self.folded = Derived(self._fold)

    def forward(self, features: Tensor, shift: Shifts) -> Tensor:
        first, second = (shift[name] for name in self.shifts)
        folded = self.folded.get()
        refined = activated(self.bn1, features, first)
        refined = F.leaky_relu_(F.conv2d(refined, folded.weight1, folded.bias1 + second, padding=1), SLOPE)
        refined = F.conv2d(refined, folded.weight2, padding=1)
        shortcut: Tensor = features if self.shortcut is None else self.shortcut(features)
        return refined.add_(shortcut)

    def _fold(self) -> Folded:
        scale, bias = affine_of(self.bn2)
        # In the precision of the layer, or autocast would convert it for each run.
        weight = (self.conv1.weight * scale[:, None, None, None]).to(self.conv1.weight.dtype)
        return Folded(laid_out(weight), bias, laid_out(self.conv2.weight))


class Folded(NamedTuple):
    """The convolutions of a residual block. The norm between them is folded into the first one; the shift is not."""

    weight1: Tensor
    bias1: Tensor
    weight2: Tensor


def activated(norm: nn.BatchNorm2d, features: Tensor, shift: Tensor) -> Tensor:
    """Normalise, shift and activate."""
    return F.leaky_relu_(normalised(norm, features, norm.bias + shift), SLOPE)


def affine_of(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The norm as a scale and an offset per channel."""
    mean, variance = cast("Tensor", norm.running_mean), cast("Tensor", norm.running_var)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def laid_out(features: Tensor) -> Tensor:
    """The tensor in channels-last order, on devices where that makes convolutions faster."""
    if features.device.type not in CHANNELS_LAST_DEVICES:
        return features
    return features.contiguous(memory_format=torch.channels_last)


def normalised(norm: nn.BatchNorm2d, features: Tensor, bias: Tensor) -> Tensor:
    """The norm with another bias than its own."""
    return F.batch_norm(features, norm.running_mean, norm.running_var, norm.weight, bias, eps=norm.eps)
