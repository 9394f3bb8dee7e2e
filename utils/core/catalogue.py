"""What every part of DSU must agree on: families of models, the models used by default, names of stems, layouts of files."""

from __future__ import annotations

# Families of models as clients name them, with the list in configs/models that describes their public models.
FAMILIES = {
    "demucs": "demucs",
    "networks": "bsroformer",
    "audio-separator": "audio-separator",
    "apollo": "bsroformer",
    "audiosep": "audiosep",
}

# The families whose models have types of their own; every other type is one of the networks.
FAMILY_OF_TYPE = {
    "demucs": "demucs",
    "vr": "audio-separator",
    "mdx": "audio-separator",
    "apollo": "apollo",
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


def family_of(model_type: str) -> str:
    """The family of a model of this type."""
    return FAMILY_OF_TYPE.get(model_type, "networks")
