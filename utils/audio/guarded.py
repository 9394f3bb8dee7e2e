"""A file for libraries to read and write through. It keeps the system's error instead of raising it inside of them.

libsndfile ignores failed writes for some formats, and neither libsndfile nor FFmpeg keeps the system's reason.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from pathlib import Path
from typing import IO, Any

from utils.audio.disk import output_error
from utils.audio.paths import os_path

_BUFFER_BYTES = 1 << 18


class GuardedFile:
    """An open binary file that keeps its first error as `fault`. Any thread may close it."""

    def __init__(self, path: Path, mode: str) -> None:
        self.path = path
        self.name = os.fspath(path)
        self.fault: OSError | None = None
        self.at_end = False
        self._file: IO[bytes] = open(os_path(path), mode, buffering=_BUFFER_BYTES)  # noqa: PTH123, SIM115 - `close` closes

    def require_written(self) -> None:
        """Raise an `OutputError` for the first fault, if there was one."""
        if self.fault is not None:
            raise output_error(self.fault, self.path) from self.fault

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
        """Close the file. `require_written` raises if something could not be written."""
        if self._file.closed:
            return
        self.flush()
        with contextlib.suppress(OSError):
            self._file.close()

    def _keep(self, error: OSError | ValueError) -> None:
        if self.fault is None:  # a ValueError means that the file was closed while the library used it
            self.fault = error if isinstance(error, OSError) else OSError(errno.EBADF, os.strerror(errno.EBADF))
