"""Networks by name, from the registry and the models directory, or by the files that a request names.

A network is a checkpoint and a configuration. No torch here, unless a configuration leaves the type open: then the
names of the checkpoint's tensors decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from utils.core.errors import ConfigInvalid, InvalidRequest, ModelNotInstalled, did_you_mean, nearest
from utils.core.replies import ModelDetails
from utils.store.folders import ModelFolders, configs_folder
from utils.store.installed import public_details, require_installed
from utils.store.registry import ModelRecord, Registry, unknown_model

WORKER = "bsroformer"
CHECKPOINT_SUFFIXES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".safetensors", ".th"})
CONFIG_SUFFIXES = frozenset({".yaml", ".yml"})

# What only a network of that type has: among the options in its configuration, and among its tensors.
CONFIG_MARKS: dict[str, frozenset[str]] = {
    "bs_roformer": frozenset({"freqs_per_bands"}),
    "mel_band_roformer": frozenset({"num_bands"}),
    "scnet": frozenset({"band_SR", "num_dplayer"}),
    "mdx23c": frozenset({"num_subbands", "num_blocks_per_scale"}),
    "mask_unet": frozenset({"fine_bins", "band_bins"}),
    "apollo": frozenset({"feature_dim"}),
    "bandit": frozenset({"band_specs"}),
    "bandit_v2": frozenset({"band_type"}),
    "htdemucs": frozenset({"htdemucs", "hdemucs"}),
}
TENSOR_MARKS: dict[str, frozenset[str]] = {
    "bs_roformer": frozenset({"final_norm.gamma"}),
    "mel_band_roformer": frozenset({"layers.0.0.norm.gamma"}),
    "scnet": frozenset({"encoder.0.SDlayer.convs.0.weight"}),
    "mdx23c": frozenset({"bottleneck_block.blocks.0.shortcut.weight"}),
    "mask_unet": frozenset({"down.0.0.layers.0.weight"}),
    "apollo": frozenset({"BN.0.0.weight"}),
    "bandit": frozenset({"bsrnn.tf_model.seqband.0.norm.weight"}),
    "bandit_v2": frozenset({"tf_model.seqband.0.norm.weight"}),
    "htdemucs": frozenset({"tencoder.0.conv.weight"}),
}
# Types that look like another one, and what they have on top of it, in either place.
VARIANT_MARKS: dict[str, dict[str, frozenset[str]]] = {
    "scnet": {
        "scnet_masked": frozenset({"pos_embed_f"}),
        "scnet_tran": frozenset({"tran_depth", "separation_net.dp_modules.0.time_layer.norm.gamma"}),
    },
}
TYPES = (*CONFIG_MARKS, *(variant for variants in VARIANT_MARKS.values() for variant in variants))


@dataclass(frozen=True)
class NetworkSource:
    """A network whose files are there. `record` is what the registry knows, None for files named by a request."""

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
        """A network of the registry goes by its name, one of the user's by its files as they are now."""
        if self.record is not None:
            return self.name
        stamps = [f"{path.resolve()}@{path.stat().st_mtime_ns}" for path in self.files]
        return f"{self.type}:{'+'.join(stamps)}"

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.checkpoint, self.config)

    @property
    def traits(self) -> object:
        """What its files do not say, but changes what it gives."""
        return (self.type, self.stems)


def resolve_network(
    name: str, *, registry: Registry, folders: ModelFolders, offline: bool = False, allow_unsafe: bool = False
) -> NetworkSource:
    """The network called `name`, of the registry or found in the models directory.

    Raises `UnknownModel` or `ModelNotInstalled`, saying how to go on.
    """
    record = registry.find(name, WORKER)
    if record is None:
        found = found_networks(folders)
        if name not in found:
            raise unknown_model(name, [*registry.names(WORKER), *found])
        return own_network(found[name].checkpoint, found[name].config, None, allow_unsafe=allow_unsafe)
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


def list_networks(registry: Registry, folders: ModelFolders, name: str | None = None) -> list[ModelDetails]:
    """Every network that can be named, or just one: the registry's in its order, then those that were found."""
    found = found_networks(folders)
    names = [*registry.names(WORKER), *found] if name is None else [name]
    unknown = [name for name in names if registry.find(name, WORKER) is None and name not in found]
    if unknown:
        raise unknown_model(unknown[0], [*registry.names(WORKER), *found])
    return [
        _found_details(name, found[name])
        if (record := registry.find(name, WORKER)) is None
        else public_details(record, folders)
        for name in names
    ]


class FoundFiles(NamedTuple):
    """A checkpoint and its configuration, lying side by side."""

    checkpoint: Path
    config: Path


def found_networks(folders: ModelFolders) -> dict[str, FoundFiles]:
    """Networks that the user has put into the models directory: a checkpoint beside a configuration of its name."""
    folder = folders.folder(WORKER)
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    configs = {path.stem: path for path in files if path.suffix in CONFIG_SUFFIXES}
    return {
        path.stem: FoundFiles(path, configs[path.stem])
        for path in files
        if path.suffix in CHECKPOINT_SUFFIXES and path.stem in configs
    }


def _found_details(name: str, files: FoundFiles) -> ModelDetails:
    from utils.store.network_config import output_stems, read_config

    try:
        config = read_config(files.config)
        stems, problem = list(output_stems(config, files.config)), ""
    except ConfigInvalid as error:
        config, stems, problem = None, [], error.message
    marked = _only_marked(CONFIG_MARKS, _option_names(config)) if config is not None else None
    return ModelDetails(
        name=name,
        type=marked or "unknown",
        stems=stems,
        description=problem or f"Your own, `{files.checkpoint.name}`.",
        installed=True,
        size_bytes=files.checkpoint.stat().st_size,
        sdr=None,
        license=None,
    )


def guess_type(config: Mapping[str, Any], keys: Iterable[str] = ()) -> str:
    """The type of a network from its configuration, or from its tensors' names, asked for only if that leaves it open."""
    options = _option_names(config)
    kind = _only_marked(CONFIG_MARKS, options)
    tensors = frozenset(keys) if kind is None or kind in VARIANT_MARKS else frozenset[str]()
    kind = kind or _only_marked(TENSOR_MARKS, tensors)
    if kind is None:
        raise ConfigInvalid(
            "Neither the configuration nor the checkpoint tells what kind of network this is.",
            hint=f"Give `model_type`, one of {', '.join(TYPES)}; other kinds are not supported.",
            field="model_type",
        )
    return _only_marked(VARIANT_MARKS.get(kind, {}), options | tensors) or kind


def _option_names(config: Mapping[str, Any]) -> frozenset[str]:
    """The names of a network's options, or that of the section which holds them."""
    model = config.get("model") or config.get("kwargs") or {}
    return frozenset({model} if isinstance(model, str) else model)


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
