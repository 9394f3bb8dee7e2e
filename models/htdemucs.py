"""Demucs networks as configurations describe them: the demucs package's own, built from a YAML file instead of a pickle.

The keys are those of the package's networks, so that checkpoints of the package, and of programs that train its
networks, fit.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demucs.hdemucs import HDemucs
from demucs.htdemucs import HTDemucs
from torch import Tensor, nn

from models.blocks.demucs_layers import in_parts
from models.blocks.sections import Section

# Only for training: how weights are initialised, and whether short audio is padded to the training length.
FOR_TRAINING = ("rescale", "emb_smooth", "use_train_segment")
WITHOUT_RANDOM_START: dict[str, Any] = {"rescale": 0, "emb_smooth": False}

# An extension that splits the spectrum. 1 means that it is not used; no public model uses it.
SUBBANDS = "num_subbands"


@dataclass(frozen=True)
class HtdemucsParams:
    """The class by its name in configurations, the audio format from the section `training`, and the class's options."""

    architecture: str
    sources: tuple[str, ...]
    samplerate: int = 44100
    segment: float = 10
    audio_channels: int = 2
    options: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if self.architecture not in NETWORKS:
            raise ValueError(f"The configuration's `model` must be one of {', '.join(NETWORKS)}.")
        defaults = inspect.signature(NETWORKS[self.architecture].package_class).parameters
        for key, value in self.options:
            if key not in defaults:
                raise ValueError(f"The configuration's `{self.architecture}.{key}` is not known to this network.")
            if not _is_like(value, defaults[key].default):
                raise ValueError(f"The configuration's `{self.architecture}.{key}` cannot be {value!r}.")

    @classmethod
    def tiny(cls) -> HtdemucsParams:
        """Small enough for a test: two stems, narrow layers, one transformer layer."""
        options = {"channels": 8, "nfft": 1024, "depth": 3, "bottom_channels": 16, "t_layers": 1, "t_heads": 2}
        return cls("htdemucs", ("vocals", "other"), samplerate=8000, segment=2, options=tuple(options.items()))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> HtdemucsParams:
        """The parameters that a public configuration describes: `model` names the section that holds the options."""
        named = config.get("model")
        training = Section(config, "training")
        if not isinstance(named, str) or named not in NETWORKS:
            raise ValueError(f"The configuration's `model` must be one of {', '.join(NETWORKS)}; it is {named!r}.")
        if training.values.get("target_instrument"):
            raise ValueError(
                "The configuration's `training.target_instrument` must be left out: Demucs gives all stems."
            )
        model = Section(config, named)
        if model.values.get(SUBBANDS, 1) != 1:
            raise ValueError(f"The configuration's `{named}.{SUBBANDS}` must be 1: other values are not supported.")
        options = {key: model.values[key] for key in model.values if key not in {SUBBANDS, *FOR_TRAINING}}
        return cls(
            architecture=named,
            sources=training.names("instruments"),
            samplerate=training.integer("samplerate", cls.samplerate),
            segment=training.number("segment", cls.segment),
            audio_channels=training.integer("channels", cls.audio_channels),
            options=tuple((key, _frozen(value)) for key, value in options.items()),
        )

    @property
    def channels(self) -> int:
        return self.audio_channels

    @property
    def outputs(self) -> int:
        return len(self.sources)

    def arguments(self) -> dict[str, Any]:
        """The arguments of the package's class. Nothing is computed for weights that a checkpoint replaces anyway."""
        known = inspect.signature(NETWORKS[self.architecture].package_class).parameters
        fixed = {**WITHOUT_RANDOM_START, "use_train_segment": False}
        return {
            "sources": list(self.sources),
            "audio_channels": self.audio_channels,
            "samplerate": self.samplerate,
            "segment": self.segment,
            **dict(self.options),
            **{key: value for key, value in fixed.items() if key in known},
        }


class Htdemucs(nn.Module):
    """The network that the parameters name. It takes audio of any length."""

    package_class: type[nn.Module]

    # The classes that the package's own checkpoints name.
    PICKLED_WITH = ("fractions.Fraction", "demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs")

    def __new__(cls, params: HtdemucsParams | None = None) -> Htdemucs:  # noqa: PYI034 - it returns a subclass
        # Without parameters when a network is copied.
        return super().__new__(cls if params is None else NETWORKS[params.architecture])

    def __init__(self, params: HtdemucsParams) -> None:
        super().__init__(**params.arguments())
        in_parts(self)
        self.params = params

    def forward(self, mix: Tensor, stems: Sequence[int] | None = None) -> Tensor:
        """(batch, channels, samples) to (batch, stems, channels, samples). All stems are computed in any case."""
        estimates: Tensor = super().forward(mix)
        return estimates if stems is None else estimates[:, list(stems)]


class _HTDemucs(Htdemucs, HTDemucs):
    package_class = HTDemucs


class _HDemucs(Htdemucs, HDemucs):
    package_class = HDemucs


NETWORKS: dict[str, type[Htdemucs]] = {"htdemucs": _HTDemucs, "hdemucs": _HDemucs}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value has the type of an option's default; nothing is known of an option that is off by default."""
    if default is None or isinstance(default, list):
        return value is None or isinstance(value, tuple | int | float)
    if isinstance(default, bool | str):
        return type(value) is type(default)
    return isinstance(value, int | float) and not isinstance(value, bool)
