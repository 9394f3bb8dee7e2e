"""Demucs models by name: the registry's in the models directory, and local ones in folders laid out as the demucs
package does it (`SIG.th` or `SIG-CHECKSUM.th`, and a bag `NAME.yaml` that lists signatures).

A name is looked for in the folder of the request, then in the registry, then among the files that people put into
MODELS/demucs themselves. No torch here: checkpoints are only found and their hashes checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from utils.core.errors import ConfigInvalid, ModelError, ModelNotInstalled
from utils.core.replies import ModelDetails
from utils.store.bag_file import BagFile, read_bag
from utils.store.folders import ModelFolders
from utils.store.hashes import require_sha256
from utils.store.installed import public_details, require_installed
from utils.store.records import ModelRecord
from utils.store.registry import Registry, unknown_model

WORKER = "demucs"
FOLDER = "demucs"
_WITH_CHECKSUM = re.compile(r"(?P<signature>.+)-(?P<checksum>[0-9a-fA-F]{8,64})")


@dataclass(frozen=True)
class DemucsSource:
    """A model whose files are there. `record` is what the registry knows, None for local models."""

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
        """What its files do not say, but changes what it gives."""
        return (self.weights, self.segment_s)


class LocalRepo:
    """A folder of bags and checkpoints, as it is now. Hidden files are left out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bags: dict[str, Path] = {}
        self._nets: dict[str, list[Path]] = {}
        for path in _visible_files(folder):
            if path.suffix == ".yaml":
                self._bags[path.stem] = path
            elif path.suffix == ".th":
                self._nets.setdefault(_signature(path), []).append(path)

    def __contains__(self, name: str) -> bool:
        return name in self._bags or name in self._nets

    def names(self) -> list[str]:
        """The bags, then the single networks by signature."""
        return [*self._bags, *(signature for signature in self._nets if signature not in self._bags)]

    def get(self, name: str) -> DemucsSource:
        """The model called `name`, its members found and checked against the checksums in their names."""
        resolved = self.locate(name)
        for path in resolved.members:
            with_checksum = _WITH_CHECKSUM.fullmatch(path.stem)
            if with_checksum is not None:
                require_sha256(path, with_checksum["checksum"])
        return resolved

    def locate(self, name: str) -> DemucsSource:
        """As `get`, but no file is read except the bag's."""
        if name not in self:
            raise unknown_model(name, self.names())
        bag = read_bag(self._bags[name]) if name in self._bags else BagFile(models=(name,))
        members = tuple(self._member(signature, of=name) for signature in bag.models)
        return DemucsSource(name, members, bag.weights, bag.segment, record=None)

    def _member(self, signature: str, *, of: str) -> Path:
        paths = self._nets.get(signature, [])
        if not paths:
            raise ModelNotInstalled(
                f"The bag `{of}` needs the network `{signature}`, and `{self.folder}` holds no `{signature}.th`.",
                hint=f"Put the file `{signature}.th` (or `{signature}-CHECKSUM.th`) there, or correct `{of}.yaml`.",
            )
        if len(paths) > 1:
            names = " and ".join(f"`{path.name}`" for path in paths)
            raise ConfigInvalid(f"`{self.folder}` holds {names}, all of the signature `{signature}`. Keep one of them.")
        return paths[0]


def resolve_demucs(
    name: str, *, registry: Registry, folders: ModelFolders, repo: Path | None, offline: bool = False
) -> DemucsSource:
    """The files of the model called `name`. Raises `UnknownModel` or `ModelNotInstalled`, saying how to go on."""
    given = _given_repo(repo)
    if given is not None and name in given:
        return given.get(name)
    record = registry.find(name, WORKER)
    if record is not None and folders.installed(record):
        return _installed(record, require_installed(record, folders, offline=offline))
    own = _own_repo(folders)
    if own is not None and name in own and (record is None or _is_complete(own, name)):
        return own.get(name)
    if record is not None:
        return _installed(record, require_installed(record, folders, offline=offline))
    local = [known for found in (given, own) if found is not None for known in found.names()]
    raise unknown_model(name, [*registry.names(WORKER), *local, *registry.signatures(WORKER)])


def list_demucs(registry: Registry, folders: ModelFolders, repo: Path | None) -> list[ModelDetails]:
    """Every model that can be named: the registry's, those in MODELS/demucs, those in `repo`; each name once.

    What is listed under a name is what `resolve_demucs` gives for it.
    """
    listed = {name: public_details(registry.get(name, WORKER), folders) for name in registry.names(WORKER)}
    own = _own_repo(folders)
    if own is not None:
        public = set(registry.signatures(WORKER))
        _add_own(listed, own, [name for name in own.names() if name not in public])
    given = _given_repo(repo)
    if given is not None:
        listed.update({name: _local_details(given, name) for name in given.names()})
    return list(listed.values())


def describe_demucs(name: str, registry: Registry, folders: ModelFolders, repo: Path | None) -> ModelDetails:
    """One model, also a single network of a public bag by its signature. Raises `UnknownModel`."""
    listed = {details.name: details for details in list_demucs(registry, folders, repo)}
    if name in listed:
        return listed[name]
    record = registry.find(name, WORKER)
    if record is None:
        raise unknown_model(name, [*listed, *registry.signatures(WORKER)])
    return public_details(record, folders)


def _add_own(listed: dict[str, ModelDetails], own: LocalRepo, names: Iterable[str]) -> None:
    """List what lies in MODELS/demucs; under a public name only where the public files are not there."""
    for name in names:
        known = listed.get(name)
        if known is None or (not known.installed and _is_complete(own, name)):
            listed[name] = _local_details(own, name)


def _given_repo(repo: Path | None) -> LocalRepo | None:
    if repo is None:
        return None
    if not repo.is_dir():
        raise ModelNotInstalled(
            f"The folder of local models `{repo}` does not exist.",
            hint="Give in `repo` the folder that holds the `.th` and `.yaml` files, or leave `repo` out.",
            field="repo",
        )
    return LocalRepo(repo)


def _own_repo(folders: ModelFolders) -> LocalRepo | None:
    folder = folders.folder(FOLDER)
    return LocalRepo(folder) if folder.is_dir() else None


def _visible_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise ModelNotInstalled(f"The folder of models `{folder}` cannot be read: {error.strerror}.") from error


def _signature(path: Path) -> str:
    with_checksum = _WITH_CHECKSUM.fullmatch(path.stem)
    return with_checksum["signature"] if with_checksum is not None else path.stem


def _is_complete(repo: LocalRepo, name: str) -> bool:
    try:
        repo.locate(name)
    except ModelError:
        return False
    return True


def _installed(record: ModelRecord, paths: Mapping[str, Path]) -> DemucsSource:
    """A model of the registry whose files are there."""
    if record.bag is None:
        return DemucsSource(record.name, tuple(paths.values()), None, None, record)
    by_signature = record.files_by_signature()
    members = tuple(paths[by_signature[signature].name] for signature in record.bag.members)
    return DemucsSource(record.name, members, record.bag.weights, record.bag.segment_s, record)


def _local_details(repo: LocalRepo, name: str) -> ModelDetails:
    """A model that only its folder knows; its stems are known once it is loaded."""
    description = f"Local model in {repo.folder}"
    size_bytes: int | None = None
    try:
        size_bytes = sum(path.stat().st_size for path in set(repo.locate(name).members))
    except ModelError as error:
        description = f"{description}, not usable: {error.message}"
    return ModelDetails(
        name=name,
        type="demucs",
        stems=[],
        description=description,
        installed=size_bytes is not None,
        size_bytes=size_bytes,
        sdr=None,
        license=None,
    )
