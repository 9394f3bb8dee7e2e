"""One writer per file: a lock beside it, which the system releases when the process that holds it dies."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from utils.core.errors import OutputNotWritable


class FileLock:
    """A lock that is a file. It excludes other processes and other threads alike."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock, unless somebody else holds it."""
        try:
            self._path.parent.mkdir(
                parents=True, exist_ok=True
            )  # its last holder may have left it empty and removed it
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except FileNotFoundError:  # in between
            return False
        except OSError as error:
            raise OutputNotWritable(
                f"`{self._path.name}` cannot be created in `{self._path.parent}`: {error.strerror}.",
                hint="Make the folder writable, or choose another models directory with --models-dir.",
            ) from error
        is_held = False
        if _lock(descriptor):
            with contextlib.suppress(FileNotFoundError):  # its last holder may have removed it in the meantime
                is_held = os.path.samestat(os.fstat(descriptor), self._path.stat())
        if is_held:
            self._descriptor = descriptor
        else:
            os.close(descriptor)
        return is_held

    def release(self) -> None:
        """Release the lock and remove the file."""
        if self._descriptor is not None:
            _remove_and_close(self._path, self._descriptor)
            self._descriptor = None


@contextlib.contextmanager
def held(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock `path`. While somebody else holds it, `wait` is called repeatedly and may raise to give up."""
    lock = FileLock(path)
    while not lock.try_acquire():
        wait()
    try:
        yield
    finally:
        lock.release()


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _remove_and_close(path: Path, descriptor: int) -> None:
        """An open file cannot be removed on Windows. It is removed afterwards, unless another process has opened it."""
        os.close(descriptor)
        with contextlib.suppress(OSError):
            path.unlink()

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            # Some network file systems have no locks. Two writers are then possible; hashes still reject a bad result.
            return True
        return True

    def _remove_and_close(path: Path, descriptor: int) -> None:
        """Removed while still held: whoever has opened it finds that it is gone, and starts again."""
        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):  # nothing was written to it
            os.close(descriptor)
