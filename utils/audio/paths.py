"""How a path is handed to the operating system and shown to people. Pure.

Windows cuts trailing dots and refuses long names unless a path has the extended form; every call to the system
goes through `os_path`, so that the rest of the package never thinks of it.
"""

from __future__ import annotations

import ntpath
import os
from pathlib import Path

_LONGEST_PLAIN = 240
_VERBATIM = ("\\\\?\\", "\\\\.\\")


def extended(path: str, *, cwd: str) -> str:
    r"""The Windows form of `path`: `\\?\` in front where Windows would refuse or alter the plain form."""
    if path.startswith(_VERBATIM):
        return path
    full = ntpath.normpath(ntpath.join(cwd, path))
    if len(full) < _LONGEST_PLAIN and not _is_altered(full):
        return full
    return "\\\\?\\UNC" + full[1:] if full.startswith("\\\\") else "\\\\?\\" + full


def _is_altered(full: str) -> bool:
    return any(part.endswith((".", " ")) for part in full.split("\\"))


def os_path(path: Path, *, windows: bool = os.name == "nt") -> str:
    """`path` as the operating system takes it."""
    return extended(str(path), cwd=os.getcwd()) if windows else os.fspath(path)  # noqa: PTH109 - a Path would cut dots


def absolute(path: Path) -> Path:
    """The absolute form of `path`, links kept."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps `..`, `resolve` follows links


def shown(path: Path | str) -> str:
    """`path` as text that can be sent: bytes that are no UTF-8 become question marks."""
    return str(path).encode("utf-8", "replace").decode("utf-8")
