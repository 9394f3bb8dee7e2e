"""The part of a download that has arrived so far: `NAME.part`, its hash, and how it becomes the file.

It is kept when a download fails or is cancelled, so that the next one can resume. This is the only place where a job
leaves something unfinished behind.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from utils.core.errors import DiskFull, DsuError, OutputNotWritable

START_BYTES = 512
_FULL = {errno.ENOSPC, errno.EDQUOT}


class PartFile:
    """An open `.part` file. Only the holder of the target's lock may open one."""

    def __init__(self, target: Path, on_block: Callable[[], None]) -> None:
        self.target = target
        self._path = part_path(target)
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        # Unbuffered: blocks are large, and after a crash the file holds what was counted.
        try:
            self._file = _opened(self._path)
        except OSError as error:
            raise _write_error(target, error) from error
        try:
            while block := self._file.read(1 << 20):
                on_block()
                self._hash.update(block)
                self.size_bytes += len(block)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self.size_bytes == 0:
            with contextlib.suppress(OSError):
                self._path.unlink()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def start(self) -> bytes:
        """The first bytes."""
        self._file.seek(0)
        try:
            return self._file.read(START_BYTES)
        finally:
            self._file.seek(0, os.SEEK_END)

    def write(self, block: bytes) -> None:
        """Append a block."""
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._truncate(self.size_bytes)
            raise _write_error(self.target, error) from error
        self._hash.update(block)
        self.size_bytes += len(block)

    def restart(self) -> None:
        """Discard what has arrived."""
        self._truncate(0)
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def publish(self) -> None:
        """Flush it to the disk, then give it the name of the target."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._path.replace(self.target)
        except OSError as error:
            raise _write_error(self.target, error) from error

    def _truncate(self, size_bytes: int) -> None:
        self._file.seek(size_bytes)
        self._file.truncate()


def _opened(path: Path) -> FileIO:
    """The part as a file of this name alone, new if there is none. A link here would have the download overwrite its target."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    if not _is_plain(path):
        path.unlink(missing_ok=True)
        flags |= os.O_EXCL
    return os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)


def _is_plain(path: Path) -> bool:
    """Whether it is a regular file with no other name."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def part_path(target: Path) -> Path:
    """Where the part of a file is."""
    return target.with_name(f"{target.name}.part")


def _write_error(target: Path, error: OSError) -> DsuError:
    if error.errno in _FULL:
        return DiskFull(
            f"The disk of `{target.parent}` is full; `{target.name}` could not be written. Free some space."
        )
    return OutputNotWritable(
        f"`{target.name}` could not be written to `{target.parent}`: {error.strerror}.",
        hint="Make the folder writable, or choose another models directory with --models-dir.",
    )
