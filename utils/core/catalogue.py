"""What every part of DSU must agree on: what a worker is, families of models, default models, names of stems and layouts of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


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

# The fields with which a request names models, and those for files and folders of the user's own.
FILES_OF_MODELS = (
    *("model_path", "config_path", "repo", "model_file_dir"),
    *("checkpoint_path", "clap_checkpoint_path", "roberta_dir"),
)
NAMES_MODELS = ("model", "recipe", "text", "texts", "model_path", "config_path", "ensemble", "family")

# What a model can be good for, as people ask for it.
Purpose = Literal[
    "vocals",
    "instrumental",
    "karaoke",
    "stems",
    "drums",
    "drumkit",
    "bass",
    "guitar",
    "piano",
    "instruments",
    "voices",
    "breath",
    "crowd",
    "dereverb",
    "denoise",
    "bleed",
    "restore",
    "speech",
    "film",
    "center",
    "anything",
]


class PurposeFacts(NamedTuple):
    """What a purpose means, and the stems whose published scores count for it, the first that has one."""

    meaning: str
    scored: tuple[str, ...] = ()


PURPOSES: dict[Purpose, PurposeFacts] = {
    "vocals": PurposeFacts("the singing, without the music", ("vocals",)),
    "instrumental": PurposeFacts("the music, without the singing", ("instrumental", "other")),
    "karaoke": PurposeFacts("the lead voice apart from the backing voices", ("lead_vocals", "vocals")),
    "stems": PurposeFacts("drums, bass, vocals and the rest, or more", ("average",)),
    "drums": PurposeFacts("the drums", ("drums",)),
    "drumkit": PurposeFacts("the pieces of a drum kit, from a drum stem", ("average", "kick")),
    "bass": PurposeFacts("the bass", ("bass",)),
    "guitar": PurposeFacts("guitars", ("guitar",)),
    "piano": PurposeFacts("the piano", ("piano",)),
    "instruments": PurposeFacts("one other instrument, or a group of them", ("other",)),
    "voices": PurposeFacts("voices from each other: duets, choirs, men and women", ("male",)),
    "breath": PurposeFacts("breathing and other noise of a voice", ("aspiration",)),
    "crowd": PurposeFacts("the audience, from a concert", ("crowd",)),
    "dereverb": PurposeFacts("reverb and echo, taken away", ("dry",)),
    "denoise": PurposeFacts("noise, taken away", ("dry",)),
    "bleed": PurposeFacts("what is left of the voice in an instrumental, taken away", ("instrumental",)),
    "restore": PurposeFacts("what MP3 and the like have removed, put back"),
    "speech": PurposeFacts("speech", ("speech", "vocals")),
    "film": PurposeFacts("speech, music and effects of a film", ("average", "speech")),
    "center": PurposeFacts("what both channels share, or what differs", ("center", "side")),
    "anything": PurposeFacts("whatever a text describes"),
}

# How much a recommendation asks of the machine, and how long a model takes. The first is the least.
Grade = Literal["fast", "good", "best"]
GRADES: dict[Grade, str] = {
    "fast": "for any computer",
    "good": "for most; a song takes minutes on a CPU",
    "best": "for a graphics card, or patience",
}
Speed = Literal["fast", "medium", "slow"]

# What published scores were measured on. Only scores of one set can be compared.
ScoredOn = Literal["mvsep", "unstated", "musdb18", "musdb18_median", "author", "other"]
SCORED_ON: dict[ScoredOn, str] = {
    "mvsep": "the Multisong set or the quality checker of MVSep",
    "unstated": "not stated; published beside scores of MVSep",
    "musdb18": "the test songs of MUSDB18-HQ",
    "musdb18_median": "the test songs of MUSDB18, median",
    "author": "songs of the author's own",
    "other": "another set",
}

# Licences of models, and whether they allow commercial use.
COMMERCIAL_USE: dict[str, bool] = {
    "Apache-2.0": True,
    "CC-BY-NC-4.0": False,
    "CC-BY-SA-4.0": True,
    "GPL-3.0": True,
    "MIT": True,
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
EXTENSION_ALIASES = {"aif": "aiff", "wave": "wav", "oga": "ogg", "mp4": "m4a", "stem.mp4": "stem.m4a"}


def family_of(model_type: str) -> FamilyName:
    """The family of a model of this type."""
    return FAMILY_OF_TYPE.get(model_type, "networks")
