"""Makes the frozen folder small and reproducible: removes symbols, duplicates, and traces of when and where it was built."""

from __future__ import annotations

import os
import py_compile
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from tools.freeze.archives import sha256

ELF_MAGIC = b"\x7fELF"
ELF_64_BIT = 2
PT_LOAD = 1
PAGE_BYTES = 4096
# A .pyc starts with a magic number and flags, followed by the time and size of its source, which is not in the folder.
PYC_STAMP = slice(8, 16)
# The earliest time in the zip format.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
# How Python was compiled, with paths of the machine. Only build tools import it.
BUILD_RECORD = "_sysconfigdata"
WORTH_LINKING_BYTES = 4096


def files(folder: Path) -> list[Path]:
    """All regular files in a folder, in the same order on every system."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


# Modules ----------------------------------------------------------------------------------------------------------


def remove_left_out(lib: Path, modules: Iterable[str]) -> None:
    """Delete the data and sources of modules that were left out: their folders would be importable, but empty."""
    for module in modules:
        shutil.rmtree(lib.joinpath(*module.split(".")), ignore_errors=True)


def compile_sources(lib: Path, prefix: str) -> None:
    """Compile the sources that torch reads, so that no program has to compile them, or write next to them, when it starts."""
    for path in files(lib):
        if path.suffix == ".py":
            shown = f"{prefix}/{path.relative_to(lib).as_posix()}"
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(str(path), dfile=shown, doraise=True, invalidation_mode=mode)


# Symbols ----------------------------------------------------------------------------------------------------------


def strip_symbols(folder: Path, strip: str | None = shutil.which("strip")) -> int:
    """Remove from Linux libraries what only debuggers and linkers use, and return the number of bytes saved."""
    if sys.platform != "linux" or strip is None:
        return 0
    saved = 0
    for path in files(folder):
        with path.open("rb") as file:
            magic = file.read(len(ELF_MAGIC))
        saved += _strip(path, strip) if magic == ELF_MAGIC else 0
    return saved


def _strip(path: Path, strip: str) -> int:
    """Strip a copy, and keep it only if it can still be mapped: libraries that were patched after linking may break."""
    before, copy = path.stat().st_size, path.with_name(path.name + ".stripped")
    done = subprocess.run([strip, "--strip-unneeded", "-o", copy, path], capture_output=True, check=False)  # noqa: S603  a system program, on our own files
    if done.returncode == 0 and copy.stat().st_size < before and is_mappable(copy.read_bytes()):
        shutil.copymode(path, copy)
        copy.replace(path)
    copy.unlink(missing_ok=True)
    return before - path.stat().st_size


def is_mappable(elf: bytes) -> bool:
    """Whether each segment that the loader maps has the same offset within a page in the file and in memory."""
    if elf[4] != ELF_64_BIT:
        return False
    (table,) = struct.unpack_from("<Q", elf, 0x20)
    entry_bytes, count = struct.unpack_from("<HH", elf, 0x36)
    headers = [struct.unpack_from("<IIQQ", elf, table + entry_bytes * index) for index in range(count)]
    return all((address - offset) % PAGE_BYTES == 0 for kind, _, offset, address in headers if kind == PT_LOAD)


# Traces of the build ----------------------------------------------------------------------------------------------


def forget_times(folder: Path, timestamp: int) -> None:
    """Remove from the folder all traces of when and by whom it was built, and of the age of its sources."""
    for path in files(folder):
        if path.suffix == ".pyc":
            path.write_bytes(without_stamp(path.read_bytes()))
        elif path.name == "library.zip":
            _pack_again(path)
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            os.utime(path, (timestamp, timestamp))


def without_stamp(pyc: bytes) -> bytes:
    """Compiled code without its source's time and size."""
    start, stop = PYC_STAMP.start, PYC_STAMP.stop
    return pyc[:start] + bytes(stop - start) + pyc[stop:]


def _pack_again(path: Path) -> None:
    """Rewrite the archive of Python's library in a fixed order and with fixed times."""
    with zipfile.ZipFile(path) as archive:
        kept = sorted(name for name in archive.namelist() if not name.startswith(BUILD_RECORD))
        contents = {name: archive.read(name) for name in kept}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            archive.writestr(entry, without_stamp(data) if name.endswith(".pyc") else data)


# Copies -----------------------------------------------------------------------------------------------------------


def link_copies(folder: Path) -> int:
    """Replace duplicate files by hard links, and return the number of bytes saved."""
    saved = 0
    for same in _equal_files(files(folder)):
        first, *others = same
        for other in others:
            other.unlink()
            other.hardlink_to(first)
            saved += first.stat().st_size
    return saved


def _equal_files(paths: Iterable[Path]) -> list[list[Path]]:
    """Groups of files with the same content and mode, in order."""
    groups: dict[tuple[int, int, str], list[Path]] = {}
    for path in paths:
        facts = path.stat()
        if facts.st_size >= WORTH_LINKING_BYTES:
            key = (facts.st_size, facts.st_mode, sha256(path))
            groups.setdefault(key, []).append(path)
    return [group for group in groups.values() if len(group) > 1]
