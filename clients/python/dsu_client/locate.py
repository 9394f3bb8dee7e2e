"""Finds the program of a worker: an executable of a frozen folder, or a script of a checkout with its own Python."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from .errors import WorkerError
from .protocol import WORKERS

WINDOWS = sys.platform == "win32"
# Variables of the host's Python that would change what the worker's Python imports, or how it starts.
FOREIGN_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONSAFEPATH", "__PYVENV_LAUNCHER__")


def find_program(
    kind: str, directory: str | PathLike[str] | None = None, python: str | PathLike[str] | None = None
) -> list[str]:
    """The command that starts a program.

    It is looked for in `directory`, or else in the folders that DSU_HOME and DSU_DIR name, in the checkout that contains
    this package, and on PATH. A script runs isolated: nothing of the host's Python can take the place of its packages.
    """
    if kind not in WORKERS:
        raise WorkerError(
            f"There is no worker `{kind}`. The workers are: {', '.join(WORKERS)}.", code="worker_not_found"
        )
    name, script = WORKERS[kind]
    folders = [Path(directory)] if directory is not None else list(usual_folders())
    for folder in folders:
        found = _command_in(folder.expanduser().absolute(), name, script, python)
        if found:
            return found
    on_path = shutil.which(name) if directory is None else None
    if on_path:
        return [on_path]
    places = " or ".join([*map(str, folders), *(["on PATH"] if directory is None else [])])
    raise WorkerError(
        f"The program {name} was not found in {places}. Set `directory` or the environment variable DSU_HOME to the folder "
        "of the DSU executables, or to a checkout in which `python3 run.py demo` was run.",
        code="worker_not_found",
    )


def usual_folders() -> Iterator[Path]:
    """Where programs are looked for without being told."""
    for variable in ("DSU_HOME", "DSU_DIR"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "run.py").is_file():
        yield checkout


def _command_in(folder: Path, name: str, script: str, python: str | PathLike[str] | None) -> list[str] | None:
    executable = name + (".exe" if WINDOWS else "")
    for frozen in (folder / executable, folder / "dist" / "dsu" / executable):
        if frozen.is_file():
            return [str(frozen)]
    source = folder / script
    if not source.is_file():
        return None
    interpreter = (
        Path(python)
        if python
        else folder.joinpath(".venv", *(("Scripts", "python.exe") if WINDOWS else ("bin", "python")))
    )
    if not interpreter.is_file():
        raise WorkerError(
            f"The checkout {folder} has no Python environment yet. Run `python3 run.py demo` there once, or set `python`.",
            code="worker_not_found",
        )
    return [str(interpreter), "-I", str(source)]


def clean_environment() -> dict[str, str]:
    """The host's environment without what is meant for the host's Python."""
    return {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
