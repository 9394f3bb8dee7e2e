"""Paths as the operating system takes them, and as they are shown to users. Pure.

Windows drops trailing dots and refuses long names unless a path has the extended form. Every system call goes
through `os_path`, so that the rest of the package need not care.
"""

from __future__ import annotations

import ntpath
import os
from pathlib import Path

_LONGEST_PLAIN = 240
_VERBATIM = ("\\\\?\\", "\\\\.\\")


def extended(path: str, *, cwd: str) -> str:
    r"""`path` for Windows: with the prefix `\\?\` if Windows would refuse or alter the plain form."""
    if path.startswith(_VERBATIM):
        return path
    full = ntpath.normpath(ntpath.join(cwd, path))
    is_altered = any(part.endswith((".", " ")) for part in full.split("\\"))
    if len(full) < _LONGEST_PLAIN and not is_altered:
        return full
    return "\\\\?\\UNC" + full[1:] if full.startswith("\\\\") else "\\\\?\\" + full


def os_path(path: Path, *, windows: bool = os.name == "nt") -> str:
    """`path` as the operating system takes it."""
    return extended(str(path), cwd=os.getcwd()) if windows else os.fspath(path)  # noqa: PTH109 - a Path would cut dots


def absolute(path: Path) -> Path:
    """The absolute form of `path`, with symbolic links kept."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps `..`, `resolve` follows links


def shown(path: Path | str) -> str:
    """`path` as text that can be sent: bytes that are not UTF-8 become question marks."""
    return str(path).encode("utf-8", "replace").decode("utf-8")
