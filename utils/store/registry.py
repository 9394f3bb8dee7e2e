"""The public models, read from configs/models and found by name. No I/O beyond these lists and configs/choosing.json.

There is a list for each type of network. What all of its models have in common (worker, type, folder) is written once, at
its top. A file that several models share is written once as well, in the table `files` of the list, under its signature.
The `files` of a model are such signatures or whole records; those of a bag are its members' files, in the order in which
they first occur.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from utils.core.catalogue import Grade, Purpose
from utils.core.errors import ConfigInvalid, UnknownModel, did_you_mean, nearest
from utils.core.typed import convert, decode
from utils.store.folders import configs_folder
from utils.store.records import Bag, FileRecord, ModelRecord

T = TypeVar("T")


class Registry:
    """Model records by worker and name; single members of bags by their signature.

    A model is also found by the names of its file, which is how other programs call it. Where two have a name, the first
    of the list is meant.
    """

    def __init__(self, records: Iterable[ModelRecord], files: Mapping[str, FileRecord]) -> None:
        self._files = dict(files)
        self._records: dict[str, dict[str, ModelRecord]] = {}
        for record in records:
            self._records.setdefault(record.worker, {})[record.name] = record

    @classmethod
    def load(cls, *lists: Path) -> Registry:
        """Read these lists, or all in configs/models. Raises `ConfigInvalid` with the file and the place in it."""
        folder = configs_folder() / "models"
        sources = lists or sorted(folder.glob("*.json"))
        if not sources:
            raise ConfigInvalid(f"There is no list of models in `{folder}`. This folder must be next to the program.")
        records: list[ModelRecord] = []
        files: dict[str, FileRecord] = {}
        for source in sources:
            own_records, own_files = _read_list(source)
            records += own_records
            files.update(own_files)
        return cls(records if lists else _chosen(records, folder.with_name("choosing.json")), files)

    def __iter__(self) -> Iterator[ModelRecord]:
        """The records of all workers."""
        return chain.from_iterable(records.values() for records in self._records.values())

    def names(self, worker: str) -> list[str]:
        """The models of a worker, in the order of its list."""
        return list(self._records.get(worker, {}))

    def signatures(self, worker: str) -> list[str]:
        """The members of bags, which can be used alone as well."""
        records = self._records.get(worker, {}).values()
        return list(dict.fromkeys(member for record in records if record.bag for member in record.bag.members))

    def find(self, name: str, worker: str) -> ModelRecord | None:
        """The record of a model by its name or an alias, or of a single member of a bag by its signature."""
        records = self._records.get(worker, {})
        if name in records:
            return records[name]
        for record in records.values():
            if record.bag is not None and name in record.bag.members:
                return msgspec.structs.replace(
                    record,
                    name=name,
                    description=f"One network of `{record.name}`.",
                    files=(self._files[name],),
                    bag=Bag(members=(name,)),
                    sdr=None,
                    sdr_on=None,
                    sdr_source=None,
                    bleedless=None,
                    fullness=None,
                    bleedless_source=None,
                    also=(),
                    recommended={},
                    notes=(),
                )
        return self._by_alias.get(worker, {}).get(name)

    @cached_property
    def _by_alias(self) -> dict[str, dict[str, ModelRecord]]:
        found: dict[str, dict[str, ModelRecord]] = {}
        for worker, records in self._records.items():
            aliases = found.setdefault(worker, {})
            for record in records.values():
                for alias in record.aliases:
                    aliases.setdefault(alias, record)
        return found

    def get(self, name: str, worker: str) -> ModelRecord:
        """As `find`, but raises `UnknownModel` with the nearest models."""
        record = self.find(name, worker)
        if record is None:
            raise self.unknown(name, [*self.names(worker), *self.signatures(worker)])
        return record

    def unknown(self, name: str, known: Iterable[str]) -> UnknownModel:
        """The error for a name that is not one of `known`: whose model it is, or what was probably meant."""
        owner = next((worker for worker in self._records if self.find(name, worker) is not None), None)
        if owner is None:
            return unknown_model(name, known)
        return UnknownModel(
            f"There is no model `{name}` here: it belongs to dsu-{owner}.",
            hint=f"Use dsu-{owner}, or dsu, which has all models.",
            field="model",
        )


def unknown_model(name: str, known: Iterable[str]) -> UnknownModel:
    """The error for a name that is neither in the registry nor found in a folder."""
    near = nearest(name, known)
    return UnknownModel(
        f"There is no model `{name}`.{did_you_mean(near)}",
        hint='Send {"cmd":"list_models"} for the names of all models.',
        suggestions=near,
        field="model",
    )


# Lists --------------------------------------------------------------------------------------------------------------


class _ModelList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: tuple[dict[str, Any], ...]
    files: dict[str, dict[str, Any]] = {}
    worker: str | None = None
    type: str | None = None
    folder: str | None = None

    @property
    def common(self) -> dict[str, str]:
        """What the models have that do not say otherwise."""
        fields = {"worker": self.worker, "type": self.type, "folder": self.folder}
        return {name: value for name, value in fields.items() if value is not None}


def _read_list(source: Path) -> tuple[list[ModelRecord], dict[str, FileRecord]]:
    try:
        document = decode(source.read_bytes(), _ModelList)
        files = {key: _convert(file, FileRecord, f"files.{key}") for key, file in document.files.items()}
        records: dict[tuple[str, str], ModelRecord] = {}
        for index, entry in enumerate(document.models):
            record = _record({**document.common, **entry}, document.files, f"models[{index}]")
            if (record.worker, record.name) in records:
                raise ValueError(f"the model `{record.name}` of `{record.worker}` occurs twice")  # noqa: TRY301
            records[record.worker, record.name] = record
    except OSError as error:
        raise ConfigInvalid(f"The list of models `{source}` cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigInvalid(f"The list of models `{source}` is malformed: {error}.") from error
    return list(records.values()), files


class _Choosing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which models of a worker are listed first, and which are recommended for what."""

    first: dict[str, tuple[str, ...]]
    recommended: dict[Purpose, dict[Grade, str]]


def _chosen(records: list[ModelRecord], source: Path) -> list[ModelRecord]:
    """The records in the order in which they are listed, with what they are recommended for. Raises `ConfigInvalid`."""
    try:
        choosing = decode(source.read_bytes(), _Choosing)
    except OSError as error:
        raise ConfigInvalid(f"The table of recommendations `{source}` cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise ConfigInvalid(f"The table of recommendations `{source}` is malformed: {error}.") from error
    places = {(worker, name): place for worker, names in choosing.first.items() for place, name in enumerate(names)}
    last = len(places)
    recommended: dict[str, dict[Purpose, Grade]] = {}
    for purpose, models in choosing.recommended.items():
        for grade, name in models.items():
            recommended.setdefault(name, {})[purpose] = grade
    missing = {name for _, name in places} | recommended.keys()
    missing -= {record.name for record in records}
    if missing:
        names = ", ".join(f"`{name}`" for name in sorted(missing))
        raise ConfigInvalid(f"The table of recommendations `{source}` names models that no list has: {names}.")
    ordered = sorted(records, key=lambda record: places.get((record.worker, record.name), last))
    return [
        msgspec.structs.replace(record, recommended=recommended[record.name]) if record.name in recommended else record
        for record in ordered
    ]


def _record(entry: dict[str, Any], table: Mapping[str, dict[str, Any]], place: str) -> ModelRecord:
    if "bag" not in entry:
        files = [_file_of(file, table, place) for file in entry.get("files", ())]
    elif "files" in entry:
        raise ValueError(f"a bag must not have `files`: they are those of its members (in `{place}`)")
    else:
        bag = _convert(entry["bag"], Bag, f"{place}.bag")
        files = [_file_of(member, table, place) for member in dict.fromkeys(bag.members)]
    return _convert({**entry, "files": files}, ModelRecord, place)


def _file_of(file: Any, table: Mapping[str, dict[str, Any]], place: str) -> Any:
    """The record of a file: `file` itself, or what the table has under this signature."""
    if not isinstance(file, str):
        return file
    if file not in table:
        raise ValueError(f"the table `files` has no `{file}` (in `{place}`)")
    return table[file]


def _convert(value: Any, kind: type[T], place: str) -> T:
    try:
        return convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error} (in `{place}`)") from error
