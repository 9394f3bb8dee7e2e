"""One file, one writer: a lock beside it that the system itself lets go when the process that holds it dies."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from utils.core.errors import OutputNotWritable


class FileLock:
    """A lock that is a file. It keeps out other processes and other threads alike."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock, unless somebody else has it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise OutputNotWritable(
                f"`{self._path.name}` cannot be made in `{self._path.parent}`: {error.strerror}.",
                hint="Make the folder writable, or choose another models directory with --models-dir.",
            ) from error
        if _lock(descriptor) and _is_still(descriptor, self._path):
            self._descriptor = descriptor
            return True
        os.close(descriptor)
        return False

    def release(self) -> None:
        """Let go and remove the file."""
        if self._descriptor is not None:
            _remove_and_close(self._path, self._descriptor)
            self._descriptor = None


@contextlib.contextmanager
def held(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock `path`. While somebody else does, `wait` is called again and again; what it raises ends it."""
    lock = FileLock(path)
    while not lock.try_acquire():
        wait()
    try:
        yield
    finally:
        lock.release()


def _is_still(descriptor: int, path: Path) -> bool:
    """Whether the lock that was taken is the file now at `path`; its last holder may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _remove_and_close(path: Path, descriptor: int) -> None:
        """An open file cannot be removed here, so it goes afterwards, unless another process has opened it."""
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
            # Some network file systems know no locks. Two writers are then possible; hashes still keep a bad result out.
            return True
        return True

    def _remove_and_close(path: Path, descriptor: int) -> None:
        """Removed while still held: whoever opened it before finds that it is no longer there, and starts anew."""
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)
