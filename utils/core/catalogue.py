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


# Families of models as clients name them, with the list in configs/models that describes their public models.
FAMILIES = {
    "demucs": "demucs",
    "networks": "bsroformer",
    "audio-separator": "audio-separator",
    "apollo": "bsroformer",
    "audiosep": "audiosep",
}

# The model of a request that names none, where no other one is loaded.
DEFAULT_DEMUCS = "htdemucs"
DEFAULT_NETWORK = "dsu_mini"  # comes with DSU
DEFAULT_AUDIOSEP = "audiosep_base"

# Files of VR and MDX models, which are named by their file names.
AUDIO_SEPARATOR_SUFFIXES = {".pth": "vr", ".onnx": "mdx"}

# Networks of models/ that dsu-audio-separator lists as well.
ALSO_IN_AUDIO_SEPARATOR = ("mdx23c", "apollo")

# Stems that are not a network's own, or that several families call the same.
VOCALS = "vocals"
INSTRUMENTAL = "instrumental"
RESTORED = "restored"
ADDITION = "addition"  # what a restoration has added to the song
RESIDUAL = "residual"  # what is left of a song without everything that texts describe

# Where stems go below the output directory, unless a request has a template of its own.
MODEL_TRACK_STEM = "{model}/{track}/{stem}"
TRACK_STEM = "{track}/{stem}"
TRACK_WITH_STEM = "{track}_({stem})"
TEMPLATE_FIELDS = frozenset({"track", "stem", "model", "index"})

# Other extensions of the formats that can be written.
EXTENSION_ALIASES = {"aif": "aiff", "wave": "wav", "oga": "ogg", "mp4": "m4a"}
