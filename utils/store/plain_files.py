"""What is in folders that anybody may have filled: only regular files are opened, and a folder that cannot be read is no more
than a warning. A pipe or a device may keep a reader waiting for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

Warn = Callable[[str], None]


def ignore(warning: str) -> None:
    """For those who have nobody to tell."""
    del warning


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises `OSError` for everything else, and never waits."""
    _require_regular(path.stat(), path)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _require_regular(os.fstat(descriptor), path)  # it may have been replaced
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _require_regular(state: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "It is not a regular file", str(path))


def is_folder(path: Path) -> bool:
    """Whether there is such a folder, as far as this can be seen."""
    return os.path.isdir(path)  # noqa: PTH112 - that of Path raises where a folder above cannot be entered


def size_of(path: Path) -> int | None:
    """The bytes of a regular file; None if there is none, or if that cannot be seen."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_size if stat.S_ISREG(state.st_mode) else None


def files_in(folder: Path, warn: Warn = ignore) -> list[Path]:
    """What is in a folder, sorted. One that does not exist is empty; of one that cannot be read, the caller is warned."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        warn(f"The folder `{folder}` cannot be read: {error.strerror}. The models in it are left out.")
        return []
