"""Whether the files of a public model are there: their paths, the error where one is not, and the line of the list."""

from __future__ import annotations

from pathlib import Path

from utils.core.errors import ModelNotInstalled
from utils.core.replies import ModelDetails
from utils.store.folders import ModelFolders
from utils.store.hashes import require_sha256
from utils.store.records import FileRecord, ModelRecord


def require_installed(record: ModelRecord, folders: ModelFolders, *, offline: bool) -> dict[str, Path]:
    """Where the files of a model are, by name. A file of unknown size is known by its hash; the others were hashed
    when they came. Raises `ModelNotInstalled`, saying how to go on.
    """
    found = {file.name: folders.find(record, file) for file in record.files}
    paths = {name: path for name, path in found.items() if path is not None}
    if len(paths) < len(found):
        raise _not_installed(record, folders, offline=offline)
    for file in record.files:
        if file.size_bytes is None and file.sha256 is not None:
            require_sha256(paths[file.name], file.sha256)
    return paths


def public_details(record: ModelRecord, folders: ModelFolders) -> ModelDetails:
    """What `list_models` says of a model of the registry."""
    return ModelDetails(
        name=record.name,
        type=record.type,
        stems=list(record.stems),
        description=record.description,
        installed=folders.installed(record),
        size_bytes=record.size_bytes,
        sdr=record.sdr,
        license=record.license,
    )


def _not_installed(record: ModelRecord, folders: ModelFolders, *, offline: bool) -> ModelNotInstalled:
    missing = folders.missing(record)
    folder = folders.folder(record.folder)
    states = "; ".join(_state(file, folders.path_of(record, file)) for file in missing)
    return ModelNotInstalled(
        f"The model `{record.name}` is not installed in `{folder}`: {states}.",
        hint=_way_to_get(record.name, missing, folder, offline=offline),
        field="model",
    )


def _state(file: FileRecord, path: Path) -> str:
    if not path.is_file():
        return f"`{file.place}` is missing"
    return f"`{file.place}` has {path.stat().st_size} bytes and should have {file.size_bytes}"


def _way_to_get(name: str, missing: list[FileRecord], folder: Path, *, offline: bool) -> str:
    unpublished = [f"`{file.place}`" for file in missing if not file.urls]
    if unpublished:
        return f"No download of {', '.join(unpublished)} is known here. If you have the file, put it into `{folder}`."
    if offline:
        urls = ", ".join(file.urls[0] for file in missing)
        return f"Offline mode is on, so nothing is fetched. Get {urls} elsewhere and put it into `{folder}`."
    return f'Send {{"cmd":"download_model","model":"{name}"}} to fetch it.'
