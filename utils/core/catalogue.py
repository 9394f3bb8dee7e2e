"""What every part of DSU must agree on: what a worker is, families of models, default models, names of stems and layouts of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Worker:
    """One executable: its public name, its entry script, its command line, and the groups of commands it understands."""

    name: str
    script: str
    command_line: str  # the module for people, imported when they ask
    groups: tuple[str, ...]
    description: str
    for_people: str = ""  # the engine of its command line, where that has families that the worker has not

    @property
    def executable(self) -> str:
        """The frozen program's file name without a suffix."""
        return self.name


# Families of models as clients name them.
FamilyName = Literal["networks", "demucs", "audio-separator", "apollo", "audiosep"]

# The families whose models have types of their own; every other type is one of the networks.
FAMILY_OF_TYPE: dict[str, FamilyName] = {
    "demucs": "demucs",
    "vr": "audio-separator",
    "mdx": "audio-separator",
    "apollo": "apollo",
    "audiosep": "audiosep",
}

# The models of requests that name none, if no other model is loaded.
DEFAULT_DEMUCS = "htdemucs"
DEFAULT_NETWORK = "dsu_mini"  # comes with DSU
DEFAULT_PACKAGE_MODEL = "model_bs_roformer_ep_317_sdr_12.9755.ckpt"  # that of the audio-separator package
DEFAULT_AUDIOSEP = "audiosep_base"
DEFAULT_QUERY = "speech"  # of requests to separate by text that have none
DEFAULT_FOLDER = "output"  # of requests that name no place for their results, in the working directory

# What `denoise` is done with. It is a method and has no files.
ENVELOPE_MATCHED = "envelope_matched"

# Extensions of VR and MDX model files. These models are named after their files.
AUDIO_SEPARATOR_SUFFIXES = {".pth": "vr", ".onnx": "mdx"}

# Networks in models/ that dsu-audio-separator lists as well.
ALSO_IN_AUDIO_SEPARATOR = ("mdx23c", "apollo")

# Stems that no network outputs itself, or whose names several families share.
VOCALS = "vocals"
INSTRUMENTAL = "instrumental"
RESTORED = "restored"
ADDITION = "addition"  # what a restoration has added to its input
DENOISED = "denoised"
RESIDUAL = "residual"  # the input without everything that texts describe

# Default paths of stems below the output directory.
MODEL_TRACK_STEM = "{model}/{track}/{stem}"
TRACK_STEM = "{track}/{stem}"
TRACK_WITH_STEM = "{track}_({stem})"
TRACK_AND_STEM = "{track}_{stem}"
TEMPLATE_FIELDS = frozenset({"track", "stem", "model", "index"})

# Alternative extensions of output formats.
EXTENSION_ALIASES = {"aif": "aiff", "wave": "wav", "oga": "ogg", "mp4": "m4a"}


def family_of(model_type: str) -> FamilyName:
    """The family of a model of this type."""
    return FAMILY_OF_TYPE.get(model_type, "networks")
