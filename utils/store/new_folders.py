"""Folders that a job needs: made when it begins, and gone again if nothing has come to lie in them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from utils.core.errors import DiskFull, OutputNotWritable

SPARE_BYTES = 16 << 20


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make `folder` and its parents. Those that were made and are empty at the end are removed."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputNotWritable(
                f"The models directory `{folder}` cannot be created: {error.strerror}.",
                hint="Choose another models directory with --models-dir.",
            ) from error
        yield
    finally:
        with contextlib.suppress(OSError):  # it is in use
            for each in missing:
                each.rmdir()


def require_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise `DiskFull` unless there is room in `folder`, whether it exists or not."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free_bytes = shutil.disk_usage(there).free
    if needed_bytes + SPARE_BYTES > free_bytes:
        raise DiskFull(
            f"{what} needs {needed_bytes >> 20} MiB in `{folder}`, but only {free_bytes >> 20} MiB are free. "
            "Free some space or choose another models directory."
        )
