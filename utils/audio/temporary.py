"""Temporary files near the final ones: their places and names, and what a killed process has left of them.

Whoever writes a temporary file holds a lock on it, which the system releases when the process ends, however it ends. So
leftovers can be told from work in progress, in a folder that several containers or machines share as well, where a process
number says nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

from utils.audio.paths import os_path

_MAX_STEM_BYTES = 120
_PART = re.compile(r"\..*\.[0-9a-f]{16}\.part", re.DOTALL)
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FOUND = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def part_folder(target: Path) -> Path:
    """The folder of `target` or, while there is none, the nearest one above it. Both are on the same disk."""
    return next((folder for folder in target.parents if os.path.lexists(os_path(folder))), target.parent)


def part_path(target: Path) -> Path:
    """A new temporary name for `target`."""
    name = target.name.encode("utf-8", "surrogateescape")[:_MAX_STEM_BYTES].decode("utf-8", "ignore")
    return part_folder(target) / f".{name}.{secrets.token_hex(8)}.part"


def is_part(name: str) -> bool:
    """Whether a file has the name of a temporary one."""
    return _PART.fullmatch(name) is not None


class HeldFile:
    """A new temporary file for `target`, created empty and held. Any thread may release it."""

    def __init__(self, target: Path) -> None:
        """Raises `OSError`."""
        self._hold: Hold | None = None
        while self._hold is None:  # a sweep may take it before it is locked, and is about to remove it
            self.path = part_path(target)
            self._hold = Hold.new(self.path)

    def publish(self, target: Path) -> None:
        """Give it its final name. Raises `OSError`."""
        self.release_for_rename()
        os.replace(os_path(self.path), os_path(target))  # noqa: PTH105 - a Path would undo the extended form
        self.release()

    def release_for_rename(self) -> None:
        """On Windows, an open file cannot get another name; elsewhere it is better held until it has."""
        if sys.platform == "win32":
            self.release()

    def discard(self) -> None:
        """Remove it, if it is still there."""
        if sys.platform == "win32":
            self.release()
        remove(self.path)
        self.release()

    def release(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.release()


class Hold:
    """An open file that no other process may take for a leftover."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def new(cls, path: Path) -> Hold | None:
        """Create the file and hold it; None if somebody else was faster."""
        return cls._locked(os.open(os_path(path), _NEW, 0o666), path, or_without=True)

    @classmethod
    def leftover(cls, path: Path) -> Hold | None:
        """Hold a file that is there; None if it is in use, is a link, or cannot be locked here."""
        try:
            return cls._locked(os.open(os_path(path), _FOUND), path, or_without=False)
        except OSError:
            return None

    @classmethod
    def _locked(cls, descriptor: int, path: Path, *, or_without: bool) -> Hold | None:
        locked = _lock(descriptor)
        is_there = os.path.lexists(os_path(path))  # the name is random: nobody else takes it
        if is_there and (locked or (locked is None and or_without)):
            return cls(descriptor)
        os.close(descriptor)
        return None

    def release(self) -> None:
        os.close(self.descriptor)


# `_lock` locks a file: False if somebody else has, None if its file system has no locks, so that nothing is swept there.
#
# On Windows and on its network shares, also when Linux mounts them, nobody can read or write what another descriptor has
# locked, not even the same process. So only one byte is locked, and no file is ever as long.
_LOCKED_BYTE = 1 << 62

if sys.platform == "win32":
    import ctypes
    import msvcrt

    _LOCK_VIOLATION = 33

    def _lock(descriptor: int) -> bool | None:
        """See above. `msvcrt.locking` reaches only the first 2 GiB."""
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        if kernel32.LockFile(handle, 0, _LOCKED_BYTE >> 32, 1, 0):
            return True
        return False if ctypes.get_last_error() == _LOCK_VIOLATION else None

else:
    import errno
    import fcntl
    import struct

    def _lock(descriptor: int) -> bool | None:
        """See above. macOS has only locks of whole files that belong to a descriptor."""
        try:
            if sys.platform != "linux" or not _lock_byte(descriptor):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            return None
        return True

    if sys.platform == "linux":

        def _lock_byte(descriptor: int) -> bool:
            """Lock the byte, until the descriptor is closed. False if the kernel cannot; raises `OSError`."""
            what = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)  # as in `struct flock`
            try:
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, what)
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return False
                raise
            return True


def remove_stale_parts(folders: Iterable[Path]) -> None:
    """Remove the temporary files in these folders that no process holds."""
    for folder in set(folders):
        with contextlib.suppress(OSError), os.scandir(os_path(folder)) as entries:
            for entry in entries:
                if is_part(entry.name) and (hold := Hold.leftover(folder / entry.name)) is not None:
                    if sys.platform == "win32":
                        hold.release()
                        remove(folder / entry.name)
                    else:
                        remove(folder / entry.name)
                        hold.release()


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


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the system has a way to."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # some file systems refuse it
            descriptor = os.open(os_path(folder), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
