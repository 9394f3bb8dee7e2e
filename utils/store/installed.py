"""Whether the files of a public model are there: their paths, the error if one is missing, and the entry of the list."""

from __future__ import annotations

from pathlib import Path

from msgspec import UNSET

from utils.core.errors import ModelNotInstalled
from utils.core.replies import HashKnowledge, ModelDetails
from utils.store.folders import ModelFolders
from utils.store.hashes import require_sha256
from utils.store.known_hashes import known_hash, require_unchanged
from utils.store.records import FileRecord, ModelRecord


def require_installed(record: ModelRecord, folders: ModelFolders, *, offline: bool) -> dict[str, Path]:
    """The paths of a model's files, by name. A file of unknown size is verified by its hash, one without a known hash must be
    the one that was downloaded first; the others were verified when they were downloaded. Raises `ModelNotInstalled`, with what to do about it.
    """
    found = {file.name: folders.find(record, file) for file in record.files}
    paths = {name: path for name, path in found.items() if path is not None}
    if len(paths) < len(found):
        raise _not_installed(record, folders, offline=offline)
    for file in record.files:
        if file.size_bytes is None and file.sha256 is not None:
            require_sha256(paths[file.name], file.sha256)
        elif file.sha256 is None:
            require_unchanged(paths[file.name])
    return paths


def public_details(record: ModelRecord, folders: ModelFolders) -> ModelDetails:
    """The entry of `list_models` for a model of the registry."""
    return ModelDetails(
        name=record.name,
        type=record.type,
        stems=list(record.stems),
        description=record.description,
        installed=folders.installed(record),
        size_bytes=record.size_bytes,
        sdr=record.sdr,
        license=record.license,
        aliases=record.aliases or UNSET,
        purposes=list(record.purposes) or UNSET,
        recommended=record.recommended or UNSET,
        speed=record.speed,
        author=record.author or UNSET,
        year=record.year or UNSET,
        commercial_use=record.commercial_use,
        license_source=record.license_source or UNSET,
        sdr_on=record.sdr_on or UNSET,
        sdr_source=record.sdr_source or UNSET,
        bleedless=record.bleedless or UNSET,
        fullness=record.fullness or UNSET,
        bleedless_source=record.bleedless_source or UNSET,
        downloadable=record.downloadable,
        notes=list(record.notes) or UNSET,
        networks=len(record.bag.members) if record.bag is not None else UNSET,
        members=list(record.bag.members) if record.bag is not None else UNSET,
        hash=_hash_of(record, folders),
    )


def _hash_of(record: ModelRecord, folders: ModelFolders) -> HashKnowledge:
    """What is known of all checkpoints of a model. A configuration beside them is text, and checked against the network when it is read."""
    unpublished = [folders.find(record, file) for file in record.checkpoints if file.sha256 is None]
    if not unpublished:
        return "known"
    return "remembered" if all(path is not None and known_hash(path) for path in unpublished) else "none"


def _not_installed(record: ModelRecord, folders: ModelFolders, *, offline: bool) -> ModelNotInstalled:
    missing = folders.missing(record)
    folder = folders.folder(record.folder)

    def state(file: FileRecord) -> str:
        path = folders.path_of(record, file)
        if not path.is_file():
            return f"`{file.place}` is missing"
        return f"`{file.place}` has {path.stat().st_size} bytes and should have {file.size_bytes}"

    unpublished = [f"`{file.place}`" for file in missing if not file.urls]
    if unpublished:
        hint = f"No download of {', '.join(unpublished)} is known. If you have the file, put it into `{folder}`."
    elif offline:
        urls = ", ".join(file.urls[0] for file in missing)
        hint = f"Offline mode is on, so nothing is downloaded. Get {urls} elsewhere and put it into `{folder}`."
    else:
        hint = f'Send {{"cmd":"download_model","model":"{record.name}"}} to fetch it.'
    return ModelNotInstalled(
        f"The model `{record.name}` is not installed in `{folder}`: {'; '.join(map(state, missing))}.",
        hint=hint,
        field="model",
    )
