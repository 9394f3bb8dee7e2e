"""Networks by name, from the registry and the models directory, or by the files that a request names.

A network is a checkpoint and a configuration. No torch here, unless a configuration leaves the type open: then the
names of the checkpoint's tensors decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.core.errors import ConfigInvalid, InvalidRequest, ModelNotInstalled, did_you_mean, nearest
from utils.core.replies import ModelDetails
from utils.store.folders import ModelFolders, configs_folder
from utils.store.installed import public_details, require_installed
from utils.store.registry import ModelRecord, Registry

WORKER = "bsroformer"

# What only a network of that type has: in the section `model` of its configuration, and among its tensors.
CONFIG_MARKS: dict[str, frozenset[str]] = {
    "bs_roformer": frozenset({"freqs_per_bands"}),
    "mel_band_roformer": frozenset({"num_bands"}),
    "scnet": frozenset({"band_SR", "num_dplayer"}),
    "mdx23c": frozenset({"num_subbands", "num_blocks_per_scale"}),
    "apollo": frozenset({"feature_dim"}),
}
TENSOR_MARKS: dict[str, frozenset[str]] = {
    "bs_roformer": frozenset({"final_norm.gamma"}),
    "mel_band_roformer": frozenset({"layers.0.0.norm.gamma"}),
    "scnet": frozenset({"encoder.0.SDlayer.convs.0.weight"}),
    "mdx23c": frozenset({"first_conv.weight"}),
    "apollo": frozenset({"BN.0.0.weight"}),
}
TYPES = tuple(CONFIG_MARKS)


@dataclass(frozen=True)
class NetworkSource:
    """A network whose files are there. `record` is what the registry knows, None for files named by a request."""

    name: str
    type: str
    checkpoint: Path
    config: Path
    stems: tuple[str, ...]
    record: ModelRecord | None


def resolve_network(name: str, *, registry: Registry, folders: ModelFolders, offline: bool = False) -> NetworkSource:
    """The network called `name`. Raises `UnknownModel` or `ModelNotInstalled`, saying how to go on."""
    record = registry.get(name, WORKER)
    if record.config is None or len(record.files) != 1:
        raise ConfigInvalid(f"The list of models must give `{name}` one configuration and one file.")
    (checkpoint,) = require_installed(record, folders, offline=offline).values()
    return NetworkSource(name, record.type, checkpoint, configs_folder() / record.config, record.stems, record)


def own_network(
    model_path: Path, config_path: Path, model_type: str | None, *, allow_unsafe: bool = False
) -> NetworkSource:
    """The network in these files. Without a type, the configuration tells it, or else the checkpoint."""
    from utils.store.network_config import output_stems, read_config

    if not model_path.is_file():
        raise ModelNotInstalled(
            f"There is no checkpoint `{model_path}`.",
            hint="Give in `model_path` the file with the weights.",
            field="model_path",
        )
    if not config_path.is_file():
        raise ConfigInvalid(
            f"There is no configuration `{config_path}`.",
            hint="Give in `config_path` the YAML file that belongs to the checkpoint.",
            field="config_path",
        )
    config = read_config(config_path)
    if model_type is not None:
        kind = _known_type(model_type)
    else:
        kind = guess_type(config, _tensor_names(model_path, allow_unsafe=allow_unsafe))
    return NetworkSource(model_path.stem, kind, model_path, config_path, output_stems(config, config_path), None)


def list_networks(registry: Registry, folders: ModelFolders) -> list[ModelDetails]:
    """Every network that can be named, in the registry's order."""
    return [public_details(registry.get(name, WORKER), folders) for name in registry.names(WORKER)]


def guess_type(config: Mapping[str, Any], keys: Iterable[str] = ()) -> str:
    """The type of a network from its configuration, or from its tensors' names, asked for only if that leaves it open."""
    kind = _only_marked(CONFIG_MARKS, config["model"]) or _only_marked(TENSOR_MARKS, keys)
    if kind is None:
        raise ConfigInvalid(
            "Neither the configuration nor the checkpoint tells what kind of network this is.",
            hint=f"Give `model_type`, one of {', '.join(TYPES)}; other kinds are not supported.",
            field="model_type",
        )
    return kind


def _only_marked(marks: Mapping[str, frozenset[str]], names: Iterable[str]) -> str | None:
    """The type that has a mark among the names, if it is the only one."""
    found = set(names)
    kinds = [kind for kind, own in marks.items() if own & found]
    return kinds[0] if len(kinds) == 1 else None


def _tensor_names(path: Path, *, allow_unsafe: bool) -> Iterator[str]:
    """The names in a checkpoint, which is read when the first one is asked for."""
    from utils.store.checkpoints import read_checkpoint, unwrap_state

    yield from unwrap_state(read_checkpoint(path, allow_unsafe=allow_unsafe), path)


def _known_type(name: str) -> str:
    if name in TYPES:
        return name
    near = nearest(name, TYPES)
    raise InvalidRequest(
        f"There is no network type `{name}`.{did_you_mean(near)}",
        hint=f"`model_type` is one of {', '.join(TYPES)}, or left out.",
        suggestions=near,
        field="model_type",
    )
