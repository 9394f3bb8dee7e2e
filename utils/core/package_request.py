"""The request of `dsu-audio-separator` for people: a separation as the audio-separator package does it.

It differs from what programs send to the worker in what the package does to every song: it brings songs and stems to a
level, keeps the bit depth of the input, overlaps windows as the model's configuration says, and names files after the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from utils.core.errors import InvalidRequest
from utils.core.peaks import PeakRange
from utils.core.requests import AudioSeparatorSeparate, SampleType

DEFAULT_MODEL = "model_bs_roformer_ep_317_sdr_12.9755.ckpt"

EnsembleAlgorithm = Literal[
    "avg_wave", "median_wave", "min_wave", "max_wave", "avg_fft", "median_fft", "min_fft", "max_fft",
    "uvr_max_spec", "uvr_min_spec", "ensemble_wav",
]  # fmt: skip

_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')


class PackageSeparate(AudioSeparatorSeparate, frozen=True, kw_only=True, tag_field="cmd", tag="separate"):
    """Separate with VR, MDX, MDXC, RoFormer and Demucs models, one or several, as the audio-separator package does."""

    normalization: Annotated[
        float, Meta(description="Highest peak of songs and stems; louder ones are lowered to it.")
    ] = 0.9
    amplification: Annotated[
        float, Meta(description="Lowest peak of songs and stems; quieter ones are raised to it.")
    ] = 0.0
    custom_output_names: Annotated[dict[str, str] | None, Meta(description="Names of files, by stem.")] = None
    label: Annotated[str, Meta(description="What stands at the end of the names of files.")] = ""
    mdxc_segment_size: Annotated[
        int,
        Meta(ge=2, description="MDXC: frames per window, of short songs and with --mdxc-override-model-segment-size."),
    ] = 256
    mdxc_override_model_segment_size: Annotated[
        bool, Meta(description="MDXC: use --mdxc-segment-size for long songs as well, instead of the model's own.")
    ] = False
    mdxc_overlap: (
        Annotated[
            int, Meta(ge=1, description="MDXC: windows that cover each sample; default that of the model, or else 8.")
        ]
        | None
    ) = None
    mdxc_pitch_shift: Annotated[
        int, Meta(ge=-24, le=24, description="MDXC: raise the song by this many semitones for the network.")
    ] = 0
    demucs_segment_s: float | None = None
    demucs_split: bool = True
    demucs_shifts: Annotated[int, Meta(ge=0, le=100, description="Demucs: random time shifts to average over.")] = 2
    demucs_overlap: Annotated[
        float, Meta(ge=0, lt=1, description="Demucs: overlap of adjacent segments, as a fraction.")
    ] = 0.25
    ensemble: list[str] | None = None
    ensemble_algorithm: Annotated[
        EnsembleAlgorithm, Meta(description="How the results of several models are combined.")
    ] = "avg_wave"
    ensemble_weights: list[float] | None = None

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

    def sample_type_for(self, subtype: str) -> SampleType:
        """As deep as the input, as far as the format can be, unless the request says otherwise."""
        if self.pcm_type not in (None, "source"):
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
        return f"{{track}}_({'{stem}' if stem is None else _literal(stem)})_{_literal(self.label)}"


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
