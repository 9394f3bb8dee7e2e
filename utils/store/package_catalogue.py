"""What the audio-separator package calls models and ensembles, from configs/audio_separator. For its command line.

The package names models after their files, by which the registry finds those that DSU has under another name.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from utils.core.catalogue import AUDIO_SEPARATOR_SUFFIXES
from utils.core.errors import ConfigInvalid
from utils.store.audio_separator_models import WORKER as AUDIO_SEPARATOR
from utils.store.demucs_models import WORKER as DEMUCS
from utils.store.folders import configs_folder
from utils.store.found_networks import CHECKPOINT_SUFFIXES, CONFIG_SUFFIXES
from utils.store.network_models import WORKER as NETWORKS
from utils.store.records import ModelRecord
from utils.store.registry import Registry

Kind = Literal["VR", "MDX", "Demucs", "MDXC"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WORKERS: dict[Kind, str] = {"VR": AUDIO_SEPARATOR, "MDX": AUDIO_SEPARATOR, "Demucs": DEMUCS, "MDXC": NETWORKS}


class PackageModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as the package lists it. `sdr` has the median for each stem, in dB."""

    file: str
    kind: Kind
    name: str
    config: str | None = None
    stems: tuple[str, ...] = ()
    target_stem: str | None = None
    sdr: dict[str, float] = {}


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ensemble with a name."""

    description: str
    models: tuple[str, ...]
    algorithm: str


def presets() -> dict[str, Preset]:
    return dict(_read("presets.json", dict[str, Preset]))


def package_models(models_dir: Path) -> list[PackageModel]:
    """Those of the package's models that DSU has as well, then the user's own in the models directory."""
    known = [model for model in _models() if record_of(model.file) is not None]
    taken = {model.file for model in _models()}
    return known + [model for model in _own_models(models_dir) if model.file not in taken]


def record_of(file: str) -> ModelRecord | None:
    """What DSU knows of a model that the package names after this file."""
    kind = next((model.kind for model in _models() if model.file == file), None)
    return None if kind is None else _registry().find(file, WORKERS[kind])


def _own_models(folder: Path) -> Iterator[PackageModel]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    for below in (AUDIO_SEPARATOR, NETWORKS):
        files += sorted((folder / below).iterdir()) if (folder / below).is_dir() else []
    configs = {path.with_suffix("") for path in files if path.suffix in CONFIG_SUFFIXES}
    for path in files:
        kind: Kind | None = None
        if path.suffix in CHECKPOINT_SUFFIXES and path.with_suffix("") in configs:
            kind = "MDXC"
        elif path.suffix in AUDIO_SEPARATOR_SUFFIXES:
            kind = "VR" if AUDIO_SEPARATOR_SUFFIXES[path.suffix] == "vr" else "MDX"
        if kind is not None:
            yield PackageModel(file=path.name, kind=kind, name=f"{kind} Model: {path.stem}")


@cache
def _registry() -> Registry:
    return Registry.load()


@cache
def _models() -> tuple[PackageModel, ...]:
    return tuple(_read("models.json", tuple[PackageModel, ...]))


def _read(name: str, kind: Any) -> Any:
    path = configs_folder() / "audio_separator" / name
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigInvalid(f"The list `{path}` cannot be read: {error}.") from error
