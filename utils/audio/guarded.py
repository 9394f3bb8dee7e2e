"""A file for foreign code. A library that reads or writes through it meets no exception; we meet it in `check`.

libsndfile ignores failed writes for some formats, and neither library keeps the system's reason. This does.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from pathlib import Path
from typing import IO, Any

from utils.audio.paths import os_path

_BUFFER_BYTES = 1 << 18


class GuardedFile:
    """An open binary file that keeps its first fault instead of raising it. Any thread may close it."""

    def __init__(self, path: Path, mode: str) -> None:
        self.path = path
        self.name = os.fspath(path)
        self.fault: OSError | None = None
        self.at_end = False
        self._file: IO[bytes] = open(os_path(path), mode, buffering=_BUFFER_BYTES)  # noqa: PTH123, SIM115 - `close` closes

    def check(self) -> None:
        """Raise the first fault, if there was one."""
        if self.fault is not None:
            raise self.fault

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._file.read(size)
        except (OSError, ValueError) as error:
            self._keep(error)
            return b""
        self.at_end = self.at_end or len(data) < size
        return data

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except (OSError, ValueError) as error:
            self._keep(error)
            return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError) as error:
            self._keep(error)
            return -1

    def tell(self) -> int:
        try:
            return self._file.tell()
        except (OSError, ValueError) as error:
            self._keep(error)
            return -1

    def flush(self) -> None:
        try:
            self._file.flush()
        except (OSError, ValueError) as error:
            self._keep(error)

    def close(self) -> None:
        """Close the file. What could not be written by now is lost, which `check` tells."""
        if self._file.closed:
            return
        self.flush()
        with contextlib.suppress(OSError):
            self._file.close()

    def _keep(self, error: OSError | ValueError) -> None:
        if self.fault is None:  # a ValueError says that the file was closed under the library's hands
            self.fault = error if isinstance(error, OSError) else OSError(errno.EBADF, os.strerror(errno.EBADF))
