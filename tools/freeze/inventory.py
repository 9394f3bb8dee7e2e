"""What ended up in the frozen folder: which distributions, and how large each part is. It reads the folder, not the plan."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tools.freeze.slimming import files

LIBRARY = "library.zip"
MEBIBYTE = 1 << 20


class FolderPart(NamedTuple):
    """A package in the folder, or one of the folder's own parts, with its files on the disk."""

    name: str
    size_bytes: int
    file_count: int


def present(lib: Path, owners: Mapping[str, set[str]]) -> set[str]:
    """The distributions that the folder holds something of."""
    return {owner for name in _names(lib) for owner in owners.get(name, ())}


def _names(lib: Path) -> set[str]:
    """What can be imported from the folder: its entries, and those of Python's archive."""
    with zipfile.ZipFile(lib / LIBRARY) as archive:
        zipped = {name.partition("/")[0].removesuffix(".pyc") for name in archive.namelist()}
    return zipped | {importable(entry.name) for entry in lib.iterdir()}


def importable(name: str) -> str:
    """The name under which a file or folder is imported; folders of libraries keep theirs."""
    return name if name.endswith((".libs", ".dylibs")) else name.partition(".")[0]


def parts(folder: Path) -> list[FolderPart]:
    """The largest first. Files that share their place on the disk count once."""
    sizes: dict[str, list[int]] = {}
    seen: set[tuple[int, int]] = set()
    for path in files(folder):
        facts = path.stat()
        place = (facts.st_dev, facts.st_ino)
        again = facts.st_nlink > 1 and place in seen
        seen.add(place)
        sizes.setdefault(part_of(path.relative_to(folder)), []).append(0 if again else facts.st_size)
    found = (FolderPart(name, sum(each), len(each)) for name, each in sizes.items())
    return sorted(found, key=lambda part: (-part.size_bytes, part.name))


def part_of(path: Path) -> str:
    """A package below `lib`, with the libraries that its wheel brings; else the folder; else `programs`."""
    first, *rest = path.parts
    if first == "lib" and len(rest) > 1:
        return rest[0].removesuffix(".libs").removesuffix(".dylibs")
    if first == "lib":
        return "Python"
    return first if rest else "programs"


def size_bytes(rows: Iterable[FolderPart]) -> int:
    return sum(part.size_bytes for part in rows)


def report(rows: Iterable[FolderPart]) -> str:
    """The sizes as text for people."""
    listed = list(rows)
    lines = [f"{part.size_bytes / MEBIBYTE:9.1f}  {part.file_count:6d}  {part.name}" for part in listed]
    total = f"{size_bytes(listed) / MEBIBYTE:9.1f}  {sum(part.file_count for part in listed):6d}  all"
    return "\n".join(["      MiB   files  part", *lines, total]) + "\n"
