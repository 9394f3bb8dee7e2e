"""Demucs models by name: the public ones of the registry, and the user's own in folders as the demucs package lays them
out (`SIG.th` or `SIG-CHECKSUM.th`, and a bag `NAME.yaml` that lists signatures).

A name is looked up in the `repo` of the request, then in the registry, then among the files that users have put into
MODELS/demucs. No torch here: checkpoints are only found and verified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET, UnsetType

from utils.core.errors import ConfigInvalid, ModelError, ModelNotInstalled
from utils.core.replies import ModelDetails
from utils.store.bag_file import BagFile, read_bag
from utils.store.folders import ModelFolders
from utils.store.hashes import require_sha256
from utils.store.installed import public_details, require_installed
from utils.store.plain_files import Warn, ignore, is_folder
from utils.store.records import ModelRecord
from utils.store.registry import Registry, unknown_model

WORKER = "demucs"
FOLDER = "demucs"
_WITH_CHECKSUM = re.compile(r"(?P<signature>.+)-(?P<checksum>[0-9a-fA-F]{8,64})")


def signature_of(path: Path) -> str:
    """What the network in a file is called: like the file, without the checksum that may be in its name."""
    with_checksum = _WITH_CHECKSUM.fullmatch(path.stem)
    return with_checksum["signature"] if with_checksum is not None else path.stem


@dataclass(frozen=True)
class DemucsSource:
    """A model whose files are there. `record` is what the registry knows of it, None for the user's own."""

    name: str
    members: tuple[Path, ...]
    weights: tuple[tuple[float, ...], ...] | None
    segment_s: float | None
    record: ModelRecord | None

    @property
    def family(self) -> str:
        return "demucs"

    @property
    def identifier(self) -> str:
        """A model of the same name in another folder is another model."""
        return self.name if self.record is not None else f"{self.name}@{self.members[0].parent}"

    @property
    def files(self) -> tuple[Path, ...]:
        return self.members

    @property
    def traits(self) -> object:
        """What changes the result and is not in the files."""
        return (self.weights, self.segment_s)


class LocalRepo:
    """A folder of bags and checkpoints, as it is now. Hidden files are ignored."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bags: dict[str, Path] = {}
        self._nets: dict[str, list[Path]] = {}
        try:
            paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise ModelNotInstalled(f"The folder of models `{folder}` cannot be read: {error.strerror}.") from error
        for path in paths:
            if path.suffix == ".yaml":
                self._bags[path.stem] = path
            elif path.suffix == ".th":
                self._nets.setdefault(signature_of(path), []).append(path)

    def __contains__(self, name: str) -> bool:
        return name in self._bags or name in self._nets

    def names(self) -> list[str]:
        """The bags, then the single networks by signature."""
        return [*self._bags, *(signature for signature in self._nets if signature not in self._bags)]

    def get(self, name: str) -> DemucsSource:
        """The model called `name`, its members verified by the checksums in their names."""
        source = self.locate(name)
        for path in source.members:
            with_checksum = _WITH_CHECKSUM.fullmatch(path.stem)
            if with_checksum is not None:
                require_sha256(path, with_checksum["checksum"])
        return source

    def locate(self, name: str) -> DemucsSource:
        """As `get`, but without reading any file except that of the bag."""
        if name not in self:
            raise unknown_model(name, self.names())
        bag = read_bag(self._bags[name]) if name in self._bags else BagFile(models=(name,))
        members = tuple(self._member(signature, bag=name) for signature in bag.models)
        return DemucsSource(name, members, bag.weights, bag.segment, record=None)

    def is_bag(self, name: str) -> bool:
        return name in self._bags

    def is_complete(self, name: str) -> bool:
        """Whether every file of the model is there."""
        try:
            self.locate(name)
        except ModelError:
            return False
        return True

    def _member(self, signature: str, *, bag: str) -> Path:
        paths = self._nets.get(signature, [])
        if not paths:
            raise ModelNotInstalled(
                f"The bag `{bag}` needs the network `{signature}`, but there is no `{signature}.th` in `{self.folder}`.",
                hint=f"Put the file `{signature}.th` (or `{signature}-CHECKSUM.th`) there, or correct `{bag}.yaml`.",
            )
        if len(paths) > 1:
            names = " and ".join(f"`{path.name}`" for path in paths)
            raise ConfigInvalid(
                f"`{self.folder}` holds {names}, all with the signature `{signature}`. Keep one of them."
            )
        return paths[0]


def resolve_demucs(
    name: str, *, registry: Registry, folders: ModelFolders, repo: Path | None, offline: bool = False
) -> DemucsSource:
    """The files of the model called `name`. Raises `UnknownModel` or `ModelNotInstalled`, with what to do about it."""
    given = _given_repo(repo)
    if given is not None and name in given:
        return given.get(name)
    record = registry.find(name, WORKER)
    own = _own_repo(folders)
    is_installed = record is not None and folders.installed(record)
    if not is_installed and own is not None and name in own and (record is None or own.is_complete(name)):
        return own.get(name)
    if record is not None:
        return _public_source(record, require_installed(record, folders, offline=offline))
    local = [known for found in (given, own) if found is not None for known in found.names()]
    raise registry.unknown(name, [*registry.names(WORKER), *local, *registry.signatures(WORKER)])


def is_demucs(name: str, registry: Registry, folders: ModelFolders, repo: Path | None) -> bool:
    """Whether there is such a model, be it installed or not."""
    local = [found for found in (_given_repo(repo), _own_repo(folders)) if found is not None]
    return registry.find(name, WORKER) is not None or any(name in found for found in local)


def list_demucs(
    registry: Registry, folders: ModelFolders, repo: Path | None, warn: Warn = ignore
) -> list[ModelDetails]:
    """All models: those of the registry, in MODELS/demucs and in `repo`; each name once.

    The entry of a name describes what `resolve_demucs` returns for it.
    """
    listed = {name: public_details(registry.get(name, WORKER), folders) for name in registry.names(WORKER)}
    own = _own_repo(folders, warn)
    if own is not None:
        public = set(registry.signatures(WORKER))
        for name in own.names():
            known = listed.get(name)
            if name not in public and (known is None or (not known.installed and own.is_complete(name))):
                listed[name] = _local_details(own, name)
    given = _given_repo(repo)
    if given is not None:
        listed.update({name: _local_details(given, name) for name in given.names()})
    return list(listed.values())


def describe_demucs(name: str, registry: Registry, folders: ModelFolders, repo: Path | None) -> ModelDetails:
    """One model, or one network of a public bag by its signature. Raises `UnknownModel`."""
    listed = {details.name: details for details in list_demucs(registry, folders, repo)}
    if name in listed:
        return listed[name]
    record = registry.find(name, WORKER)
    if record is None:
        raise registry.unknown(name, [*listed, *registry.signatures(WORKER)])
    return public_details(record, folders)


def _given_repo(repo: Path | None) -> LocalRepo | None:
    if repo is None:
        return None
    if not repo.is_dir():
        raise ModelNotInstalled(
            f"The folder of local models `{repo}` does not exist.",
            hint="Set `repo` to the folder with the `.th` and `.yaml` files, or leave it out.",
            field="repo",
        )
    return LocalRepo(repo)


def _own_repo(folders: ModelFolders, warn: Warn = ignore) -> LocalRepo | None:
    folder = folders.folder(FOLDER)
    try:
        return LocalRepo(folder) if is_folder(folder) else None
    except ModelNotInstalled as error:
        warn(f"{error.message} The models in it are left out.")
        return None


def _public_source(record: ModelRecord, paths: Mapping[str, Path]) -> DemucsSource:
    if record.bag is None:
        return DemucsSource(record.name, tuple(paths.values()), None, None, record)
    by_signature = record.files_by_signature()
    members = tuple(paths[by_signature[signature].name] for signature in record.bag.members)
    return DemucsSource(record.name, members, record.bag.weights, record.bag.segment_s, record)


def _local_details(repo: LocalRepo, name: str) -> ModelDetails:
    """The entry of a model that only its folder knows. Its stems are not known until it is loaded."""
    description = f"Local model in {repo.folder}"
    size_bytes: int | None = None
    networks: int | UnsetType = UNSET
    try:
        members = repo.locate(name).members
        size_bytes = sum(path.stat().st_size for path in set(members))
        networks = len(members) if repo.is_bag(name) else UNSET
    except ModelError as error:
        description = f"{description}, not usable: {error.message}"
    except OSError as error:
        description = f"{description}, not usable: {error.strerror}."
    return ModelDetails(
        name=name,
        type="demucs",
        stems=[],
        description=description,
        installed=size_bytes is not None,
        size_bytes=size_bytes,
        sdr=None,
        license=None,
        networks=networks,
    )
