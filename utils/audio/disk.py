"""Errors of the disk in words for users, and the check for free space before the work starts."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from utils.audio.paths import absolute, os_path, shown
from utils.core.errors import DiskFull, OutputError, OutputNotWritable

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def check_disk_space(folder: Path, needed_bytes: int) -> None:
    """Raise `DiskFull` if the disk of `folder`, which may not exist yet, has too little free space."""
    existing = absolute(folder)
    while not os.path.lexists(os_path(existing)) and existing != existing.parent:
        existing = existing.parent
    try:
        free = shutil.disk_usage(os_path(existing)).free
    except OSError as error:
        if os.path.islink(os_path(existing)):  # noqa: PTH114 - a Path would undo the extended form
            raise OutputNotWritable(
                f"'{shown(existing)}' is a link to a folder that does not exist. Create that or choose another output directory.",
                field="output",
            ) from error
        raise output_error(error, existing) from error
    if free < needed_bytes:
        raise DiskFull(
            f"The stems need {_size(needed_bytes)}, but the disk of '{shown(folder)}' has only {_size(free)} free. "
            "Free some space or choose another output directory.",
            field="output",
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def output_error(error: OSError, path: Path) -> OutputError:
    """The error for a failed write to `path`. Raise it `from` its cause."""
    name = shown(path)
    if error.errno in _FULL:
        return DiskFull(
            f"The disk is full: '{name}' could not be written. Free some space or choose another output directory.",
            field="output",
        )
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        message = f"'{name}' cannot be written: a file is where a folder should be. Choose another output directory."
    elif isinstance(error, IsADirectoryError):
        message = f"'{name}' cannot be written: it is a folder. Remove it or choose another output directory."
    elif isinstance(error, PermissionError):
        message = (
            f"'{name}' cannot be written: permission denied. "
            "Choose a folder that you can write to, and close programs that have the file open."
        )
    else:
        message = f"'{name}' cannot be written ({error.strerror or error}). Choose another output directory."
    return OutputNotWritable(message, field="output")
