"""The facts about a model, as values: its files, how they are verified, what it separates. No I/O."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta

from utils.core.catalogue import COMMERCIAL_USE, Grade, Purpose, ScoredOn, Speed
from utils.core.requests import SHORTEST_S
from utils.store.plain_names import require_plain_name, require_plain_path

Size = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=SHORTEST_S)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Year = Annotated[int, Meta(ge=2000, le=2100)]
Scores = dict[str, float]  # by stem

CONFIG_SUFFIXES = frozenset({".yaml", ".yml"})
# Files in bytes from which a network of one kind counts as slow, and up to which as fast.
SLOW_BYTES, FAST_BYTES = 600_000_000, 100_000_000
FAST_TYPES = frozenset({"mdx", "vr", "mask_unet", "htdemucs"})


class FileRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: where it can be downloaded, and how to verify it."""

    name: str
    urls: tuple[str, ...]
    size_bytes: Size | None = None
    sha256: Sha256 | None = None
    folder: str | None = None  # inside the folder of the model

    def __post_init__(self) -> None:
        require_plain_name(self.name)
        if self.folder is not None:
            require_plain_path(self.folder)

    @property
    def place(self) -> str:
        """Where the file is inside the folder of its model."""
        return self.name if self.folder is None else f"{self.folder}/{self.name}"

    def below(self, folder: Path) -> Path:
        return folder / self.place


class Bag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Networks whose outputs are averaged. A signature may occur twice. `weights` has a row per member and a column
    per stem.
    """

    members: Annotated[tuple[str, ...], Meta(min_length=1)]
    weights: tuple[tuple[float, ...], ...] | None = None
    segment_s: Seconds | None = None


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known about one model; what no source states is null or left out.

    `license` is null if nobody states one, which does not mean that it is free. The configuration of a network is a file
    below configs, `config`, or else one of its own files, which is downloaded beside the checkpoint.
    """

    name: str
    worker: str
    type: str
    folder: str
    stems: Annotated[tuple[str, ...], Meta(min_length=1)]
    description: str
    files: Annotated[tuple[FileRecord, ...], Meta(min_length=1)]
    purposes: tuple[Purpose, ...] = ()
    author: str | None = None
    year: Year | None = None  # of publication
    also: tuple[str, ...] = ()  # what other programs call it
    bag: Bag | None = None
    config: str | None = None
    license: str | None = None
    license_source: str | None = None
    sdr: Scores | None = None
    sdr_on: ScoredOn | None = None
    sdr_source: str | None = None
    bleedless: Scores | None = None
    fullness: Scores | None = None
    bleedless_source: str | None = None  # of both
    recommended: dict[Purpose, Grade] = {}  # by configs/choosing.json, never by a list
    precision: Literal["fp32"] | None = None  # of a network that is known not to stand half precision
    requires: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_plain_name(self.name)
        require_plain_path(self.folder)
        if self.config is not None:
            require_plain_path(self.config)
        if self.bag is None:
            return
        distinct, rows, columns = len(set(self.bag.members)), len(self.bag.members), len(self.stems)
        if len(self.files) != distinct:
            raise ValueError(f"the bag `{self.name}` has {distinct} members and {len(self.files)} files")
        weights = self.bag.weights
        if weights is not None and (len(weights) != rows or any(len(row) != columns for row in weights)):
            raise ValueError(f"the weights of `{self.name}` must be {rows} rows of {columns} numbers")

    def files_by_signature(self) -> dict[str, FileRecord]:
        """The file of each member of the bag; empty if there is no bag."""
        members = dict.fromkeys(self.bag.members) if self.bag is not None else {}
        return dict(zip(members, self.files, strict=True)) if members else {}

    @property
    def aliases(self) -> list[str]:
        """What else the model is called: like the file of its bag, or like its only checkpoint, also as that was
        published, or as other programs do.
        """
        if self.bag is not None:
            names = [f"{self.name}.yaml"]
        elif len(self.checkpoints) > 1:
            names = []
        else:
            (file,) = self.checkpoints
            names = [file.name, *self.other_names(file)]
        return [name for name in dict.fromkeys((*names, *self.also)) if name != self.name]

    def other_names(self, file: FileRecord) -> list[str]:
        """What else a file of this model may be called: as it was published, or like the model."""
        names = [PurePosixPath(unquote(urlsplit(url).path)).name for url in file.urls]
        suffix = PurePosixPath(file.name).suffix
        if len(self.checkpoints) == 1 and file in self.checkpoints and not self.name.endswith(suffix):
            names.append(self.name + suffix)
        return [name for name in dict.fromkeys(names) if name not in ("", file.name)]

    @property
    def own_config(self) -> FileRecord | None:
        """The configuration that is downloaded beside the checkpoint."""
        if self.config is not None:
            return None
        return next((file for file in self.files if PurePosixPath(file.name).suffix in CONFIG_SUFFIXES), None)

    @property
    def checkpoints(self) -> tuple[FileRecord, ...]:
        """The files without the configuration."""
        config = self.own_config
        return self.files if config is None else tuple(file for file in self.files if file != config)

    @property
    def size_bytes(self) -> int | None:
        """The size of all files together, if each size is known. A configuration counts nothing."""
        sizes = [file.size_bytes for file in self.checkpoints]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    @property
    def downloadable(self) -> bool:
        """Whether addresses of all files are known."""
        return all(file.urls for file in self.files)

    @property
    def speed(self) -> Speed:
        """How long the model takes, estimated by its kind and its size."""
        networks = len(self.bag.members) if self.bag is not None else 1
        if self.type in FAST_TYPES or (self.type == "demucs" and networks <= 2):
            return "fast"
        size = self.size_bytes or SLOW_BYTES - 1
        return "slow" if size >= SLOW_BYTES else "medium" if size > FAST_BYTES or networks > 2 else "fast"

    @property
    def commercial_use(self) -> bool | None:
        """Whether the licence allows commercial use; None if that is unknown."""
        return None if self.license is None else COMMERCIAL_USE.get(self.license)


def stands_half(record: ModelRecord | None) -> bool:
    """May a network compute in half precision? Of users' own networks that is found out."""
    return record is None or record.precision is None
