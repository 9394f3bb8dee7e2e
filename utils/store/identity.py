"""What identifies the models that a request means: another text for other files, the same on every machine that has the same."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from utils.core.catalogue import FILES_OF_MODELS
from utils.core.errors import DsuError
from utils.core.recipes import read_recipe
from utils.core.settings import Settings
from utils.store.folders import ModelFolders
from utils.store.found_networks import found_networks
from utils.store.hashes import remembered_sha256
from utils.store.known_hashes import known_hash
from utils.store.network_config import parse_yaml
from utils.store.plain_files import files_in, open_file
from utils.store.recipes import find_recipe
from utils.store.records import FileRecord, ModelRecord
from utils.store.registry import Registry

WORKERS = ("bsroformer", "demucs", "audio-separator", "audiosep")
LARGEST_BAG_BYTES = 1 << 20
MOST_FILES = 20_000


class Identity(NamedTuple):
    """A text for what is there, and public models that are meant and not there yet."""

    text: str
    missing: tuple[str, ...]


def identity_of(named: Mapping[str, Any], settings: Settings) -> Identity:
    """The identity of the models that a request means by those of its fields that name models."""
    registry, folders = Registry.load(), ModelFolders(settings.models_dir, settings.configs_dir)
    found: list[Any] = []
    missing: list[str] = []
    names = list(_named_in(named, settings, found))
    if "text" in named or "texts" in named:
        names += registry.names("audiosep")
    is_clear = bool(names) or any(named.get(field) for field in FILES_OF_MODELS)
    for name in dict.fromkeys(names):
        record = next((each for worker in WORKERS if (each := registry.find(name, worker)) is not None), None)
        if record is not None:
            found += [name, *(_content_of(record, file, folders) for file in record.files)]
            missing += [name] if folders.missing(record) else []
        elif own := sorted(_own_files(name, folders)):
            found += [name, *own]
        else:
            is_clear = False
    if not is_clear:
        found += sorted(_states(settings.models_dir))
    return Identity(hashlib.sha256(json.dumps(found).encode()).hexdigest(), tuple(missing))


def _named_in(named: Mapping[str, Any], settings: Settings, found: list[Any]) -> Iterator[str]:
    """The names of models; what else identifies them goes to `found`. What is wrong with them is for the worker to tell."""
    for field, value in named.items():
        if field in FILES_OF_MODELS and isinstance(value, str):
            found += [field, *_contents_at(value)]
        elif field == "model" and isinstance(value, str):
            yield value
        elif field == "ensemble" and isinstance(value, list):
            for member in value:
                if isinstance(member, str):
                    yield member
                else:
                    yield from _named_in(member, settings, found)
        elif field == "recipe" and value:
            try:
                recipe = find_recipe(value, settings) if isinstance(value, str) else read_recipe(value, "recipe")
            except DsuError as error:
                found.append(error.message)
                continue
            found.append(recipe.document)
            for step in recipe.model_steps.values():
                yield from _named_in({"model": step.model, **step.options}, settings, found)


def _contents_at(text: str) -> list[tuple[str, str]]:
    """The file at a path, or all files of the folder there."""
    path = _path_of(text)
    if path is None:
        return []
    places = _folders_in(path) if path.is_dir() else []
    files = [file for place in places for file in _regular_in(place)]
    return [(file.name, _hash_of(file)) for file in files or [path]]


def _path_of(text: str) -> Path | None:
    """A path, unless the text cannot be one."""
    try:
        return None if "\0" in text else Path(text).expanduser()
    except RuntimeError:  # a user without a home
        return None


def _content_of(record: ModelRecord, file: FileRecord, folders: ModelFolders) -> str:
    if file.sha256 is not None:
        return file.sha256
    path = folders.find(record, file)
    return file.name if path is None else _hash_of(path)


def _own_files(name: str, folders: ModelFolders) -> Iterator[tuple[str, str]]:
    """The files of a model that no record knows, by a path or by their name, and those of its members, if it is a bag."""
    path = _path_of(name)
    if path is None:
        return
    for sub in WORKERS:
        with contextlib.suppress(DsuError):
            if (network := found_networks(folders, sub).get(name)) is not None:
                yield from ((file.name, _hash_of(file)) for file in (network.checkpoint, network.config))
    places = [path.parent] if path.name != name else _folders_in(folders.models_dir)
    for place in places:
        for each in _files_of(place, path.name):
            yield each.name, _hash_of(each)
            if each.suffix in (".yaml", ".yml"):
                for member in _members_of(each):
                    yield from ((file.name, _hash_of(file)) for file in _files_of(place, member, "-"))


def _files_of(folder: Path, name: str, *more: str) -> list[Path]:
    """The files that are called so, with any extension."""
    beginnings = tuple(f"{Path(name).stem}{sign}" for sign in (".", *more))
    return [each for each in _regular_in(folder) if each.name.startswith(beginnings)]


def _regular_in(folder: Path) -> list[Path]:
    return [each for each in files_in(folder) if each.is_file()]


def _folders_in(folder: Path) -> list[Path]:
    """A folder and those in it, also on other disks, each once."""
    seen: dict[Path, Path] = {}
    for root, below, _ in os.walk(folder, followlinks=True):
        real = Path(root).resolve()
        if real in seen or len(seen) >= MOST_FILES:
            below.clear()
        else:
            below.sort()
            seen[real] = Path(root)
    return list(seen.values())


def _members_of(bag: Path) -> Sequence[str]:
    with contextlib.suppress(OSError, DsuError), open_file(bag) as file:
        content = parse_yaml(file.read(LARGEST_BAG_BYTES), bag)
        if isinstance(content, Mapping) and isinstance(members := content.get("models"), list):
            return [str(member) for member in members]
    return []


def _hash_of(path: Path) -> str:
    """The hash of a file, which may be remembered beside it."""
    try:
        known = known_hash(path)
        return known.sha256 if known is not None and known.is_of(path) else remembered_sha256(path)
    except OSError:
        return path.name


def _states(folder: Path) -> Iterator[tuple[str, int, int]]:
    """All files of a folder with their states, where nothing says which of them are meant."""
    files = (file for place in _folders_in(folder) for file in _regular_in(place))
    for file in itertools.islice(files, MOST_FILES):
        with contextlib.suppress(OSError):
            state = file.stat()
            yield str(file.relative_to(folder)), state.st_size, state.st_mtime_ns
