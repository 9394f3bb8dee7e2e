"""The names of models, for answers that must not wait for torch."""

from __future__ import annotations

from pathlib import Path

from utils.store.audio_separator_models import list_audio_separator
from utils.store.audiosep_models import list_audiosep
from utils.store.demucs_models import list_demucs
from utils.store.folders import ModelFolders
from utils.store.network_models import list_networks
from utils.store.registry import Registry


def demucs_names(models_dir: Path, repo: Path | None = None) -> list[str]:
    """Every model that can be named: the registry's, then those found in the models directory and in `repo`."""
    return [details.name for details in list_demucs(Registry.load(), ModelFolders(models_dir), repo)]


def network_names(models_dir: Path) -> list[str]:
    """Every network that can be named: the registry's, then those found in the models directory."""
    return [details.name for details in list_networks(Registry.load(), ModelFolders(models_dir))]


def spectrum_names(models_dir: Path) -> list[str]:
    """Every VR and MDX model that can be named, and the networks of dsu-bsroformer that go with them."""
    registry, folders = Registry.load(), ModelFolders(models_dir)
    own = [details.name for details in list_audio_separator(registry, folders)]
    return own + [details.name for details in list_networks(registry, folders) if details.type in ("mdx23c", "apollo")]


def query_names(models_dir: Path) -> list[str]:
    """Every network that can be asked in words."""
    return [details.name for details in list_audiosep(Registry.load(), ModelFolders(models_dir))]
