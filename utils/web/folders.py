"""The data folder: what is in it, and how something in it goes away."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
from pathlib import Path

from utils.core.errors import InvalidRequest, OutputNotWritable
from utils.store.locks import FileLock


class Folders:
    """The parts of the data folder. One server at a time has it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uploads = root / "uploads"  # whole songs, by the SHA-256 of their content
        self.incoming = root / "incoming"  # songs that are on their way, and exports until they have been sent
        self.results = root / "results"  # whole results, by what determines them
        self.work = root / "work"  # of the job that runs, and what is being removed
        self.database = root / "jobs.sqlite"
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.uploads, self.incoming, self.results, self.work):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise OutputNotWritable(
                f"The data folder `{root}` cannot be used: {error.strerror}.",
                hint="Choose another with --data.",
                field="data",
            ) from error
        self._lock = FileLock(root / "server.lock")
        if not self._lock.try_acquire():
            raise InvalidRequest(f"Another server uses the data folder `{root}`.", hint="Choose another with --data.")
        for folder in (self.incoming, self.work):  # what an earlier server left unfinished
            self.sweep(folder, ())

    def close(self) -> None:
        self._lock.release()

    def new_work(self, name: str) -> Path:
        folder = self.work / f"{name}-{secrets.token_hex(4)}"
        folder.mkdir()
        return folder

    def new_incoming(self) -> Path:
        return self.incoming / secrets.token_hex(16)

    def discard(self, path: Path) -> None:
        """Let a file or a folder be gone at once; its bytes go beside the work of the server."""
        doomed = self.work / f"gone-{secrets.token_hex(8)}"
        with contextlib.suppress(OSError):
            path.rename(doomed)
            threading.Thread(target=_remove, args=(doomed,), daemon=True).start()

    def sweep(self, folder: Path, kept: tuple[Path, ...]) -> None:
        """Remove what nobody needs in a folder: also what a worker that was killed late has left behind."""
        for path in folder.iterdir():
            if path not in kept:
                _remove(path)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.root).free


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
