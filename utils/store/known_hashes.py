"""The hashes of what was downloaded, in a file `hashes.json` of each folder of models.

Where DSU comes with the hash of a file, the download was compared with it. Of all others the first download is remembered, and
what comes later under their names must be the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from utils.core.errors import ChecksumMismatch, DsuError
from utils.core.typed import decode
from utils.store.folders import embedded_folder
from utils.store.hashes import sha256_of
from utils.store.locks import held
from utils.store.part_file import PartFile
from utils.store.plain_files import open_file

NAME = "hashes.json"
LARGEST_BYTES = 4 << 20
WAIT_STEP_S = 0.05


class KnownHash(msgspec.Struct, frozen=True):
    """The hash of a file, and what the file looked like then."""

    sha256: str
    size_bytes: int
    modified_ns: int
    published: bool  # it is the one that DSU comes with

    def is_of(self, path: Path) -> bool:
        """Whether the file has not been changed since. Raises `OSError`."""
        state = path.stat()
        return (state.st_size, state.st_mtime_ns) == (self.size_bytes, self.modified_ns)


def known_hash(path: Path) -> KnownHash | None:
    """What is known of the file at `path`, which may have changed, or be gone."""
    return _read(path.with_name(NAME)).get(path.name)


def is_vouched(path: Path) -> bool:
    """Whether a file came with the program, or is what was found to have the hash that DSU comes with."""
    if path.parent == embedded_folder():
        return True
    known = known_hash(path)
    try:
        return known is not None and known.published and known.is_of(path)
    except OSError:
        return False


def remember(path: Path, sha256: str, *, published: bool, on_wait: Callable[[], None] = lambda: None) -> None:
    """Note the hash of a file. Where that cannot be written, nothing is remembered."""

    def wait() -> None:
        on_wait()
        time.sleep(WAIT_STEP_S)

    index = path.with_name(NAME)
    try:
        with held(index.with_name(f"{NAME}.lock"), wait), PartFile(index, on_wait) as part:
            state = path.stat()
            known = {**_read(index), path.name: KnownHash(sha256, state.st_size, state.st_mtime_ns, published)}
            part.restart()
            part.write(msgspec.json.format(msgspec.json.encode(known)))
            part.publish()
    except (OSError, DsuError):
        pass


def require_same(path: Path, sha256: str) -> None:
    """Raise `ChecksumMismatch` if another file of this name was here first."""
    known = known_hash(path)
    if known is not None and known.sha256 != sha256:
        raise ChecksumMismatch(
            f"`{path.name}` is not the file that was first downloaded under this name: its SHA-256 begins with {sha256[:8]}, "
            f"and then it was {known.sha256[:8]}.",
            hint=f"If you know why, delete its entry in `{path.with_name(NAME)}`; otherwise get that file again.",
        )


def require_unchanged(path: Path) -> None:
    """As `require_same`, of a file that is there. It is read only if it has been touched since."""
    known = known_hash(path)
    if known is not None and not known.is_of(path):
        sha256 = sha256_of(path)
        require_same(path, sha256)
        remember(path, sha256, published=known.published)


def _read(index: Path) -> dict[str, KnownHash]:
    try:
        with open_file(index) as file:
            return decode(file.read(LARGEST_BYTES), dict[str, KnownHash])
    except (
        OSError,
        msgspec.DecodeError,
        UnicodeDecodeError,
        RecursionError,
    ):  # a new folder has none, and one that is damaged is written anew
        return {}
