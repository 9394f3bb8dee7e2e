"""What the audio-separator package calls models and ensembles, from configs/audio_separator.

The package names models after their files, by which the registry finds those that DSU has under another name.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec

from utils.core.catalogue import AUDIO_SEPARATOR_SUFFIXES
from utils.core.errors import ConfigInvalid, InvalidRequest, did_you_mean, nearest
from utils.core.package_request import DEFAULT_MODEL, PackageSeparate, label_of
from utils.core.replies import EnsemblePreset, PackageKind, PackageModel
from utils.core.typed import decode
from utils.store.audio_separator_models import WORKER as AUDIO_SEPARATOR
from utils.store.demucs_models import WORKER as DEMUCS
from utils.store.folders import configs_folder
from utils.store.found_networks import CHECKPOINT_SUFFIXES
from utils.store.network_models import WORKER as NETWORKS
from utils.store.plain_files import files_in
from utils.store.records import CONFIG_SUFFIXES, ModelRecord
from utils.store.registry import Registry

KINDS: tuple[PackageKind, ...] = get_args(PackageKind)
WORKERS: dict[PackageKind, str] = {"VR": AUDIO_SEPARATOR, "MDX": AUDIO_SEPARATOR, "Demucs": DEMUCS, "MDXC": NETWORKS}


def kind_of(family: str) -> PackageKind:
    """What the package calls the models of a family of DSU."""
    kinds: dict[str, PackageKind] = {"vr": "VR", "mdx": "MDX", "demucs": "Demucs"}
    return kinds.get(family, "MDXC")


def presets() -> dict[str, EnsemblePreset]:
    return dict(_read("presets.json", dict[str, EnsemblePreset]))


def complete(request: PackageSeparate, models_dir: Path) -> PackageSeparate:
    """The request with the models that it means, by the names that engines know, and with what stands for them in names.

    One that is complete stays as it is. Raises `InvalidRequest`.
    """
    models = request.ensemble or [request.model or DEFAULT_MODEL]
    algorithm = request.ensemble_algorithm
    if request.ensemble_preset is not None:
        preset = _preset(request.ensemble_preset)
        algorithm = algorithm or preset.algorithm
        models = list(preset.models) if models == [DEFAULT_MODEL] else models
    weights = request.ensemble_weights
    if len(models) > 1 and weights is not None and (len(weights) != len(models) or sum(weights) <= 0):
        raise InvalidRequest(
            f"`ensemble_weights` needs {len(models)} numbers, one for each model, and at least one above 0.",
            field="ensemble_weights",
        )
    names = [known_name(model, models_dir) for model in models]
    return msgspec.structs.replace(
        request,
        model=names[0] if len(names) == 1 else None,
        ensemble=names if len(names) > 1 else None,
        ensemble_algorithm=algorithm or "avg_wave",
        label=request.label or label_of(models, request.ensemble_preset),
    )


def _preset(name: str) -> EnsemblePreset:
    known = presets()
    if name not in known:
        near = nearest(name, known)
        raise InvalidRequest(
            f"There is no ensemble `{name}`.{did_you_mean(near)}",
            hint='{"cmd":"package_list_models"} lists them.',
            suggestions=near,
            field="ensemble_preset",
        )
    return known[name]


def known_name(model: str, models_dir: Path) -> str:
    """The name by which engines know a model that the package names after its file, which may lie in `models_dir`."""
    record = record_of(model)
    if record is not None:
        return record.name
    own = models_dir / model
    return str(own) if own.suffix in AUDIO_SEPARATOR_SUFFIXES and own.is_file() else model


def package_models(models_dir: Path) -> list[PackageModel]:
    """Those of the package's models that DSU has as well, then the user's own in the models directory."""
    known = [model for model in _models() if record_of(model.file) is not None]
    taken = {model.file for model in _models()}
    return known + [model for model in _own_models(models_dir) if model.file not in taken]


def record_of(file: str) -> ModelRecord | None:
    """What DSU knows of a model that the package names after this file."""
    kind = next((model.kind for model in _models() if model.file == file), None)
    return None if kind is None else _registry().find(file, WORKERS[kind])


def published_stems(record: ModelRecord | None) -> tuple[str, ...]:
    """What the package's configuration of a model calls its stems, where that of DSU has other names."""
    named = (model for model in _models() if model.instruments) if record is not None else ()
    return next((model.instruments for model in named if record_of(model.file) == record), ())


def _own_models(folder: Path) -> Iterator[PackageModel]:
    files = files_in(folder)
    for below in (AUDIO_SEPARATOR, NETWORKS):
        files += files_in(folder / below)
    configs = {path.with_suffix("") for path in files if path.suffix in CONFIG_SUFFIXES}
    for path in files:
        kind: PackageKind | None = None
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
        return decode(path.read_bytes(), kind)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigInvalid(f"The list `{path}` cannot be read: {error}.") from error
