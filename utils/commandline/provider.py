"""`dsu jsonrpc`: a separation provider for programs such as USDB Syncer, version 1 of their specification.

They start it, send JSON-RPC requests as lines, and get vocals and the rest as two files. Requests are answered in their
order. The end of the input, or a signal, cancels a running separation; models stay loaded until then.
"""

from __future__ import annotations

import argparse
import io
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property, partial

import msgspec

from utils import __version__
from utils.commandline.interrupts import cancelled_by_signals
from utils.commandline.jsonrpc import INVALID_PARAMS, Method, NoParams, RpcError, answer
from utils.commandline.layout import Layout, Option
from utils.commandline.model_list import unknown
from utils.commandline.options import Typed, read
from utils.commandline.program import Listing, MakeEngine, answered
from utils.core.api import EngineApi, Readiness
from utils.core.bootstrap import claim_streams
from utils.core.catalogue import DEFAULT_NETWORK, VOCALS, FamilyName, family_of
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.many_files import part_of
from utils.core.replies import ModelDetails
from utils.core.requests import (
    AudioSeparatorSeparate,
    DemucsSeparate,
    DownloadModel,
    NetworkSeparate,
    Separate,
)
from utils.core.settings import Settings, resolve

SPEC_VERSION = "1"
NAME = "DSU"
MAX_LINE_BYTES = 1 << 20
WAITING_LINES = 64

# The families that have models with vocals, and their requests.
REQUESTS: dict[FamilyName, type[Separate]] = {
    "networks": NetworkSeparate,
    "demucs": DemucsSeparate,
    "audio-separator": AudioSeparatorSeparate,
}

LAYOUT = Layout(
    program="dsu jsonrpc",
    description="Answer JSON-RPC 2.0 requests, one a line, from standard input: a separation\n"
    "provider for USDB Syncer and programs like it.",
    requests=(),
    groups={},
    ungrouped=("models_dir", "offline", "allow_unsafe_checkpoints", "device", "threads", "max_cached_models"),
    options={"max_cached_models": Option(("--max-cached-models",))},
    machine=(),
    usage="[options]",
    things=("NOTHING", argparse.SUPPRESS),
    epilog="""\
methods:
  get_spec_version, get_name, get_version, get_available_models,
  is_gpu_accelerated, split (input_file, output_dir, model), exit
""",
)


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `split` takes."""

    input_file: str
    output_dir: str
    model: str | None = None


class Provider:
    """The methods. The engine, and with it torch, is started by the first one that needs it."""

    def __init__(self, settings: Settings, make_engine: MakeEngine, listing: Listing, job: Job) -> None:
        self._settings = settings
        self._make_engine = make_engine
        self._listing = listing
        self._job = job
        self.left = False  # `exit` was called
        self.methods = {
            "get_spec_version": Method(lambda _: SPEC_VERSION),
            "exit": Method(self._exit),
            "get_name": Method(lambda _: NAME),
            "get_available_models": Method(lambda _: {name: _display(model) for name, model in self._models.items()}),
            "get_version": Method(lambda _: __version__),
            "is_gpu_accelerated": Method(lambda _: self._started[1].device != "cpu"),
            "split": Method(self._split, Split),
        }

    def close(self) -> None:
        if "_started" in self.__dict__:
            self._started[0].close()

    @cached_property
    def _models(self) -> dict[str, ModelDetails]:
        """Those with vocals, the default one first. A list that was given does not change."""
        known = [
            model
            for model in self._listing(self._settings.models_dir, None)
            if family_of(model.type) in REQUESTS and VOCALS in (stem.casefold() for stem in model.stems)
        ]
        return {model.name: model for model in sorted(known, key=lambda model: model.name != DEFAULT_NETWORK)}

    @cached_property
    def _started(self) -> tuple[EngineApi, Readiness]:
        engine = self._make_engine(self._settings)
        return engine, engine.start()

    def _exit(self, _: NoParams) -> None:
        self.left = True

    def _split(self, asked: Split) -> dict[str, str]:
        self._job.checkpoint()
        name = asked.model or DEFAULT_NETWORK
        model = self._models.get(name)
        if model is None:
            raise RpcError(INVALID_PARAMS, f"{unknown(name, self._models).message} `get_available_models` lists them.")
        if not asked.input_file or not asked.output_dir:
            raise RpcError(INVALID_PARAMS, "`split` needs a file in `input_file` and a directory in `output_dir`.")
        engine, _ = self._started
        job = part_of(self._job, "split", 0, 1)
        if not model.installed and not self._settings.offline:
            engine.download_model(DownloadModel(model=name), job)
        request = REQUESTS[family_of(model.type)](
            input=asked.input_file,
            output=asked.output_dir,
            model=name,
            two_stems=VOCALS,
            name_template="{track}_{stem}",
        )
        vocals, rest = engine.separate(request, job).paths.values()
        return {"output_vocals": vocals, "output_instrumental": rest}


def _display(model: ModelDetails) -> str:
    return f"{model.name}: {model.description.removesuffix('.')}" if model.description else model.name


# Serving ----------------------------------------------------------------------------------------------------------


def main(argv: Sequence[str], make_engine: MakeEngine, listing: Listing) -> int:
    """Serve until `exit`, the end of the input, or a signal, and return the exit status."""
    return answered(
        LAYOUT.program, lambda: read(LAYOUT, argv), partial(serve, make_engine=make_engine, listing=listing)
    )


def serve(typed: Typed, make_engine: MakeEngine, listing: Listing) -> int:
    """Answer each line. stdout has nothing but the answers; whatever libraries print goes to stderr."""
    if typed.words.tracks:
        raise InvalidRequest("`dsu jsonrpc` takes no songs; send them with `split`.")
    settings = resolve(typed.given(LAYOUT.ungrouped))
    streams = claim_streams()
    job = Job()
    lines: queue.Queue[bytes | None] = queue.Queue(WAITING_LINES)
    provider = Provider(settings, make_engine, listing, job)

    def receive() -> None:
        for line in lines_of(streams.input_fd):
            lines.put(line)
        job.cancel()
        lines.put(None)

    with cancelled_by_signals(job, lambda _: lines.put(None)) as interrupts:
        threading.Thread(target=receive, name="dsu-reader", daemon=True).start()
        try:
            while interrupts.number is None and not provider.left and (line := lines.get()) is not None:
                reply = answer(line, provider.methods)
                if reply is not None and not _sent(reply, streams.output_fd):
                    break
        finally:
            provider.close()
        return 128 + interrupts.number if interrupts.number is not None else 0


def lines_of(fd: int) -> Iterator[bytes]:
    """The lines that arrive, without blank ones. One that is too long is cut off, so it is no JSON any more."""
    with io.FileIO(fd, closefd=False) as stream:
        while line := stream.readline(MAX_LINE_BYTES):
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = stream.readline(MAX_LINE_BYTES)
            if line.strip():
                yield line


def _sent(line: bytes, fd: int) -> bool:
    """Whether somebody still reads the answers."""
    try:
        while line:
            line = line[os.write(fd, line) :]
    except OSError:
        return False
    return True
