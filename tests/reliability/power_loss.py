"""A disk that may lose power at any time: what is on it then.

The content of a file is what it was when it was last synced. Of the names in a folder, those are there that were when the folder
was last synced; of what was named, renamed or removed since then, any part may have happened, in its order or in none. A file that
is renamed from one folder to another is always in one of them: file systems with a journal promise that, and others are not modelled.
"""

from __future__ import annotations

import io
import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from file_layer import Call

Entry = tuple[int, str]  # the number of a folder, and a name in it
ROOT = 0


class Content(NamedTuple):
    """What is in a file, and when it was changed."""

    data: bytes
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        with io.FileIO(path) as file:
            return cls(file.readall(), path.stat().st_mtime_ns)


LOST = Content(b"", 0)


@dataclass
class Moment:
    """What is on the disk for sure, and what may be."""

    names: dict[Entry, int]
    folders: frozenset[int]
    contents: dict[int, Content]
    pending: list[dict[Entry, int | None]] = field(default_factory=list)  # changes of names, each a whole

    def write(self, place: Path, changes: list[dict[Entry, int | None]]) -> Path:
        """Make a folder as the disk is if these changes have happened."""
        names: dict[Entry, int | None] = dict(self.names)
        for change in changes:
            names.update(change)

        def write(number: int, folder: Path) -> None:
            folder.mkdir(parents=True)
            for (owner, name), one in names.items():
                if owner == number and one is not None:
                    if one in self.folders:
                        write(one, folder / name)
                    else:
                        content = self.contents.get(one, LOST)
                        (folder / name).write_bytes(content.data)
                        os.utime(folder / name, ns=(content.modified_ns, content.modified_ns))

        write(ROOT, place)
        return place

    def orders(self, chance: random.Random, others: int) -> Iterator[list[dict[Entry, int | None]]]:
        """What may have happened: nothing, each beginning, all, and so many other choices."""
        for count in range(len(self.pending) + 1):
            yield self.pending[:count]
        for _ in range(others):
            yield [change for change in self.pending if chance.random() < 0.5]


class Disk:
    """Keeps the books of a folder whose calls it is shown. What was in it before is safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._now: dict[Entry, int] = {}
        self._is_folder = {ROOT}
        self._contents: dict[int, Content] = {}
        for path in sorted(folder.rglob("*")):
            number = self._now[self._entry(path)] = next(self._numbers)
            if path.is_dir():
                self._is_folder.add(number)
            else:
                self._contents[number] = Content.of(path)
        self._safe = dict(self._now)
        self._pending: list[dict[Entry, int | None]] = []
        self.moments: list[Moment] = []

    def look(self) -> Moment:
        pending = [dict(change) for change in self._pending]
        return Moment(dict(self._safe), frozenset(self._is_folder), dict(self._contents), pending)

    def __call__(self, call: Call) -> Callable[[], None] | None:
        path = Path(call.path)
        if not path.is_relative_to(self._folder):
            return None
        self.moments.append(self.look())
        match call.name:
            case "open" | "make":
                return None if self._number(path) is not None else lambda: self._create(call)
            case "sync":
                return lambda: self._sync(path)
            case "rename" | "link" | "remove":
                return lambda: self._rename(call)
        return None

    def _entry(self, path: Path) -> Entry:
        folder = self._number(path.parent)
        assert folder is not None, path
        return folder, path.name

    def _number(self, path: Path) -> int | None:
        return ROOT if path == self._folder else self._now.get(self._entry(path))

    def _create(self, call: Call) -> None:
        number = next(self._numbers)
        if call.name == "make":
            self._is_folder.add(number)
        self._change({self._entry(Path(call.path)): number})

    def _rename(self, call: Call) -> None:
        entry = self._entry(Path(call.path))
        number = self._now[entry]
        change: dict[Entry, int | None] = {} if call.name == "link" else {entry: None}
        if call.target is not None:
            change[self._entry(Path(call.target))] = number
        self._change(change)

    def _change(self, change: dict[Entry, int | None]) -> None:
        self._pending.append(change)
        for entry, number in change.items():
            if number is None:
                self._now.pop(entry, None)
            else:
                self._now[entry] = number

    def _sync(self, path: Path) -> None:
        number = self._number(path)
        assert number is not None, path
        if number not in self._is_folder:
            self._contents[number] = Content.of(path)
            return
        for change in [change for change in self._pending if any(entry[0] == number for entry in change)]:
            self._pending.remove(change)
            for entry, done in change.items():
                if done is None:
                    self._safe.pop(entry, None)
                else:
                    self._safe[entry] = done
