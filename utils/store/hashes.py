"""Hashes of files, read in blocks, and cached as long as the size and the modification time of a file stay the same.

Cancelling the job of the thread stops them.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from utils.core.errors import ChecksumMismatch
from utils.core.job import current_job
from utils.store.plain_files import open_file

BLOCK_BYTES = 1 << 20
TAIL_BYTES = 10000 * 1024

_lock = threading.Lock()
_known: dict[tuple[str, Path], tuple[int, int, str]] = {}


def _checkpoint() -> None:
    current_job().checkpoint()


def sha256_of(path: Path, on_block: Callable[[], None] = _checkpoint) -> str:
    """The hexadecimal SHA-256 of a file. `on_block` is called before each block and may raise to stop; by default
    it is the checkpoint of this thread's job."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while True:
            on_block()
            block = file.read(BLOCK_BYTES)
            if not block:
                return digest.hexdigest()
            digest.update(block)


def remembered_sha256(path: Path, on_block: Callable[[], None] = _checkpoint) -> str:
    """As `sha256_of`, but a file that has not changed is not read again."""
    return _remembered("sha256", path, lambda: sha256_of(path, on_block))


def tail_md5_of(path: Path) -> str:
    """The MD5 of the last bytes of a file, by which public tables identify VR and MDX models."""
    with open_file(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        return hashlib.md5(file.read(), usedforsecurity=False).hexdigest()


def remembered_tail_md5(path: Path) -> str:
    """As `tail_md5_of`, but a file that has not changed is not read again."""
    return _remembered("tail_md5", path, lambda: tail_md5_of(path))


def _remembered(kind: str, path: Path, hash_of: Callable[[], str]) -> str:
    stat = path.stat()
    with _lock:
        known = _known.get((kind, path))
    if known is not None and known[:2] == (stat.st_size, stat.st_mtime_ns):
        return known[2]
    digest = hash_of()
    with _lock:
        _known[kind, path] = (stat.st_size, stat.st_mtime_ns, digest)
    return digest


def require_sha256(path: Path, expected: str) -> None:
    """Raise `ChecksumMismatch` unless the file's SHA-256 begins with `expected`."""
    actual = remembered_sha256(path)
    if not actual.startswith(expected.lower()):
        raise ChecksumMismatch(
            f"`{path.name}` is damaged, or is not the file that its name says: its SHA-256 begins with "
            f"{actual[: max(8, len(expected))]}, expected {expected}.",
            hint=f"Delete `{path}` and download it again.",
        )
