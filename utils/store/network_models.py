"""Networks by name, from the registry and the models directory, or by the files that a request names.

A network is a checkpoint and a configuration. No torch here, unless a configuration leaves the type open: then the
keys of the checkpoint's state dict decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.architectures import OWN
from utils.core.errors import ConfigInvalid, InvalidRequest, ModelNotInstalled, did_you_mean, nearest
from utils.core.replies import ModelDetails
from utils.store.folders import ModelFolders, configs_folder
from utils.store.found_networks import FoundNetwork, found_networks
from utils.store.installed import public_details, require_installed
from utils.store.network_config import output_stems, read_config
from utils.store.plain_files import Warn, ignore, size_of
from utils.store.records import ModelRecord
from utils.store.registry import Registry

WORKER = "bsroformer"


@dataclass(frozen=True)
class NetworkSource:
    """A network whose files are there. `record` is what the registry knows of it, None for the user's own."""

    name: str
    type: str
    checkpoint: Path
    config: Path
    stems: tuple[str, ...]
    record: ModelRecord | None

    @property
    def family(self) -> str:
        """Apollo restores and has a family of its own; all others separate."""
        return "apollo" if self.type == "apollo" else "networks"

    @property
    def identifier(self) -> str:
        """The name of a public network; the current state of the files of the user's own."""
        if self.record is not None:
            return self.name
        stamps = [f"{path.resolve()}@{path.stat().st_mtime_ns}" for path in self.files]
        return f"{self.type}:{'+'.join(stamps)}"

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.checkpoint, self.config)

    @property
    def traits(self) -> object:
        """What changes the result and is not in the files."""
        return (self.type, self.stems)


def resolve_network(
    name: str,
    *,
    registry: Registry,
    folders: ModelFolders,
    offline: bool = False,
    allow_unsafe: bool = False,
) -> NetworkSource:
    """The network called `name`, from the registry or the models directory.

    Raises `UnknownModel` or `ModelNotInstalled`, with what to do about it.
    """
    record = registry.find(name, WORKER)
    if record is None:
        found = found_networks(folders, WORKER)
        if name not in found:
            raise registry.unknown(name, [*registry.names(WORKER), *found])
        files = found[name]
        source = own_network(files.checkpoint, files.config, files.type, allow_unsafe=allow_unsafe)
        return replace(source, name=name)
    if (record.config is None) == (record.own_config is None) or len(record.checkpoints) != 1:
        raise ConfigInvalid(f"In the list of models, `{name}` must have one configuration and one checkpoint.")
    paths = require_installed(record, folders, offline=offline)
    checkpoint = paths[record.checkpoints[0].name]
    if record.own_config is not None:
        return _downloaded(record, checkpoint, paths[record.own_config.name])
    config = configs_folder() / (record.config or "")
    return NetworkSource(record.name, record.type, checkpoint, config, record.stems, record)


def _downloaded(record: ModelRecord, checkpoint: Path, config: Path) -> NetworkSource:
    """A network whose configuration was downloaded beside it. Its stems have the names of the configuration.

    Raises `ConfigInvalid` if that is of another network, or is none.
    """
    hint = f"It was downloaded with the model. Delete `{config}` and download the model again."
    try:
        content = read_config(config)
        kind, stems = _recognised(content), output_stems(content, config)
    except ConfigInvalid as error:
        raise ConfigInvalid(error.message, hint=hint) from error
    if kind not in (None, record.type, OWN[record.type].variant_of):
        problem = f"is the configuration of a {kind}, and `{record.name}` is a {record.type}"
    elif len(stems) != len(record.stems):
        problem = f"names {len(stems)} stems, and `{record.name}` has {len(record.stems)}"
    else:
        return NetworkSource(record.name, record.type, checkpoint, config, stems, record)
    raise ConfigInvalid(f"`{config.name}` {problem}.", hint=hint)


def own_network(
    model_path: Path,
    config_path: Path,
    model_type: str | None,
    *,
    allow_unsafe: bool = False,
) -> NetworkSource:
    """The network in these files. Without a type, the configuration or else the checkpoint determines it."""
    if not model_path.is_file():
        raise ModelNotInstalled(
            f"There is no checkpoint `{model_path}`.",
            hint="Set `model_path` to the file with the weights.",
            field="model_path",
        )
    if not config_path.is_file():
        raise ConfigInvalid(
            f"There is no configuration `{config_path}`.",
            hint="Set `config_path` to the YAML file that belongs to the checkpoint.",
            field="config_path",
        )
    if model_type is not None and model_type not in OWN:
        near = nearest(model_type, OWN)
        raise InvalidRequest(
            f"There is no network type `{model_type}`.{did_you_mean(near)}",
            hint=f"Set `model_type` to one of {', '.join(OWN)}, or leave it out.",
            suggestions=near,
            field="model_type",
        )
    config = read_config(config_path)

    def state_keys() -> Iterator[str]:
        from utils.store.checkpoints import read_checkpoint, unwrap_state

        yield from unwrap_state(read_checkpoint(model_path, allow_unsafe=allow_unsafe), model_path)

    kind = guess_type(config, state_keys(), model_type)
    return NetworkSource(model_path.stem, kind, model_path, config_path, output_stems(config, config_path), None)


def list_networks(
    registry: Registry, folders: ModelFolders, name: str | None = None, warn: Warn = ignore
) -> list[ModelDetails]:
    """All networks, or just the one called `name`: those of the registry in its order, then the user's own."""
    found = found_networks(folders, WORKER, warn)
    names = list(dict.fromkeys([*registry.names(WORKER), *found]))
    if name is not None and name not in found and registry.find(name, WORKER) is None:
        raise registry.unknown(name, names)
    return [
        _found_details(each, found[each])
        if (record := registry.find(each, WORKER)) is None
        else public_details(record, folders)
        for each in (names if name is None else [name])
    ]


def _found_details(name: str, files: FoundNetwork) -> ModelDetails:
    kind = files.type
    stems: tuple[str, ...] = ()
    size_bytes = size_of(files.checkpoint)
    description = files.description or f"Your own, `{files.checkpoint.name}`."
    try:
        config = read_config(files.config)
        kind, stems = kind or _recognised(config), output_stems(config, files.config)
    except ConfigInvalid as error:
        description = error.message
    return ModelDetails(
        name=name,
        type=kind or "unknown",
        stems=list(stems),
        description=description,
        installed=size_bytes is not None,
        size_bytes=size_bytes,
        sdr=None,
        license=None,
    )


# Types --------------------------------------------------------------------------------------------------------------


def guess_type(config: Mapping[str, Any], keys: Iterable[str] = (), told: str | None = None) -> str:
    """The type of a network from its configuration, or from the keys of its state dict. They are iterated only if the
    configuration leaves the type open. Raises `ConfigInvalid`.

    A type that was told is right, but may be that of which the network is a variant: other programs call both the same.
    """
    kind = _recognised(config, keys, told)
    if kind is None:
        raise ConfigInvalid(
            "Neither the configuration nor the checkpoint shows what type of network this is.",
            hint=f"Set `model_type` to one of {', '.join(OWN)}; other types are not supported.",
            field="model_type",
        )
    return kind


def _recognised(config: Mapping[str, Any], keys: Iterable[str] = (), told: str | None = None) -> str | None:
    section = config.get("model") or config.get("kwargs") or {}
    options = {section} if isinstance(section, str) else set(section)
    kind = told or _marked(None, options, set())
    is_open = kind is None or any(row.variant_of == kind and row.tensors for row in OWN.values())
    tensors = set(keys) if is_open else set[str]()
    kind = kind or _marked(None, set(), tensors)
    return kind and (_marked(kind, options, tensors) or kind)


def _marked(base: str | None, options: set[str], tensors: set[str]) -> str | None:
    """The only variant of `base` that has a mark here. Without a base: the only architecture that is not a variant."""
    kinds = [
        name
        for name, row in OWN.items()
        if row.variant_of == base and (options.intersection(row.options) or tensors.intersection(row.tensors))
    ]
    return kinds[0] if len(kinds) == 1 else None
