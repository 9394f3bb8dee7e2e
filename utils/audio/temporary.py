"""Temporary files near the final ones: their places and names, and what a killed process has left of them.

A name holds the machine and the process that writes the file. So leftovers can be distinguished from work in
progress, even in a folder that several machines share.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import zlib
from collections.abc import Iterable
from pathlib import Path

import psutil

from utils.audio.paths import os_path

_MAX_STEM_BYTES = 120
_PART = re.compile(r"\..*\.(?P<pid>\d{1,10})-(?P<machine>[0-9a-f]{8})[0-9a-f]{8}\.part", re.DOTALL)


def part_folder(target: Path) -> Path:
    """The folder of `target` or, while there is none, the nearest one above it. Both are on the same disk."""
    return next((folder for folder in target.parents if os.path.lexists(os_path(folder))), target.parent)


def part_path(target: Path) -> Path:
    """A new temporary name for `target`."""
    name = target.name.encode("utf-8", "surrogateescape")[:_MAX_STEM_BYTES].decode("utf-8", "ignore")
    return part_folder(target) / f".{name}.{os.getpid()}-{_machine()}{secrets.token_hex(4)}.part"


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode('utf-8', 'replace')):08x}"


def remove_stale_parts(folders: Iterable[Path]) -> None:
    """Remove the temporary files in these folders whose process ran on this machine and is gone."""
    for folder in set(folders):
        with contextlib.suppress(OSError), os.scandir(os_path(folder)) as entries:
            for entry in entries:
                match = _PART.fullmatch(entry.name)
                if match is None or match["machine"] != _machine():
                    continue
                pid = int(match["pid"])
                if pid != os.getpid() and not psutil.pid_exists(pid):
                    remove(folder / entry.name)


def remove(path: Path) -> None:
    """Remove a file, if it is there and the system allows it."""
    with contextlib.suppress(OSError):
        os.unlink(os_path(path))  # noqa: PTH108 - a Path would undo the extended form


def make_folder(folder: Path) -> list[Path]:
    """Create `folder` and its parents. Returns those that were created, outermost first."""
    missing = []
    while not os.path.lexists(os_path(folder)):
        missing.append(folder)
        folder = folder.parent
    made = []
    try:
        for one in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another job may need the same folder
                os.mkdir(os_path(one))  # noqa: PTH102 - a Path would undo the extended form
                made.append(one)
    except OSError:
        remove_folders(made)
        raise
    return made


def remove_folders(folders: Iterable[Path]) -> None:
    """Remove the folders that are empty, innermost first."""
    for folder in sorted(folders, key=lambda one: len(one.parts), reverse=True):
        with contextlib.suppress(OSError):
            os.rmdir(os_path(folder))  # noqa: PTH106 - a Path would undo the extended form


def sync(path: Path) -> None:
    """Flush the file to the disk."""
    descriptor = os.open(os_path(path), os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
