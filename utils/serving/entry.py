"""From the arguments of a worker script to its exit status. The only module that both serves and prints for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from utils import __version__
from utils.core.api import EngineApi
from utils.core.bootstrap import Streams, claim_streams
from utils.core.catalogue import Worker
from utils.core.errors import DsuError
from utils.core.settings import Arguments, Settings, parse_arguments, resolve

USAGE_STATUS = 2
FAILED_STATUS = 1


def run_worker(
    worker: Worker,
    argv: Sequence[str],
    make_engine: Callable[[Settings], EngineApi],
    list_model_names: Callable[[Path], list[str]],
) -> int:
    """Serve, or print what the arguments ask for. Returns only if no worker was started; otherwise the process ends."""
    try:
        arguments = parse_arguments(worker.name, worker.description, argv)
    except DsuError as error:
        return _refuse(claim_streams(), error, USAGE_STATUS)
    if arguments.action != "serve":
        return _print_text(worker, arguments, list_model_names)
    streams = claim_streams()
    try:
        settings = resolve(arguments.flags)
    except DsuError as error:
        return _refuse(streams, error, FAILED_STATUS)
    if settings.log != "warning":
        import logging

        logging.basicConfig(level=settings.log.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if settings.devices:
        from utils.serving.dealer import serve_devices

        status = serve_devices(worker, settings, arguments.flags, streams)
    else:
        from utils.serving.loop import serve

        status = serve(worker, settings, make_engine, streams)
    # All lines are out and all files are closed. An ordinary exit would wait for the threads of libraries.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(status)


def _refuse(streams: Streams, error: DsuError, status: int) -> int:
    """Send the client an error line: there will be no worker."""
    from utils.core.failures import error_reply
    from utils.serving.stdio import Writer

    Writer(streams.output_fd).send(error_reply(error))
    return status


def _print_text(worker: Worker, arguments: Arguments, list_model_names: Callable[[Path], list[str]]) -> int:
    """`--help`, `--version` and `--list-models` print plain text on the ordinary stdout."""
    if arguments.action == "help":
        sys.stdout.write(arguments.help)
        return 0
    if arguments.action == "version":
        sys.stdout.write(f"{worker.name} {__version__}\n")
        return 0
    try:
        names = list_model_names(resolve(arguments.flags).models_dir)
    except DsuError as error:
        sys.stderr.write(f"{worker.name}: {error.message}\n")
        return FAILED_STATUS
    sys.stdout.writelines(f"{name}\n" for name in names)
    return 0
