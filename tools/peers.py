"""The programs that DSU is compared with, in an environment beside `.venv` that is made once and kept: `.peers`.

It also has the packages of the environment that makes it, as torch; `locks/peers.txt` names the rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "locks" / "peers.txt"
FOLDER = ROOT / ".peers"
STAMP = "installed"  # the hash of the lock that the environment was made from
SHARED = "packages-of-venv.pth"


def peers_python() -> Path:
    """The Python of the environment, which is made if it is not there or was made from another lock.

    It appears complete: whoever makes it at the same time finds that it is there, and throws its own away.
    """
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    stamp = FOLDER / STAMP
    if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == digest):
        with tempfile.TemporaryDirectory(dir=ROOT, prefix=f"{FOLDER.name}-", ignore_cleanup_errors=True) as place:
            made = Path(place, FOLDER.name)
            _install(made)
            (made / STAMP).write_text(digest, encoding="utf-8")
            shutil.rmtree(FOLDER, ignore_errors=True)
            with contextlib.suppress(OSError):
                made.rename(FOLDER)
    return _python_in(FOLDER)


def peers_packages() -> Path:
    """The packages that only the environment has."""
    peers_python()
    return _packages_in(FOLDER)


def _install(folder: Path) -> None:
    venv.create(folder)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        _python_in(folder),
        "install",
        "--no-input",
        "--quiet",
    ]
    words: list[str | Path] = [*pip, "--disable-pip-version-check", "--require-hashes", "--no-deps", "-r", LOCK]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  pip, with our lock
    if done.returncode != 0:
        raise RuntimeError(f"The packages of `{LOCK.name}` could not be installed:\n{done.stderr}")
    shared = _packages_in(folder) / SHARED
    shared.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")


def _packages_in(folder: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder), "platbase": str(folder)}))


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
