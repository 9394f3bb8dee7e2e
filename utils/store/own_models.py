"""A model of the user's own, brought into the models directory: which family it is of, and what has to lie beside it.

A network needs a configuration. It is given, lies beside the checkpoint, or is that of a public model whose tensors have the
same names and shapes. A VR or MDX model needs numbers, which are known by its hash, or lie beside it. A network of the demucs
package says itself what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from models.architectures import DEMUCS, network_class, params_class
from utils.core.catalogue import AUDIO_SEPARATOR_SUFFIXES
from utils.core.errors import CheckpointUnsafe, ConfigInvalid, DsuError, InvalidRequest
from utils.store.audio_separator_models import WORKER as AUDIO_SEPARATOR
from utils.store.audio_separator_models import own_audio_separator
from utils.store.checkpoints import read_checkpoint, unwrap_state
from utils.store.demucs_models import WORKER as DEMUCS_WORKER
from utils.store.demucs_models import signature_of
from utils.store.folders import ModelFolders, configs_folder
from utils.store.found_networks import CHECKPOINT_SUFFIXES
from utils.store.network_config import output_stems, read_config
from utils.store.network_models import WORKER as NETWORKS
from utils.store.network_models import guess_type
from utils.store.pickles import Named
from utils.store.records import CONFIG_SUFFIXES, ModelRecord
from utils.store.registry import Registry

Shapes = dict[str, tuple[int, ...]]
FRACTION = "fractions.Fraction"  # demucs keeps lengths of segments as such
CLOSE = 0.03  # how far the sizes of files with the same tensors are apart


class OwnModel(NamedTuple):
    """Which files go where; `config` is the one that the model is described by, if it is a network."""

    name: str
    type: str
    stems: tuple[str, ...]
    moves: dict[Path, Path]  # from a file to its place in the models directory
    config: Path | None


def understood(
    path: Path, registry: Registry, folders: ModelFolders, *, config: Path | None = None, like: str | None = None
) -> OwnModel:
    """What a file is. Raises `ConfigInvalid` or `InvalidRequest`, with what is needed."""
    if path.suffix == ".onnx" or (path.suffix in AUDIO_SEPARATOR_SUFFIXES and not (config or like or _beside(path))):
        try:
            return _audio_separator(path, folders)
        except ConfigInvalid:
            if path.suffix == ".onnx" or not _is_network(path):
                raise
    if path.suffix == ".th" and not (config or like) and (package := _demucs(path, folders)) is not None:
        return package
    if path.suffix not in CHECKPOINT_SUFFIXES:
        raise InvalidRequest(f"`{path.name}` is not a checkpoint: {', '.join(sorted(CHECKPOINT_SUFFIXES))} are.")
    return _network(path, registry, folders, config or _beside(path), like)


def _beside(path: Path) -> Path | None:
    """A configuration of the same name."""
    return next((found for suffix in sorted(CONFIG_SUFFIXES) if (found := path.with_suffix(suffix)).is_file()), None)


def _audio_separator(path: Path, folders: ModelFolders) -> OwnModel:
    source = own_audio_separator(path)
    folder = folders.folder(AUDIO_SEPARATOR)
    numbers = (path.with_suffix(".json"), path.with_name(f"{path.name}.json"))
    moves = {each: folder / each.name for each in (path, *numbers) if each.is_file()}
    return OwnModel(path.name, source.family, source.stems, moves, None)


def _demucs(path: Path, folders: ModelFolders) -> OwnModel | None:
    """The network that a file of the demucs package holds; None if the file is of another program."""
    try:
        package = read_checkpoint(path, allow=(FRACTION, *(place.replace(":", ".") for place in DEMUCS.values())))
    except CheckpointUnsafe:
        return None
    if not isinstance(package, Mapping) or not isinstance(package.get("klass"), Named):
        return None
    arguments = package.get("kwargs")
    named = arguments.get("sources") if isinstance(arguments, Mapping) else None
    stems = tuple(stem for stem in named if isinstance(stem, str)) if isinstance(named, list | tuple) else ()
    return OwnModel(signature_of(path), "demucs", stems, {path: folders.folder(DEMUCS_WORKER) / path.name}, None)


def _network(path: Path, registry: Registry, folders: ModelFolders, config: Path | None, like: str | None) -> OwnModel:
    if registry.find(path.stem, NETWORKS) is not None:
        raise InvalidRequest(f"A public model is called `{path.stem}`, and this is another file. Rename it first.")
    if like is not None:
        config = _config_of(like, registry)
    shapes = _shapes_of(path)
    if config is None:
        config = _fitting_config(path, shapes, registry)
    content = read_config(config)
    kind = guess_type(content, shapes)
    with_names = ", ".join(sorted(shapes)[:2])
    if config.is_relative_to(configs_folder()) and _shapes_of_config(config, kind) != shapes:
        raise ConfigInvalid(f"`{path.name}` is no model like `{like}`: its tensors ({with_names}, …) are others.")
    folder = folders.folder(NETWORKS)
    moves = {path: folder / path.name, config: folder / f"{path.stem}.yaml"}
    return OwnModel(path.stem, kind, output_stems(content, config), moves, config)


def _config_of(name: str, registry: Registry) -> Path:
    record = registry.get(name, NETWORKS)
    if record.config is None:
        raise InvalidRequest(f"`{name}` has no configuration here; name another model, or a file with --config.")
    return configs_folder() / record.config


def _fitting_config(path: Path, shapes: Shapes, registry: Registry) -> Path:
    """The configuration of a public model with these tensors. Raises `ConfigInvalid` unless one is the only one."""
    kind = guess_type({}, shapes)
    fitting: dict[tuple[str, ...], ModelRecord] = {}
    for record in _candidates(path, kind, registry):
        if record.stems not in fitting and _shapes_of_config(configs_folder() / str(record.config), kind) == shapes:
            fitting[record.stems] = record
    if len(fitting) == 1:
        (record,) = fitting.values()
        return configs_folder() / str(record.config)
    if not fitting:
        raise ConfigInvalid(
            f"`{path.name}` is a {kind}, and no public model has the same tensors.",
            hint="Give its configuration with --config FILE.yaml; its author publishes one.",
        )
    listed = "; ".join(f"--like {record.name} for {', '.join(stems)}" for stems, record in fitting.items())
    raise ConfigInvalid(
        f"`{path.name}` is a {kind}, and models of several kinds have the same tensors.",
        hint=f"Say what it separates: {listed}. Or give its configuration with --config FILE.yaml.",
    )


def _candidates(path: Path, kind: str, registry: Registry) -> Iterator[ModelRecord]:
    """A public model for each configuration whose checkpoint has about this size, in single or half precision."""
    size, seen = path.stat().st_size, set[str]()
    for name in registry.names(NETWORKS):
        record = registry.get(name, NETWORKS)
        ratio = size / (record.size_bytes or size)
        if record.type != kind or record.config is None or record.config in seen:
            continue
        if any(abs(ratio / width - 1) < CLOSE for width in (0.5, 1, 2)):
            seen.add(record.config)
            yield record


def _is_network(path: Path) -> bool:
    try:
        guess_type({}, _shapes_of(path))
    except DsuError:
        return False
    return True


def _shapes_of(path: Path) -> Shapes:
    return {key: tuple(tensor.shape) for key, tensor in unwrap_state(read_checkpoint(path), path).items()}


def _shapes_of_config(config: Path, kind: str) -> Shapes:
    """The tensors of a network with this configuration. No memory is taken for them."""
    import torch

    with torch.device("meta"):
        net = network_class(kind)(params_class(kind).from_config(read_config(config)))
    state: Mapping[str, torch.Tensor] = torch.nn.Module.state_dict(net)
    return {key: tuple(tensor.shape) for key, tensor in state.items()}
