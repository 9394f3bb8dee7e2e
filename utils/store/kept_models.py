"""The files of known models that are in the models directory: what they take, whether they are intact, and deleting them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from utils.core.errors import ModelNotInstalled
from utils.store.audio_separator_models import is_published
from utils.store.folders import ModelFolders, embedded_folder
from utils.store.hashes import sha256_of
from utils.store.known_hashes import known_hash
from utils.store.part_file import part_path
from utils.store.plain_files import size_of
from utils.store.records import FileRecord, ModelRecord
from utils.store.registry import Registry


class KeptFile(NamedTuple):
    """A file of a model that is there, perhaps with a size that is not that of the published file."""

    record: ModelRecord
    file: FileRecord
    path: Path
    size_bytes: int


class Verdict(NamedTuple):
    """Whether a file is the published one; None where that cannot be known. `told` says what was compared."""

    is_right: bool | None
    told: str


def kept_files(record: ModelRecord, folders: ModelFolders) -> list[KeptFile]:
    """The files of a model that are there."""
    found: list[KeptFile] = []
    for file in record.files:
        path = folders.find(record, file) or folders.path_of(record, file)
        size_bytes = size_of(path)
        if size_bytes is not None:
            found.append(KeptFile(record, file, path, size_bytes))
    return found


def verified(kept: KeptFile, on_block: Callable[[], None]) -> Verdict:
    """What a file is, as far as that can be known. It is read to its end if its hash is known, or that of the first download.

    Raises `OSError`.
    """
    file = kept.file
    if file.size_bytes not in (None, kept.size_bytes):
        return Verdict(False, f"has {kept.size_bytes} bytes instead of {file.size_bytes}")
    if file.sha256 is not None:
        is_right = sha256_of(kept.path, on_block) == file.sha256
        return Verdict(is_right, "SHA-256" if is_right else "is damaged or another file: its SHA-256 is another")
    first = known_hash(kept.path)
    if first is not None:
        is_same = sha256_of(kept.path, on_block) == first.sha256
        return Verdict(
            is_same, "as first downloaded" if is_same else "is not what was first downloaded under this name"
        )
    published = is_published(kept.path) if kept.record.worker == "audio-separator" else None
    if published is not None:
        return Verdict(published, "its end" if published else "ends differently than the published file")
    return Verdict(
        None, "only its size" if file.size_bytes is not None else "nothing: neither its hash nor its size is known"
    )


def removable(record: ModelRecord, registry: Registry, folders: ModelFolders) -> Iterator[tuple[Path, str]]:
    """The files of a model and of its unfinished downloads, each with the reason why it has to stay, or none.

    Raises `ModelNotInstalled` if there are none.
    """
    needed = {
        kept.path: other.name
        for other in registry
        if other.name != record.name and folders.installed(other)
        for kept in kept_files(other, folders)
    }
    own = folders.folder(record.folder), folders.models_dir
    found = [kept.path for kept in kept_files(record, folders)]
    found += [part for file in record.files if (part := part_path(folders.path_of(record, file))).is_file()]
    if not found:
        raise ModelNotInstalled(f"Nothing of `{record.name}` is in `{folders.folder(record.folder)}`.")
    for path in found:
        if path.parent == embedded_folder():
            yield path, "it comes with DSU"
        elif path in needed:
            yield path, f"`{needed[path]}` needs it"
        elif any(path.is_relative_to(folder) for folder in folders.elsewhere(record.folder)):
            yield path, "it is in the folder of another program"
        else:
            yield path, "" if any(path.is_relative_to(folder) for folder in own) else "it is elsewhere"
