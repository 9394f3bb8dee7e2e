"""What the frozen folder really contains: which distributions, and how large each part is."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tools.freeze.slimming import files

LIBRARY = "library.zip"
MEBIBYTE = 1 << 20


class FolderPart(NamedTuple):
    """A package in the folder, or another part of it, with its size on disk."""

    name: str
    size_bytes: int
    file_count: int


def present(lib: Path, owners: Mapping[str, set[str]]) -> set[str]:
    """The distributions of which the folder, or the archive with Python's library in it, contains something."""
    with zipfile.ZipFile(lib / LIBRARY) as archive:
        zipped = {name.partition("/")[0].removesuffix(".pyc") for name in archive.namelist()}
    names = zipped | {importable(entry.name) for entry in lib.iterdir()}
    return {owner for name in names for owner in owners.get(name, ())}


def importable(name: str) -> str:
    """The name under which a file or folder is imported; folders of libraries keep their suffix."""
    return name if name.endswith((".libs", ".dylibs")) else name.partition(".")[0]


def parts(folder: Path) -> list[FolderPart]:
    """The parts, largest first. Files with several hard links count once."""
    sizes: dict[str, list[int]] = {}
    seen: set[tuple[int, int]] = set()
    for path in files(folder):
        facts = path.stat()
        inode = (facts.st_dev, facts.st_ino)
        again = facts.st_nlink > 1 and inode in seen
        seen.add(inode)
        sizes.setdefault(part_of(path.relative_to(folder)), []).append(0 if again else facts.st_size)
    found = (FolderPart(name, sum(each), len(each)) for name, each in sizes.items())
    return sorted(found, key=lambda part: (-part.size_bytes, part.name))


def part_of(path: Path) -> str:
    """A package in `lib`, together with its bundled libraries; or a folder; or `programs`."""
    first, *rest = path.parts
    if first == "lib" and len(rest) > 1:
        return rest[0].removesuffix(".libs").removesuffix(".dylibs")
    if first == "lib":
        return "Python"
    return first if rest else "programs"


def size_bytes(rows: Iterable[FolderPart]) -> int:
    return sum(part.size_bytes for part in rows)


def report(rows: Iterable[FolderPart]) -> str:
    """The sizes as a table to read."""
    listed = list(rows)
    lines = [f"{part.size_bytes / MEBIBYTE:9.1f}  {part.file_count:6d}  {part.name}" for part in listed]
    total = f"{size_bytes(listed) / MEBIBYTE:9.1f}  {sum(part.file_count for part in listed):6d}  all"
    return "\n".join(["      MiB   files  part", *lines, total]) + "\n"
