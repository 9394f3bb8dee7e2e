"""Gives a compatible module the name of the original, in a folder on the host's path.

    python -m dsu_client.compat.install demucs --target DIR

The folder gets one package of one file, which says where its modules are. A package of another kind is not replaced.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

NAMES = ("demucs", "audio_separator", "pymss")
MARK = "Written by `python -m dsu_client.compat.install`."
TEXT = '''"""{name}, on DSU. {mark} Delete this folder to remove it."""

from dsu_client.compat import {name} as _compatible
from dsu_client.compat.{name} import *  # noqa: F403

__path__ = _compatible.__path__
'''


def install(name: str, target: Path) -> Path:
    """Write the package; the error for one that is there says what to do."""
    folder = target / name
    entry = folder / "__init__.py"
    if folder.exists() and not (entry.is_file() and MARK in entry.read_text(encoding="utf-8")):
        raise FileExistsError(f"{folder} holds another package. Uninstall it first, or choose another --target.")
    folder.mkdir(parents=True, exist_ok=True)
    entry.write_text(TEXT.format(name=name, mark=MARK), encoding="utf-8")
    return entry


def main(argv: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m dsu_client.compat.install", description=__doc__)
    parser.add_argument("name", choices=NAMES, help="the package whose name is to mean DSU")
    parser.add_argument("--target", type=Path, required=True, help="a folder on the path of the program")
    arguments = parser.parse_args(argv)
    try:
        sys.stderr.write(f"Wrote {install(arguments.name, arguments.target)}.\n")
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
