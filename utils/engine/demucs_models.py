"""The names of Demucs models, for answers that must not wait for torch."""

from __future__ import annotations

from pathlib import Path

from utils.store.demucs_repo import list_demucs
from utils.store.folders import ModelFolders
from utils.store.registry import Registry


def list_model_names(models_dir: Path, repo: Path | None = None) -> list[str]:
    """Every model that can be named: the registry's, then those found in the models directory and in `repo`."""
    return [details.name for details in list_demucs(Registry.load(), ModelFolders(models_dir), repo)]
