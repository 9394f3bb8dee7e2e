"""What a pickle imports, found by reading it as data. Nothing is imported or run.

This only explains why a checkpoint was refused, so that what is too unusual to follow is ignored.
"""

from __future__ import annotations

import contextlib
import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from utils.store.plain_files import open_file

LARGEST_BYTES = 64 << 20
PICKLES_BEFORE_DATA = 4  # the old format of torch: a magic number, a version, the system, and then the content
_USUAL = ("torch.", "collections.", "_codecs.", "numpy.")


def first_unusual_global(path: Path) -> str | None:
    """The first import of a checkpoint's pickle that tensors do not need, such as `os.system`."""
    with contextlib.suppress(OSError, zipfile.BadZipFile), _pickle_of(path) as stream:
        return next((name for name in _globals(stream) if not name.startswith(_USUAL)), None)
    return None


def imports_from(path: Path, package: str) -> bool:
    """Whether the checkpoint's pickle imports anything from this package."""
    with contextlib.suppress(OSError, zipfile.BadZipFile), _pickle_of(path) as stream:
        return any(name.startswith(f"{package}.") for name in _globals(stream))
    return False


@contextlib.contextmanager
def _pickle_of(path: Path) -> Iterator[IO[bytes]]:
    if not zipfile.is_zipfile(path):
        with open_file(path) as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith("data.pkl")]
        small = [info for info in members if info.file_size <= LARGEST_BYTES]
        yield io.BytesIO(archive.read(small[0])) if small else io.BytesIO()


def _globals(stream: IO[bytes]) -> Iterator[str]:
    with contextlib.suppress(ValueError, IndexError, KeyError, UnicodeDecodeError):
        for _ in range(PICKLES_BEFORE_DATA):
            yield from _globals_of_one(stream)


def _globals_of_one(stream: IO[bytes]) -> Iterator[str]:
    """A name is either the argument of GLOBAL, or the last two strings before STACK_GLOBAL."""
    strings: list[str] = []
    memo: dict[object, str] = {}
    memoized = 0
    last = ""
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name == "GLOBAL":
            yield str(argument).replace(" ", ".", 1)
        elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
            yield f"{strings[-2]}.{strings[-1]}"
        if opcode.name == "MEMOIZE":
            memo[memoized] = last
            memoized += 1
        elif opcode.name.endswith("PUT"):
            memo[argument] = last
        else:
            value = memo.get(argument) if opcode.name.endswith("GET") else argument
            last = value if isinstance(value, str) else ""
            if last:
                strings.append(last)
