"""A worker's life: start, serve, stop. One thread reads, the main thread runs the jobs, others watch for a shutdown.

The first line is sent before the engine, and with it torch, is imported. Whatever happens in a job, the worker is as
usable as before. Whatever the main thread is stuck in, a signal ends the process in time.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from functools import partial

from msgspec import UNSET

from utils import PROTOCOL_VERSION, __version__
from utils.core import cleanup
from utils.core.api import EngineApi
from utils.core.bootstrap import Streams, claim_streams
from utils.core.catalogue import Worker
from utils.core.errors import DeviceUnavailable
from utils.core.failures import cancelled_reply, error_reply, is_device_lost
from utils.core.job import JobCancelled
from utils.core.replies import BatchFailed, Cancelled, Error, Exiting, Loading, Ready, Shutdown
from utils.core.settings import Settings
from utils.serving.commands import Context
from utils.serving.commands.table import commands_of
from utils.serving.dispatch import Dispatcher
from utils.serving.job_queue import JobQueue
from utils.serving.lifecycle import DEVICE_LOST, OUTPUT_CLOSED, StopReason, watching
from utils.serving.stdio import Writer, read_lines

# How long the main thread has to reach its next checkpoint, and then each step of shutting down without it. Together
# they stay below the two seconds in which a worker promises to be gone.
GRACE_S = 1.0
STEP_S = 0.3
FAILED_STATUS = 1
UNFINISHED = "The worker had to end while the results were getting their names. The next job with this output folder completes them."
NO_DEVICE_STATUS = 2


def serve(
    worker: Worker, settings: Settings, make_engine: Callable[[Settings], EngineApi], streams: Streams | None = None
) -> int:
    """Answer commands until `exit`, the end of the input, or a reason to shut down. Returns the exit status."""
    return Server(worker, settings, streams or claim_streams()).run(make_engine)


class Server:
    """A worker with one engine, which does the jobs one by one on the main thread."""

    def __init__(self, worker: Worker, settings: Settings, streams: Streams) -> None:
        self._worker = worker
        self._settings = settings
        self._streams = streams
        self._started_s = time.monotonic()
        self._writer = Writer(streams.output_fd, on_broken=lambda: self._stop(OUTPUT_CLOSED))
        self._dispatcher = Dispatcher(self._writer, settings.max_queued_bytes)
        self._queue = JobQueue(settings.max_queued_jobs, settings.max_queued_bytes)
        self._stopping = threading.Lock()
        self._reason: StopReason | None = None
        self._over = threading.Event()

    def run(self, make_engine: Callable[[Settings], EngineApi]) -> int:
        with watching(self._stop, self._streams.parent_pid, self._streams.output_fd):
            try:
                message = f"Starting {self._worker.name} {__version__}."
                self._writer.send(
                    Loading(message=message, worker=self._worker.name, version=__version__, pid=os.getpid())
                )
                threading.Thread(target=self._read, name="dsu-reader", daemon=True).start()
                return self._serve(make_engine)
            finally:
                self._over.set()

    def _read(self) -> None:
        """The reader thread. It ends with the input."""
        try:
            for lines in read_lines(self._streams.input_fd, self._settings.max_line_bytes):
                self._dispatcher.receive(lines)
        finally:
            self._dispatcher.receive([None])

    def _serve(self, make_engine: Callable[[Settings], EngineApi]) -> int:
        try:
            engine = make_engine(self._settings)
            readiness = engine.start()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the client learns why there is no worker
            self._writer.close(error_reply(error, debug=self._settings.debug))
            return NO_DEVICE_STATUS if isinstance(error, DeviceUnavailable) else FAILED_STATUS
        if self._reason is None:
            self._writer.send(
                Ready(
                    device=readiness.device,
                    card=readiness.card or UNSET,
                    devices=list(readiness.devices) or UNSET,
                    precision=readiness.precision,
                    attention=readiness.attention or UNSET,
                    threads=readiness.threads,
                    cache_enabled=readiness.max_cached_models > 0,
                    max_cached_models=readiness.max_cached_models,
                    models_dir=readiness.models_dir,
                    version=__version__,
                    protocol=PROTOCOL_VERSION,
                    warnings=list(readiness.warnings) or UNSET,
                )
            )
            commands = commands_of(self._worker)
            self._dispatcher.open(Context(self._worker, self._settings, engine, self._queue, commands, self._started_s))
            self._run_jobs()
        if self._reason is not None:
            self._writer.close(Shutdown(detail=self._reason.detail))
            return self._reason.status
        *others, last = self._dispatcher.farewells() or [Exiting()]
        for farewell in others:
            self._writer.send(farewell)
        self._writer.close(last)
        with contextlib.suppress(Exception):  # everything is answered, and the client no longer listens
            engine.close()
        return 0

    def _run_jobs(self) -> None:
        """Run jobs until no more will come. Whatever happens in one becomes its reply, even a library's `SystemExit`.

        Where a job has lost the device, those that wait are left: who sent them sees the process end, and sends them to another.
        """
        lost = False
        while not lost and (ticket := self._queue.take()) is not None:
            try:
                reply = ticket.run(ticket.job)
            except JobCancelled as cancelled:
                reply = cancelled_reply(cancelled)
            except BaseException as error:  # noqa: BLE001 - the edge: no job ends the worker
                reply = error_reply(error, debug=ticket.debug)
                lost = is_device_lost(error)
            failed = isinstance(reply, (Error, BatchFailed))
            self._queue.finish(ticket, done=not failed and not isinstance(reply, Cancelled), failed=failed)
            ticket.answer(reply)
        if lost:
            with self._stopping:
                self._reason = self._reason or DEVICE_LOST

    # Stop ---------------------------------------------------------------------------------------------------------

    def _stop(self, reason: StopReason) -> None:
        """Shut down. May be called from any thread and any number of times; the first reason counts."""
        with self._stopping:
            if self._reason is not None:
                return
            self._reason = reason
        threading.Thread(target=self._leave_if_stuck, args=(reason,), name="dsu-leave", daemon=True).start()
        self._queue.cancel_all()
        self._queue.end()

    def _leave_if_stuck(self, reason: StopReason) -> None:
        """The main thread may be deep inside a library, far from a checkpoint. Then end the process without it."""
        if self._over.wait(GRACE_S):
            return
        running = self._queue.cancel_all()
        is_settled = any(ticket.job.is_settled for ticket in running)
        if not is_settled:
            _within(STEP_S, cleanup.run_all)
        elif self._over.wait(STEP_S):  # its files have their names, or nearly, so its own answer is the true one
            return
        for ticket in running:
            _within(STEP_S, partial(ticket.answer, Cancelled(message=UNFINISHED) if is_settled else Cancelled()))
        _within(STEP_S, lambda: self._writer.close(Shutdown(detail=reason.detail)))
        self._abandon()
        os._exit(reason.status)

    def _abandon(self) -> None:
        """What else has to end with this process."""


def _within(seconds: float, action: Callable[[], None]) -> None:
    """Run the action, but wait no longer than this for it: a pipe may be full, a disk may be slow."""
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(seconds)
