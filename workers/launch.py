"""What every worker script does: serve the protocol (`--worker`), or do what a person has typed.

Engines and command lines are imported when they are needed: the first line of the protocol must not wait for torch, and
a person's mistake needs neither.
"""

from __future__ import annotations

import importlib
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from utils.core import bootstrap
from utils.core.catalogue import Worker
from utils.core.parent import end_with_parent
from utils.core.settings import Settings

if TYPE_CHECKING:
    from utils.core.api import EngineApi
    from utils.core.replies import ModelDetails


def main(worker: Worker, argv: Sequence[str]) -> int:
    """Do what the arguments say and return the exit status."""
    if argv[:1] == [bootstrap.ISOLATED]:
        from utils.core.isolation import serve

        serve()
    bootstrap.prepare_process()
    if worker.name == "dsu" and argv[:1] == ["worker"]:
        argv = ["--worker", *argv[1:]]
    models = partial(list_models, worker.name)
    if "--worker" in argv:
        from utils.serving.entry import run_worker

        start_engine = partial(make_engine, worker.name)
        return run_worker(worker, argv, start_engine, lambda models_dir: [model.name for model in models(models_dir)])
    end_with_parent()
    if worker.name == "dsu" and argv[:1] in (["serve"], ["studio"]):
        from utils.web.program import main as serve_web

        return bootstrap.end(worker.name, serve_web(f"dsu {argv[0]}", argv[1:]))
    if worker.name == "dsu" and argv[:1] == ["batch"]:
        from utils.cluster.program import main as run_batch

        return bootstrap.end(worker.name, run_batch(argv[1:]))
    start_engine = partial(make_engine, worker.for_people or worker.name)
    try:
        command_line: Any = importlib.import_module(worker.command_line)
        status = command_line.main(argv, start_engine, models)
    except KeyboardInterrupt:  # before there is a job that could be cancelled
        status = -signal.SIGINT
    return bootstrap.end(worker.name, status)


def make_engine(name: str, settings: Settings) -> EngineApi:
    """Import torch, and with it the engine: called after the client has got its first line."""
    settings = msgspec.structs.replace(settings, threads=bootstrap.limit_threads(settings.threads))
    # Kernels in Python for computing shapes, as compilers do. They would take a quarter of the time that torch takes to start.
    with bootstrap.left_out("torch._meta_registrations"), bootstrap.no_collection():
        from utils.engine import programs

    return programs.make_engine(name, settings)


def list_models(name: str, models_dir: Path, repo: Path | None = None) -> list[ModelDetails]:
    """The models that can be named, without torch."""
    from utils.store import listing

    return listing.list_models(name, models_dir, repo)
