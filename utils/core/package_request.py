"""Requests for what the audio-separator package does: its command line here, and programs that expect its results, send them.

They differ from those of dsu-audio-separator in what the package does to every song: it brings songs and stems to a level,
keeps the bit depth of the input, overlaps windows as the model's configuration says, and names files after the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Literal

from msgspec import Meta

from utils.core.catalogue import DEFAULT_PACKAGE_MODEL
from utils.core.errors import InvalidRequest, UnsupportedFormat
from utils.core.fields import BY_COMMAS
from utils.core.peaks import PeakRange
from utils.core.requests import (
    JOINT_FORMATS,
    SHORTEST_S,
    AudioFormat,
    AudioSeparatorLoad,
    AudioSeparatorSeparate,
    Request,
    SampleType,
)

DEFAULT_MODEL = DEFAULT_PACKAGE_MODEL

EnsembleAlgorithm = Literal[
    "avg_wave", "median_wave", "min_wave", "max_wave", "avg_fft", "median_fft", "min_fft", "max_fft",
    "uvr_max_spec", "uvr_min_spec", "ensemble_wav",
]  # fmt: skip

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
# What the names of many models begin with, and what says nothing about one of several.
_PREFIXES = (
    *("mel_band_roformer_", "melband_roformer_", "bs_roformer_", "model_bs_roformer_"),
    *("UVR-MDX-NET-", "UVR_MDXNET_"),
)
_DEMUCS_ORDER = ("Bass", "Drums", "Other", "Vocals", "Guitar", "Piano")
_LONGEST = 12  # characters of each of several models in the names of files

PackageModelName = Annotated[
    str | None, Meta(description=f"Name of the model's file in the package; default `{DEFAULT_MODEL}`.")
]

PackageFolder = Annotated[
    str | None, Meta(description="VR and MDX: directory of the model's file; by default the models directory.")
]


class PackageListModels(Request, frozen=True, kw_only=True, tag_field="cmd", tag="package_list_models"):
    """List models and ensembles under the names of the audio-separator package, and your own models in the models directory."""


class PackageLoad(AudioSeparatorLoad, frozen=True, kw_only=True, tag_field="cmd", tag="package_load_model"):
    """Load a model for `package_separate` and report its kind and its stems. The active model stays the same."""

    model: PackageModelName = None
    model_file_dir: PackageFolder = None


class PackageSeparate(AudioSeparatorSeparate, frozen=True, kw_only=True, tag_field="cmd", tag="package_separate"):
    """Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK_(STEM)_MODEL.wav`, as the audio-separator package does.

    With a VR, MDX, MDXC, RoFormer or Demucs model, or with several.
    """

    model: PackageModelName = None
    model_file_dir: PackageFolder = None
    pcm_type: Annotated[
        SampleType | None,
        Meta(
            description="Sample type of the stems; by default as deep as the input, as far as the format supports it."
        ),
    ] = None
    normalization: Annotated[
        float, Meta(description="Highest peak of songs and stems; louder ones are lowered to it.")
    ] = 0.9
    amplification: Annotated[
        float, Meta(description="Lowest peak of songs and stems; quieter ones are raised to it.")
    ] = 0.0
    custom_output_names: Annotated[dict[str, str] | None, Meta(description="File names, by stem.")] = None
    label: Annotated[
        str | None, Meta(description="The end of the file names; by default made from the names of the models.")
    ] = None
    mdx_segment_size: Annotated[int, Meta(ge=1, le=65536, description="MDX: frames per segment.")] = 256
    bigshifts: Annotated[
        int,
        Meta(
            ge=1,
            le=32,
            description="MDX and Demucs: average over so many separations whose chunks begin at different places.",
        ),
    ] = 1
    mdxc_segment_size: Annotated[
        int,
        Meta(ge=2, description="MDXC: frames per window, for short songs or with `mdxc_override_model_segment_size`."),
    ] = 256
    mdxc_override_model_segment_size: Annotated[
        bool, Meta(description="MDXC: use `mdxc_segment_size` for long songs as well, instead of the model's own.")
    ] = False
    mdxc_overlap: (
        Annotated[
            int,
            Meta(
                ge=1,
                description="MDXC: number of windows that cover each sample; by default the model's own, or else 8.",
            ),
        ]
        | None
    ) = None
    mdxc_pitch_shift: Annotated[
        int,
        Meta(ge=-24, le=24, description="MDXC: raise the pitch of the song by this many semitones for the network."),
    ] = 0
    demucs_segment_s: (
        Annotated[
            float,
            Meta(ge=SHORTEST_S, description="Demucs: length of a segment in seconds; by default the model's own."),
        ]
        | None
    ) = None
    demucs_split: Annotated[
        bool,
        Meta(description="Demucs: separate in segments; if false, the whole song at once, if possible."),
    ] = True
    demucs_shifts: Annotated[int, Meta(ge=0, le=100, description="Demucs: random time shifts to average over.")] = 2
    demucs_overlap: Annotated[
        float, Meta(ge=0, lt=1, description="Demucs: overlap of adjacent segments, as a fraction.")
    ] = 0.25
    ensemble: (
        Annotated[
            list[str],
            Meta(min_length=2, description="Several models of any kind, instead of `model`.", extra=BY_COMMAS),
        ]
        | None
    ) = None
    ensemble_preset: Annotated[
        str | None, Meta(description="A named ensemble; it sets the models, unless the request names others.")
    ] = None
    ensemble_algorithm: Annotated[
        EnsembleAlgorithm | None,
        Meta(
            description="How the results of several models are combined; by default as in `ensemble_preset`, or else `avg_wave`."
        ),
    ] = None
    ensemble_weights: Annotated[
        list[Annotated[float, Meta(ge=0)]] | None,
        Meta(description="Weight of each model in an average.", extra=BY_COMMAS),
    ] = None

    @property
    def audio_format(self) -> AudioFormat:
        """Raises `UnsupportedFormat` where one file would hold all stems, which the package names one by one."""
        if self.format in JOINT_FORMATS:
            raise UnsupportedFormat(
                f"`{self.format}` holds all stems in one file, but the audio-separator package writes a file for each.",
                hint='Send "cmd":"separate", or use another format, such as "format":"flac".',
                field="format",
            )
        return self.format

    @property
    def level(self) -> PeakRange:
        """Raises `InvalidRequest` for peaks that there cannot be."""
        if not 0 < self.normalization <= 1:
            raise InvalidRequest("`normalization` must be above 0 and at most 1.", field="normalization")
        if not 0 <= self.amplification <= 1:
            raise InvalidRequest("`amplification` must be from 0 to 1.", field="amplification")
        return PeakRange(self.amplification, self.normalization)

    @property
    def model_key(self) -> str | None:
        return repr(self.ensemble) if self.ensemble else self.model

    def sample_type_for(self, subtype: str) -> SampleType | None:
        """As deep as the input, as far as the format can be, unless the request says otherwise."""
        if (self.pcm_type or self.subtype or "source") != "source":
            return super().sample_type_for(subtype)
        if any(mark in subtype for mark in ("24", "32", "FLOAT", "DOUBLE")):
            return "PCM_32" if "24" not in subtype and self.format != "flac" else "PCM_24"
        return "PCM_16"

    def track_name(self, name: str) -> str:
        return tidy(name)

    def template_of(self, stem: str | None) -> str:
        if self.name_template is not None:
            return self.name_template
        own = {name.lower(): file for name, file in (self.custom_output_names or {}).items()}
        if stem is not None and stem.lower() in own:
            return _literal(own[stem.lower()])
        return f"{{track}}_({'{stem}' if stem is None else _literal(stem)})_{_literal(self.label or '')}"


PackageRequest = PackageSeparate | PackageLoad


def label_of(models: Sequence[str], preset: str | None) -> str:
    """What stands for models in the names of files: one file up to its first dot, or the beginning of each of several."""
    if len(models) == 1:
        return PurePath(models[0]).name.partition(".")[0]
    if preset is not None:
        return f"preset_{preset}"
    return "custom_ensemble_" + "_".join(_shortened(PurePath(model).stem) for model in models)


def _shortened(name: str) -> str:
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix)[:_LONGEST]


def in_order_of_files(stems: Sequence[str], family: str) -> list[str]:
    """The stems in the order of their files, which programs rely on: but for VR models, the second of two comes first."""
    if family == "demucs":
        return sorted(
            stems, key=lambda stem: _DEMUCS_ORDER.index(stem) if stem in _DEMUCS_ORDER else len(_DEMUCS_ORDER)
        )
    return list(stems if family == "vr" or len(stems) != 2 else reversed(stems))


def common_names(stems: Sequence[str]) -> dict[str, str]:
    """The names of a model's stems by which an ensemble finds those of other models."""
    lower = [stem.lower() for stem in stems]
    pair = len(stems) == 2 and any("vocal" in stem for stem in lower)
    return {stem: _common_name(stem, pair=pair) for stem in stems}


def _common_name(stem: str, *, pair: bool) -> str:
    lower = stem.lower()
    if "vocal" in lower and "lead" not in lower and "backing" not in lower:
        return "Vocals"
    if lower in ("inst", "karaoke") or (lower == "other" and pair):
        return "Instrumental"
    return stem.title()


def tidy(text: str) -> str:
    """Text as a part of a file's name: without what file systems forbid, and without runs of `_`."""
    return re.sub("_+", "_", _FORBIDDEN.sub("_", text)).strip("_. ")


def _literal(text: str) -> str:
    return tidy(text).replace("{", "{{").replace("}", "}}")
