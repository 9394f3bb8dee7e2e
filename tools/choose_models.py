"""The model that a test program uses by default: an installed one, or else a small random network made for it.

Every choice has a note for the user, since times of a small network say nothing about real models. Torch is imported only
if networks have to be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.command_line import output_folder
from tools.fixtures.models import make_models
from utils.core.replies import ModelDetails
from utils.core.settings import resolve
from utils.store.audio_separator_models import list_audio_separator
from utils.store.audiosep_models import list_audiosep
from utils.store.demucs_models import list_demucs
from utils.store.folders import ModelFolders
from utils.store.network_models import list_networks
from utils.store.registry import Registry

APOLLO = "apollo"  # the restoration of dsu-audio-separator
KINDS = ("demucs", "bsroformer", "audio-separator", APOLLO, "audiosep")
# The model to use if it is installed; otherwise the first installed one.
PREFERRED = {
    "demucs": "htdemucs",
    "bsroformer": "bsrofo_sw",
    "audio-separator": "5_HP-Karaoke-UVR.pth",
    APOLLO: "apollo_lew_uni",
    "audiosep": "audiosep_base",
}
BUILT_IN = "dsu_mini"  # always installed, so the last choice


@dataclass(frozen=True)
class ModelChoice:
    """A model, the request fields that name it, and a note on where it comes from."""

    name: str
    load: Mapping[str, str]
    models_dir: Path
    note: str


def choose(kind: str, models_dir: Path | None = None, model: str | None = None) -> ModelChoice:
    """The named model, or else an installed or small one. Whether a named model exists is for the worker to check."""
    folder = models_directory(models_dir)
    if model is not None:
        return ModelChoice(model, {"model": model}, folder, f"Using `{model}` of `{folder}`, as requested.")
    names = installed(kind, folder)
    if names == [BUILT_IN]:
        note = f"Using `{BUILT_IN}`, which comes with DSU; `{folder}` has no other model for {kind}."
        return ModelChoice(BUILT_IN, {"model": BUILT_IN}, folder, note)
    if names:
        return ModelChoice(names[0], {"model": names[0]}, folder, f"Using `{names[0]}`, found in `{folder}`.")
    return small(kind, folder)


def models_directory(asked: Path | None = None) -> Path:
    """The directory that a worker would use: the given one, DSU_MODELS, dsu_config.json's, or the default."""
    return resolve({"models_dir": asked}).models_dir


def installed(kind: str, folder: Path) -> list[str]:
    """The installed models of a kind, the preferred one first."""
    names = [entry.name for entry in _listed(kind, ModelFolders(folder)) if entry.installed]
    return sorted(names, key=lambda name: (name != PREFERRED[kind], name == BUILT_IN))


def _listed(kind: str, folders: ModelFolders) -> list[ModelDetails]:
    registry = Registry.load()
    if kind == "demucs":
        return list_demucs(registry, folders, None)
    if kind == "audio-separator":
        return list_audio_separator(registry, folders)
    if kind == "audiosep":
        return list_audiosep(registry, folders)
    return [entry for entry in list_networks(registry, folders) if (entry.type == APOLLO) == (kind == APOLLO)]


def small_models() -> Path:
    """The folder in which small networks are kept, so that they are made only once."""
    return output_folder() / "small-models"


def small(kind: str, instead_of: Path) -> ModelChoice:
    """A small random network, made if it is missing."""
    worker = "audio-separator" if kind == APOLLO else kind
    folder = small_models()
    made = make_models(folder, [worker])["models"][worker]
    group = {APOLLO: APOLLO, "audio-separator": "vr"}.get(kind)
    first = (made[group] if group is not None else made)[0]
    note = (
        f"There is no model for {kind} in `{instead_of}`. Using `{first['name']}` of `{folder}`, "
        "a small network with random weights, whose times say nothing about real models."
    )
    return ModelChoice(first["name"], first["load"], folder, note)
