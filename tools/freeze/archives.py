"""The folder as one file, the same bytes whenever, wherever and by whomever it is packed. Names, order, owners and times
come from what is passed, never from the system.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

COMPRESSION = 6  # higher levels take three times as long for one part in a hundred
BLOCK_BYTES = 1 << 20


def pack(folder: Path, archive: Path, timestamp: int) -> None:
    """Write `folder`, under its own name, into `archive`, whose ending says how. A whole archive appears, or none."""
    partial = archive.with_name(archive.name + ".part")
    try:
        _packer(archive.name)(folder, partial, timestamp)
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)


def _packer(name: str) -> Callable[[Path, Path, int], None]:
    return next(packer for ending, packer in PACKERS.items() if name.endswith(ending))


def entries(folder: Path) -> list[Path]:
    """The folder, and all below it, in an order that is the same everywhere."""
    return [folder, *sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())]


def name_in(folder: Path, path: Path) -> str:
    return path.relative_to(folder.parent).as_posix()


def pack_tar(folder: Path, target: Path, timestamp: int) -> None:
    """A tar archive, through gzip. Files that share their place on the disk go in once."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=timestamp) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, bufsize=BLOCK_BYTES) as archive,
    ):
        for path in entries(folder):
            entry = archive.gettarinfo(path, name_in(folder, path))
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = timestamp, 0, 0, "", ""
            entry.mode = _mode(path)
            if entry.isreg():
                with path.open("rb") as file:
                    archive.addfile(entry, file)
            else:
                archive.addfile(entry)


def pack_zip(folder: Path, target: Path, timestamp: int) -> None:
    """A zip archive, with the modes of Unix."""
    when = time.gmtime(timestamp)[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION) as archive:
        for path in entries(folder):
            directory = path.is_dir()
            entry = zipfile.ZipInfo(name_in(folder, path) + "/" * directory, when)
            entry.create_system = 3
            entry.external_attr = (_mode(path) | (0o040000 if directory else 0o100000)) << 16 | 0x10 * directory
            if directory:
                archive.writestr(entry, b"")
                continue
            entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, path.stat().st_size
            with path.open("rb") as file, archive.open(entry, "w") as packed:
                shutil.copyfileobj(file, packed, BLOCK_BYTES)


def pack_7z(folder: Path, target: Path, timestamp: int) -> None:
    """A 7z archive, whose entries have the times and modes of the files: those are set first."""
    import py7zr  # noqa: PLC0415  only this kind of archive needs the package

    paths = entries(folder)
    for path in paths:
        path.chmod(_mode(path))
        os.utime(path, (timestamp, timestamp))
    with py7zr.SevenZipFile(target, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": COMPRESSION}]) as archive:
        for path in paths:
            archive.write(path, name_in(folder, path))


def _mode(path: Path) -> int:
    """Whether a file can be run decides, not the habits of who packs. On Windows nothing tells, and nothing asks."""
    return 0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644


PACKERS: dict[str, Callable[[Path, Path, int], None]] = {".tar.gz": pack_tar, ".zip": pack_zip, ".7z": pack_7z}


def write_checksums(folder: Path, archives: Iterable[Path]) -> Path:
    """`SHA256SUMS` beside the archives, as `sha256sum -c` reads it; lines about other archives stay."""
    sums = folder / "SHA256SUMS"
    known = dict(_read_checksums(sums)) | {path.name: sha256(path) for path in archives}
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(known.items()))
    sums.write_text(text, encoding="utf-8", newline="\n")
    return sums


def _read_checksums(path: Path) -> Iterable[tuple[str, str]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            digest, _, name = line.partition("  ")
            if (path.parent / name).exists():
                yield name, digest


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
