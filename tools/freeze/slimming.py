"""Making the frozen folder small and the same every time: symbols, copies, and traces of when and where it was built."""

from __future__ import annotations

import hashlib
import os
import py_compile
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ELF_MAGIC = b"\x7fELF"
ELF_64_BIT = 2
PT_LOAD = 1
PAGE_BYTES = 4096
# A .pyc begins with a magic number and flags; then come the time and the size of its source, which is not there.
PYC_STAMP = slice(8, 16)
# The oldest time that a zip archive can tell.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
# Python's record of how it was compiled, with the paths of that machine. Only programs that build others ask for it.
BUILD_RECORD = "_sysconfigdata"
WORTH_LINKING_BYTES = 4096


def files(folder: Path) -> list[Path]:
    """All plain files below a folder, in an order that is the same everywhere."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


# Modules ----------------------------------------------------------------------------------------------------------


def remove_left_out(lib: Path, modules: Iterable[str]) -> None:
    """Data and sources of packages that were left out: a folder of that name could be imported, and is empty."""
    for module in modules:
        shutil.rmtree(lib.joinpath(*module.split(".")), ignore_errors=True)


def compile_sources(lib: Path, prefix: str) -> None:
    """Compile the sources that torch wants to see, so that nobody who starts a program has to, or to write beside them."""
    for path in files(lib):
        if path.suffix == ".py":
            shown = f"{prefix}/{path.relative_to(lib).as_posix()}"
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(str(path), dfile=shown, doraise=True, invalidation_mode=mode)


# Symbols ----------------------------------------------------------------------------------------------------------


def strip_symbols(folder: Path, strip: str | None = shutil.which("strip")) -> int:
    """Take out of Linux libraries what only debuggers and linkers read, and answer the bytes won."""
    if sys.platform != "linux" or strip is None:
        return 0
    return sum(_strip(path, strip) for path in files(folder) if _is_elf(path))


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ELF_MAGIC)) == ELF_MAGIC


def _strip(path: Path, strip: str) -> int:
    """Strip a copy, and take it only if it can still be mapped: libraries that were patched after linking may break."""
    before, copy = path.stat().st_size, path.with_name(path.name + ".stripped")
    done = subprocess.run([strip, "--strip-unneeded", "-o", copy, path], capture_output=True, check=False)  # noqa: S603  a program of this system, on files of ours
    if done.returncode == 0 and copy.stat().st_size < before and is_mappable(copy.read_bytes()):
        shutil.copymode(path, copy)
        copy.replace(path)
    copy.unlink(missing_ok=True)
    return before - path.stat().st_size


def is_mappable(elf: bytes) -> bool:
    """Whether each part of a library lies in the file as the loader needs it: at the same place within a page."""
    if elf[4] != ELF_64_BIT:
        return False
    return all((address - offset) % PAGE_BYTES == 0 for offset, address in _loaded_parts(elf))


def _loaded_parts(elf: bytes) -> Iterator[tuple[int, int]]:
    """Offset and address of the parts that the loader maps."""
    (table,) = struct.unpack_from("<Q", elf, 0x20)
    entry_bytes, count = struct.unpack_from("<HH", elf, 0x36)
    for start in range(table, table + entry_bytes * count, entry_bytes):
        kind, _, offset, address = struct.unpack_from("<IIQQ", elf, start)
        if kind == PT_LOAD:
            yield offset, address


# Traces of the build ----------------------------------------------------------------------------------------------


def forget_times(folder: Path, timestamp: int) -> None:
    """No file of the folder tells when it was built, from sources of which age, or by whom."""
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
    """Compiled code without the time and size of its source."""
    start, stop = PYC_STAMP.start, PYC_STAMP.stop
    return pyc[:start] + bytes(stop - start) + pyc[stop:]


def _pack_again(path: Path) -> None:
    """The archive of Python's library in a fixed order and with fixed times."""
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
    """Let equal files share one place on the disk, and answer the bytes won."""
    won = 0
    for same in _equal_files(files(folder)):
        first, *others = same
        for other in others:
            other.unlink()
            other.hardlink_to(first)
            won += first.stat().st_size
    return won


def _equal_files(paths: Iterable[Path]) -> list[list[Path]]:
    """Groups of files with the same content and mode, in the order given."""
    groups: dict[tuple[int, int, bytes], list[Path]] = {}
    for path in paths:
        facts = path.stat()
        if facts.st_size >= WORTH_LINKING_BYTES:
            key = (facts.st_size, facts.st_mode, _digest(path))
            groups.setdefault(key, []).append(path)
    return [group for group in groups.values() if len(group) > 1]


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
