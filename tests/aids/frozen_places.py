"""Copies of the frozen folder in other places, and environments in which neither Python nor the sources are visible."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# With full paths, since the environments have no PATH; empty if the system does not have the program.
UNSHARE, MOUNT = ([found] if (found := shutil.which(name)) else [] for name in ("unshare", "mount"))


def copy_to(source: Path, target: Path) -> Path:
    """Copy the folder; on the same disk the files are hard links."""
    return shutil.copytree(source, target, symlinks=True, copy_function=link_or_copy)


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def program(folder: Path, row) -> Path:
    return folder / (row.executable + (".exe" if sys.platform == "win32" else ""))


def bare_environment(home: Path) -> dict[str, str]:
    """Only what the system sets: no PATH to a Python, and no variables for one."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
    return {**kept, "HOME": str(home), "USERPROFILE": str(home), "PATH": str(home)}


def hidden_places() -> list[Path]:
    """Where this Python, its packages and the sources of DSU are."""
    found = {Path(place).resolve() for place in (sys.prefix, sys.base_prefix, ROOT)}
    return sorted(
        place for place in found if not any(other != place and place.is_relative_to(other) for other in found)
    )


def can_hide() -> bool:
    """Whether files can be hidden from a process here: on Linux, as root or in a user namespace."""
    if sys.platform != "linux" or not (UNSHARE and MOUNT):
        return False
    return subprocess.run([*namespace(), *MOUNT, "--version"], capture_output=True, check=False).returncode == 0


def namespace() -> list[str]:
    return [*UNSHARE, "--mount", *(["--map-root-user", "--user"] if os.geteuid() else [])]


def where_hidden(command: Sequence[str], empty: Path, *, read_only: Path | None = None) -> list[str]:
    """The command, run where the hidden places are empty and, optionally, nobody can write to a folder."""
    steps = [[*MOUNT, "--bind", str(empty), str(place)] for place in hidden_places()]
    if read_only is not None:
        steps += [[*MOUNT, "--bind", str(read_only), str(read_only)]]
        steps += [[*MOUNT, "-o", "remount,bind,ro", str(read_only)]]
    script = "; ".join([*(shlex.join(step) for step in steps), 'exec "$@"'])
    return [*namespace(), "/bin/sh", "-e", "-c", script, "sh", *command]
