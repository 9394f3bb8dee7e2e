"""The user's own networks in the models directory: pairs of files, and what a `models.json` of earlier versions lists."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from utils.core.errors import ConfigInvalid
from utils.core.typed import decode
from utils.store.folders import ModelFolders
from utils.store.plain_files import Warn, files_in, ignore, open_file
from utils.store.records import CONFIG_SUFFIXES

CHECKPOINT_SUFFIXES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".safetensors", ".th"})
LIST = "models.json"
LARGEST_BYTES = 16 << 20


class FoundNetwork(NamedTuple):
    """A checkpoint and its configuration. What a list says of them is None where there is none."""

    checkpoint: Path
    config: Path
    type: str | None = None
    description: str | None = None


class _ListedNetwork(msgspec.Struct, frozen=True):
    """A network in the list. What its stems are, its configuration says."""

    checkpoint: str
    config: str
    type: str | None = None
    description: str | None = None


def found_networks(folders: ModelFolders, sub: str, warn: Warn = ignore) -> dict[str, FoundNetwork]:
    """The networks in the folder `sub` by name: the listed ones, then checkpoints with a configuration of the same name.

    Raises `ConfigInvalid` for a list that cannot be read.
    """
    found = _listed(folders, sub)
    files = files_in(folders.folder(sub), warn)
    configs = {path.stem: path for path in files if path.suffix in CONFIG_SUFFIXES}
    for path in files:
        if path.suffix in CHECKPOINT_SUFFIXES and path.stem in configs:
            found.setdefault(path.stem, FoundNetwork(path, configs[path.stem]))
    return found


def _listed(folders: ModelFolders, sub: str) -> dict[str, FoundNetwork]:
    found: dict[str, FoundNetwork] = {}
    for folder in dict.fromkeys((folders.folder(sub), folders.models_dir)):
        for name, entry in _read_list(folder / LIST).items():
            checkpoint = folder / entry.checkpoint
            configs = [folder / entry.config, checkpoint.with_name(Path(entry.config).name)]
            if folders.configs_dir is not None:
                beside = folders.configs_dir.parent / entry.config
                configs += [folders.configs_dir / entry.config, beside, folders.configs_dir / Path(entry.config).name]
            config = next((path for path in configs if path.is_file()), configs[0])
            found.setdefault(name, FoundNetwork(checkpoint, config, entry.type, entry.description))
    return found


def _read_list(path: Path) -> dict[str, _ListedNetwork]:
    try:
        with open_file(path) as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError:  # most models directories have none
        return {}
    if len(data) > LARGEST_BYTES:
        raise ConfigInvalid(f"The list of models `{path}` is too large; the limit is {LARGEST_BYTES} bytes.")
    try:
        return decode(data, dict[str, _ListedNetwork])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigInvalid(
            f"The list of models `{path}` is malformed: {error}.",
            hint="Each name needs an object with the files `checkpoint` and `config`. Move other files of this name away.",
        ) from error
