"""dsu-audiosep: separation of what a text describes, behind the worker protocol (`--worker`), and behind a command line for people."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if not getattr(sys, "frozen", False):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from utils.core import bootstrap
from utils.core.settings import Settings
from workers import WORKERS

if TYPE_CHECKING:
    from utils.core.api import Engine


def make_engine(settings: Settings) -> Engine:
    """Import torch, with it the engine: called after the client has got its first line."""
    settings = replace(settings, threads=bootstrap.limit_threads(settings.threads))
    from utils.engine.programs import make_engine as engine_of

    return engine_of("dsu-audiosep", settings)


def list_model_names(models_dir: Path) -> list[str]:
    from utils.engine.model_names import query_names

    return query_names(models_dir)


def main(argv: list[str]) -> int:
    bootstrap.prepare_process()
    if "--worker" in argv:
        from utils.serving.entry import run_worker

        return run_worker(WORKERS["audiosep"], argv, make_engine, list_model_names)
    from utils.commandline.audiosep import main as command_line

    return command_line(argv, make_engine, list_model_names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
