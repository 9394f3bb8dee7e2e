"""The facts about public models, read from configs/models/WORKER.json: names, files, hashes, licences. Facts only, no
I/O beyond these lists.

A file that several models share is written once, in its list's table `files`, under its signature. A model's `files` are
such signatures or whole records; a bag's files are those of its members, in the order in which they first appear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from utils.core.errors import ConfigInvalid, UnknownModel, did_you_mean, nearest
from utils.core.requests import SHORTEST_S
from utils.store.folders import configs_folder
from utils.store.names import require_plain_name, require_plain_path

Count = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=SHORTEST_S)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
T = TypeVar("T")


class FileRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file to have: where it comes from and how to know that it is whole."""

    name: str
    urls: tuple[str, ...]
    size_bytes: Count | None = None
    sha256: Sha256 | None = None
    folder: str | None = None  # below the model's own folder

    def __post_init__(self) -> None:
        require_plain_name(self.name)
        if self.folder is not None:
            require_plain_path(self.folder)

    @property
    def place(self) -> str:
        """Where the file is in the folder of its model."""
        return self.name if self.folder is None else f"{self.folder}/{self.name}"

    def below(self, folder: Path) -> Path:
        return folder / self.place


class Bag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Networks whose outputs are averaged. A signature may appear twice; weights are rows of members, columns of stems."""

    members: Annotated[tuple[str, ...], Meta(min_length=1)]
    weights: tuple[tuple[float, ...], ...] | None = None
    segment_s: Seconds | None = None


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of one model. `license` is null where nobody states one, which does not mean free."""

    name: str
    worker: str
    type: str
    folder: str
    stems: Annotated[tuple[str, ...], Meta(min_length=1)]
    description: str
    files: Annotated[tuple[FileRecord, ...], Meta(min_length=1)]
    bag: Bag | None = None
    config: str | None = None
    license: str | None = None
    license_source: str | None = None
    sdr: dict[str, float] | None = None
    sdr_source: str | None = None
    requires: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_plain_name(self.name)
        require_plain_path(self.folder)
        if self.config is not None:
            require_plain_path(self.config)
        if self.bag is not None:
            _require_fitting_bag(self, self.bag)

    def files_by_signature(self) -> dict[str, FileRecord]:
        """The file of each member of the bag; empty where there is no bag."""
        members = dict.fromkeys(self.bag.members) if self.bag is not None else {}
        return dict(zip(members, self.files, strict=True)) if members else {}

    @property
    def size_bytes(self) -> int | None:
        """All files together, where each size is known."""
        sizes = [file.size_bytes for file in self.files]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    files: dict[str, dict[str, Any]]
    models: tuple[dict[str, Any], ...]


class Registry:
    """Model records by worker and name; single members of bags by their signature."""

    def __init__(self, records: Iterable[ModelRecord], files: Mapping[str, FileRecord]) -> None:
        self._files = dict(files)
        self._records: dict[str, dict[str, ModelRecord]] = {}
        for record in records:
            self._records.setdefault(record.worker, {})[record.name] = record

    @classmethod
    def load(cls, *lists: Path) -> Registry:
        """Read these lists, or all in configs/models. Raises `ConfigInvalid` naming the file and the place in it."""
        records: list[ModelRecord] = []
        files: dict[str, FileRecord] = {}
        for source in lists or _public_lists():
            own_records, own_files = _read_list(source)
            records += own_records
            files.update(own_files)
        return cls(records, files)

    def names(self, worker: str) -> list[str]:
        """The named models of a worker, in the registry's order."""
        return list(self._records.get(worker, {}))

    def signatures(self, worker: str) -> list[str]:
        """The members of bags, which can be asked for alone."""
        records = self._records.get(worker, {}).values()
        return list(dict.fromkeys(member for record in records if record.bag for member in record.bag.members))

    def find(self, name: str, worker: str) -> ModelRecord | None:
        """The record of a model, or of one member by its signature."""
        return self._records.get(worker, {}).get(name) or self._single(name, worker)

    def get(self, name: str, worker: str) -> ModelRecord:
        """As `find`, but raises `UnknownModel` naming the nearest models."""
        record = self.find(name, worker)
        if record is None:
            raise unknown_model(name, [*self.names(worker), *self.signatures(worker)])
        return record

    def _single(self, signature: str, worker: str) -> ModelRecord | None:
        for record in self._records.get(worker, {}).values():
            if record.bag is not None and signature in record.bag.members:
                return msgspec.structs.replace(
                    record,
                    name=signature,
                    description=f"One network of `{record.name}`.",
                    files=(self._files[signature],),
                    bag=Bag(members=(signature,)),
                    sdr=None,
                    sdr_source=None,
                    notes=(),
                )
        return None


def unknown_model(name: str, known: Iterable[str]) -> UnknownModel:
    """The error for a name that is neither in the registry nor found in a folder."""
    near = nearest(name, known)
    return UnknownModel(
        f"There is no model `{name}`.{did_you_mean(near)}",
        hint='Send {"cmd":"list_models"} for the names of all models.',
        suggestions=near,
        field="model",
    )


def _public_lists() -> list[Path]:
    folder = configs_folder() / "models"
    lists = sorted(folder.glob("*.json"))
    if not lists:
        raise ConfigInvalid(f"The folder `{folder}` holds no list of models. It belongs beside the program.")
    return lists


def _read_list(source: Path) -> tuple[list[ModelRecord], dict[str, FileRecord]]:
    try:
        document = msgspec.json.decode(source.read_bytes(), type=_Document)
        files = {key: _convert(file, FileRecord, f"files.{key}") for key, file in document.files.items()}
        records = [_record(entry, document.files, index) for index, entry in enumerate(document.models)]
        _require_unique(records)
    except OSError as error:
        raise ConfigInvalid(f"The list of models `{source}` cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigInvalid(f"The list of models `{source}` is malformed: {error}.") from error
    return records, files


def _record(entry: dict[str, Any], table: Mapping[str, dict[str, Any]], index: int) -> ModelRecord:
    place = f"models[{index}]"
    if "bag" not in entry:
        files = [_looked_up(file, table, place) for file in entry.get("files", ())]
    elif "files" in entry:
        raise ValueError(f"a bag's files are those of its members; `files` is one too many (in `{place}`)")
    else:
        bag = _convert(entry["bag"], Bag, f"{place}.bag")
        files = [_looked_up(member, table, place) for member in dict.fromkeys(bag.members)]
    return _convert({**entry, "files": files}, ModelRecord, place)


def _looked_up(file: Any, table: Mapping[str, dict[str, Any]], place: str) -> Any:
    """A file's record: `file` itself, or what the table holds under this signature."""
    if not isinstance(file, str):
        return file
    if file not in table:
        raise ValueError(f"the table `files` has no `{file}` (in `{place}`)")
    return table[file]


def _convert(value: Any, kind: type[T], place: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error} (in `{place}`)") from error


def _require_fitting_bag(record: ModelRecord, bag: Bag) -> None:
    distinct, rows, columns = len(set(bag.members)), len(bag.members), len(record.stems)
    if len(record.files) != distinct:
        raise ValueError(f"the bag `{record.name}` has {distinct} members and {len(record.files)} files")
    if bag.weights is not None and (len(bag.weights) != rows or any(len(row) != columns for row in bag.weights)):
        raise ValueError(f"the weights of `{record.name}` must be {rows} rows of {columns} numbers")


def _require_unique(records: Iterable[ModelRecord]) -> None:
    seen: set[tuple[str, str]] = set()
    for record in records:
        if (record.worker, record.name) in seen:
            raise ValueError(f"the model `{record.name}` of `{record.worker}` is written twice")
        seen.add((record.worker, record.name))
