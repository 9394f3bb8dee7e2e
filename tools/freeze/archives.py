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
MOST_RELEASED_BYTES = (2 << 30) - 1  # GitHub refuses release files of 2 GiB or more


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


def split(archive: Path, most_bytes: int) -> list[Path]:
    """The parts of an archive that is larger than `most_bytes`, and a script that joins them; nothing for smaller ones.

    7-Zip opens the first part of a 7z archive as if it were the whole.
    """
    for old in archive.parent.glob(f"{archive.name}.[0-9][0-9][0-9]"):
        old.unlink()
    if archive.stat().st_size <= most_bytes:
        return []
    parts: list[Path] = []
    with archive.open("rb") as whole:
        while block := whole.read(min(BLOCK_BYTES, most_bytes)):
            parts.append(archive.with_name(f"{archive.name}.{len(parts) + 1:03}"))
            with parts[-1].open("wb") as part:
                left = most_bytes
                while block:
                    part.write(block)
                    left -= len(block)
                    block = whole.read(min(BLOCK_BYTES, left)) if left else b""
    return [*parts, _joiner(archive, [part.name for part in parts])]


def _joiner(archive: Path, parts: list[str]) -> Path:
    """A script that makes the archive of its parts: for Windows where the build is for Windows, else for a shell."""
    for_windows = "-win-" in archive.name
    script = archive.with_name(f"{archive.name}.join.{'cmd' if for_windows else 'sh'}")
    if for_windows:
        text = f"cd /d %~dp0\r\ncopy /b {'+'.join(parts)} {archive.name}\r\n"
    else:
        digest = sha256(archive)
        text = (
            '#!/bin/sh -e\ncd "$(dirname "$0")"\n'
            f"cat {' '.join(parts)} > {archive.name}\n"
            f'echo "{digest}  {archive.name}" | sha256sum -c\n'
        )
    script.write_text(text, encoding="ascii", newline="")
    script.chmod(0o755)
    return script


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
