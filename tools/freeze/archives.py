"""Packs the folder into one archive, reproducibly: its bytes do not depend on when, where or by whom it is packed."""

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

COMPRESSION = 6  # higher levels take three times as long to save one percent
BLOCK_BYTES = 1 << 20


def pack(folder: Path, archive: Path, timestamp: int) -> None:
    """Pack `folder` in the format that the archive's suffix names. The archive appears complete or not at all."""
    partial = archive.with_name(archive.name + ".part")
    packer = next(packer for suffix, packer in PACKERS.items() if archive.name.endswith(suffix))
    try:
        packer(folder, partial, timestamp)
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)


def entries(folder: Path) -> list[Path]:
    """The folder and everything in it, in the same order on every system."""
    return [folder, *sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())]


def name_in(folder: Path, path: Path) -> str:
    return path.relative_to(folder.parent).as_posix()


def pack_tar(folder: Path, target: Path, timestamp: int) -> None:
    """A gzipped tar archive. Files with several hard links are stored once."""
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
    """A zip archive with Unix modes."""
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
    """A 7z archive. Its entries get the times and modes of the files, so those are set first."""
    import py7zr  # noqa: PLC0415  only this format needs the package

    paths = entries(folder)
    for path in paths:
        path.chmod(_mode(path))
        os.utime(path, (timestamp, timestamp))
    with py7zr.SevenZipFile(target, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": COMPRESSION}]) as archive:
        for path in paths:
            archive.write(path, name_in(folder, path))


def _mode(path: Path) -> int:
    """755 or 644, regardless of the umask. Windows has no executable bit and needs none."""
    return 0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644


PACKERS: dict[str, Callable[[Path, Path, int], None]] = {".tar.gz": pack_tar, ".zip": pack_zip, ".7z": pack_7z}


def write_checksums(folder: Path, archives: Iterable[Path]) -> Path:
    """Write `SHA256SUMS` next to the archives, for `sha256sum -c`. Other archives that still exist keep their lines."""
    sums = folder / "SHA256SUMS"
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.exists() else []
    known = {name: digest for digest, _, name in (line.partition("  ") for line in lines) if (folder / name).exists()}
    known |= {path.name: sha256(path) for path in archives}
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(known.items()))
    sums.write_text(text, encoding="utf-8", newline="\n")
    return sums


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
