"""What every part of DSU must agree on: what a worker is, families of models, default models, names of stems and layouts of files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Worker:
    """One executable: its public name, its entry script, and the groups of commands that it understands."""

    name: str
    script: str
    groups: tuple[str, ...]
    description: str

    @property
    def executable(self) -> str:
        """The frozen program's file name without a suffix."""
        return self.name


# Families of models as clients name them, with the file in configs/models that lists their public models.
FAMILIES = {
    "demucs": "demucs",
    "networks": "bsroformer",
    "audio-separator": "audio-separator",
    "apollo": "bsroformer",
    "audiosep": "audiosep",
}

# The models of requests that name none, if no other model is loaded.
DEFAULT_DEMUCS = "htdemucs"
DEFAULT_NETWORK = "dsu_mini"  # comes with DSU
DEFAULT_AUDIOSEP = "audiosep_base"

# Extensions of VR and MDX model files. These models are named after their files.
AUDIO_SEPARATOR_SUFFIXES = {".pth": "vr", ".onnx": "mdx"}

# Networks in models/ that dsu-audio-separator lists as well.
ALSO_IN_AUDIO_SEPARATOR = ("mdx23c", "apollo")

# Stems that no network outputs itself, or whose names several families share.
VOCALS = "vocals"
INSTRUMENTAL = "instrumental"
RESTORED = "restored"
ADDITION = "addition"  # what a restoration has added to its input
RESIDUAL = "residual"  # the input without everything that texts describe

# Default paths of stems below the output directory.
MODEL_TRACK_STEM = "{model}/{track}/{stem}"
TRACK_STEM = "{track}/{stem}"
TRACK_WITH_STEM = "{track}_({stem})"
TEMPLATE_FIELDS = frozenset({"track", "stem", "model", "index"})

# Alternative extensions of output formats.
EXTENSION_ALIASES = {"aif": "aiff", "wave": "wav", "oga": "ogg", "mp4": "m4a"}
