"""Which model a test program runs when nobody names one: an installed one, else a small random network made for it.

The choice is always told in a sentence, since times of a small network say nothing of a real model. No torch here,
unless networks have to be made.
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
# What is measured where it is installed; where it is not, the first model that is.
PREFERRED = {
    "demucs": "htdemucs",
    "bsroformer": "bsrofo_sw",
    "audio-separator": "5_HP-Karaoke-UVR.pth",
    APOLLO: "apollo_lew_uni",
    "audiosep": "audiosep_base",
}
BUILT_IN = "dsu_mini"  # always there, so the last choice


@dataclass(frozen=True)
class ModelChoice:
    """A model, the fields by which requests name it, and a sentence that says where it comes from."""

    name: str
    load: Mapping[str, str]
    models_dir: Path
    told: str


def choose(kind: str, models_dir: Path | None = None, model: str | None = None) -> ModelChoice:
    """The model that is named, or else one that is there. Whether a named one is there, its worker says."""
    folder = models_directory(models_dir)
    if model is not None:
        return ModelChoice(model, {"model": model}, folder, f"The model is `{model}` of `{folder}`, as asked.")
    names = installed(kind, folder)
    if names == [BUILT_IN]:
        told = f"The model is `{BUILT_IN}`, which comes with DSU; `{folder}` has no other for {kind}."
        return ModelChoice(BUILT_IN, {"model": BUILT_IN}, folder, told)
    if names:
        return ModelChoice(names[0], {"model": names[0]}, folder, f"The model is `{names[0]}`, found in `{folder}`.")
    return small(kind, folder)


def models_directory(asked: Path | None = None) -> Path:
    """The directory that a worker would use: what is asked, DSU_MODELS, dsu_config.json, the default."""
    return resolve({"models_dir": asked}).models_dir


def installed(kind: str, folder: Path) -> list[str]:
    """The models of a kind that are there, the preferred one first."""
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
    """Where small networks are kept, so that they are made only once."""
    return output_folder() / "small-models"


def small(kind: str, instead_of: Path) -> ModelChoice:
    """A small random network, made if it is not there yet."""
    worker = "audio-separator" if kind == APOLLO else kind
    folder = small_models()
    made = make_models(folder, [worker])["models"][worker]
    group = {APOLLO: APOLLO, "audio-separator": "vr"}.get(kind)
    first = (made[group] if group is not None else made)[0]
    told = (
        f"There is no model for {kind} in `{instead_of}`, so `{first['name']}` of `{folder}` is used: "
        "a small network with random weights, whose times say nothing of real models."
    )
    return ModelChoice(first["name"], first["load"], folder, told)
