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
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from utils.audio.paths import os_path

_MAX_STEM_BYTES = 120
_PART = re.compile(r"\..*\.[0-9a-f]{16}\.part", re.DOTALL)
# A virus scanner or an indexer may have a file open for a moment that was just written. Elsewhere that does no harm.
_PAUSES_S = (0.05, 0.1, 0.2, 0.4) if sys.platform == "win32" else ()


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
        """Give it its final name; it is held until it has. Raises `OSError`."""
        rename(self.path, target, self.release)
        self.release()

    def discard(self) -> None:
        """Remove it, if it is still there."""
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
        return cls._locked(_open(path, new=True), path, or_without=True)

    @classmethod
    def leftover(cls, path: Path) -> Hold | None:
        """Hold a file that is there; None if it is in use, is a link, or cannot be locked here."""
        try:
            return cls._locked(_open(path, new=False), path, or_without=False)
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
        with contextlib.suppress(OSError):  # of what was written through it, all is on the disk
            os.close(self.descriptor)


# `_open` opens a file, a new one or one that is there, as itself and not what a link points to. On Windows it has to say that
# others may meanwhile rename and remove it: what `os.open` opens they cannot, and neither can its own process.
#
# `_lock` locks a file: False if somebody else has, None if its file system has no locks, so that nothing is swept there.
#
# On Windows and on its network shares, also when Linux mounts them, nobody can read or write what another descriptor has
# locked, not even the same process. So only one byte is locked, and no file is ever as long.
_LOCKED_BYTE = 1 << 62

if sys.platform == "win32":
    import ctypes
    import msvcrt

    _LOCK_VIOLATION = 33
    _READ_AND_WRITE = 0xC0000000
    _SHARE_ALL = 7  # reading, writing and removing, which renaming is, too
    _CREATE_NEW, _OPEN_EXISTING = 1, 3
    _OPEN_LINK_ITSELF = 0x00200000

    def _open(path: Path, *, new: bool) -> int:
        """See above."""
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.CreateFileW.restype = ctypes.c_void_p
        handle = kernel32.CreateFileW(
            ctypes.c_wchar_p(os_path(path)),
            ctypes.c_uint32(_READ_AND_WRITE),
            _SHARE_ALL,
            None,
            _CREATE_NEW if new else _OPEN_EXISTING,
            _OPEN_LINK_ITSELF,
            None,
        )
        if handle is None or handle == ctypes.c_void_p(-1).value:
            raise ctypes.WinError(ctypes.get_last_error())
        return msvcrt.open_osfhandle(handle, os.O_RDWR | os.O_BINARY)

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

    _NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    _FOUND = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK

    def _open(path: Path, *, new: bool) -> int:
        """See above."""
        return os.open(os_path(path), _NEW if new else _FOUND, 0o666)

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
                    remove(folder / entry.name)
                    hold.release()


def rename(source: Path, target: Path, let_go: Callable[[], None] = lambda: None) -> None:
    """Give a file another name, which may be that of another file. Raises `OSError`.

    `let_go` closes what this process has of it: where that is refused, some file systems of Windows do not rename open files.
    """
    for pause_s in _PAUSES_S:
        try:
            return os.replace(os_path(source), os_path(target))  # noqa: PTH105 - a Path would undo the extended form
        except PermissionError:
            let_go()
            time.sleep(pause_s)
    return os.replace(os_path(source), os_path(target))  # noqa: PTH105 - as above


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
                sync_folder(one.parent)  # what comes to lie in it is lost with its name
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
