"""What happens to a line from the client: it is answered at once, or queued as a job. Runs on the thread that reads, which
never waits for a disk: what needs one is answered from a thread beside it, in order.

Neither the contents of a line nor an error while answering it ends that thread.
"""

from __future__ import annotations

import functools
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Sequence

from utils.core.errors import Busy, InvalidJson
from utils.core.failures import error_reply
from utils.core.job import Job
from utils.core.replies import Reply
from utils.core.requests import RequestId
from utils.core.settings import Settings
from utils.serving import messages
from utils.serving.commands import Command, Context
from utils.serving.job_queue import Ticket
from utils.serving.stdio import InputLine, Writer

DISK_PATIENCE_S = 30.0


class Dispatcher:
    """Takes lines. Until `open` it only keeps them, so that a client may send before the worker is ready.

    It keeps `most_bytes` at most; then it takes no more until it is open, and the pipe makes the client wait.
    """

    def __init__(self, writer: Writer, most_bytes: int | None = None) -> None:
        self._writer = writer
        self._most_bytes = most_bytes
        self._lock = threading.Condition()
        self._kept_bytes = 0
        self._aside = Aside()
        self._kept: list[InputLine | None] = []
        self._context: Context | None = None
        self._farewells: list[Reply] = []

    def receive(self, lines: Iterable[InputLine | None]) -> None:
        """Take the lines that arrived together; `None` is the end of the input."""
        with self._lock:
            for line in lines:
                if self._most_bytes is not None and self._kept_bytes > self._most_bytes:
                    self._lock.wait_for(lambda: self._context is not None)
                if self._context is None:
                    if isinstance(line, bytes) and b"force" in line:
                        self._hurry(line)
                    self._kept.append(line)
                    self._kept_bytes += sys.getsizeof(line)
                else:
                    self._handle(self._context, line)

    def _hurry(self, line: bytes) -> None:
        """A line that came too early may be an `exit` that waits for nobody. A worker with one device is ready soon."""

    def open(self, context: Context) -> None:
        """Handle the lines kept so far, in order; from now on lines are handled as they come."""
        with self._lock:
            for line in self._kept:
                self._handle(context, line)
            self._kept.clear()
            self._kept_bytes = 0
            self._context = context
            self._lock.notify_all()

    def farewells(self) -> list[Reply]:
        """The replies to `exit`. Waits for the lines that arrived with it, since each of them gets an answer."""
        with self._lock:
            self._finish_asides()
            return list(self._farewells)

    def _handle(self, context: Context, line: InputLine | None) -> None:
        if line is None:
            context.queue.end()
            return
        to: RequestId | None = None
        debug = context.settings.debug
        try:
            if isinstance(line, InvalidJson):
                raise line  # noqa: TRY301 - one path for everything that can be wrong with a line
            fields = messages.parse(line)
            to = messages.request_id(fields)
            debug = debug or fields.get("debug") is True
            command = context.commands[messages.command_name(fields, context.commands)]
            if command.is_job:
                context.queue.submit(self._ticket(context, command, line, fields, debug=debug))
                return
            decoded = _decode(context, command, fields)

            def answer() -> None:
                reply = messages.addressed(command.run(context, decoded.request, Job()), to, decoded.warnings)
                if command.at_end:
                    self._farewells.append(reply)
                else:
                    self._writer.send(reply)

            if (aside := self._aside_for(command)) is not None:
                aside.do(functools.partial(self._answer, answer, to, debug=debug), context.settings)
            else:
                answer()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge: every line gets an answer
            self._send(to, error_reply(error, debug=debug))

    def _aside_for(self, command: Command) -> Aside | None:
        """Where a control command is answered that may take a while; None for those that are answered at once."""
        return self._aside if command.reads_disk else None

    def _finish_asides(self) -> None:
        self._aside.finish()

    def _answer(self, answer: Callable[[], None], to: RequestId | None, *, debug: bool) -> None:
        try:
            answer()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge: every line gets an answer
            self._send(to, error_reply(error, debug=debug))

    def _ticket(
        self, context: Context, command: Command, line: bytes, fields: messages.Fields, *, debug: bool
    ) -> Ticket:
        """The job of a line, of which only the bytes are kept until its turn.

        What a request means may depend on a disk and on the model that is active then. And an invalid job waits, too, since
        clients without ids match answers by their order.
        """
        to = messages.request_id(fields)
        job = Job(functools.partial(self._send, to), show_progress=fields.get("progress") is not False)

        def run(job: Job) -> Reply:
            form, own_fields = command.form_of(messages.parse(line), context.engine)
            decoded = _decode(context, form, own_fields)
            job.warnings += decoded.warnings
            return form.run(context, decoded.request, job)

        return Ticket(
            to, run, job, lambda reply: self._send(to, reply, job.warnings), debug=debug, size_bytes=len(line)
        )

    def _send(self, to: RequestId | None, reply: Reply, warnings: Sequence[str] = ()) -> None:
        self._writer.send(messages.addressed(reply, to, warnings))


class Aside:
    """Does one thing after another on a thread of its own, which may have to wait for a disk; the thread that reads must not."""

    def __init__(self) -> None:
        self._actions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, action: Callable[[], None], settings: Settings) -> None:
        """Do it after all that came before. Raises `Busy` if too much waits already."""
        if self._actions.qsize() >= settings.max_queued_jobs:
            raise Busy(
                "Too many requests wait for the disk already. Send this one again when some are answered.",
                hint="`max_queued_jobs` sets the limit.",
            )
        self._actions.put(action)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="dsu-disk", daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Wait until all is done, unless the disk takes too long."""
        done = threading.Event()
        if self._thread is not None:
            self._actions.put(done.set)
            done.wait(DISK_PATIENCE_S)

    def _run(self) -> None:
        while True:
            self._actions.get()()


def _decode(context: Context, command: Command, fields: messages.Fields) -> messages.Decoded:
    decoded = messages.decode(fields, command.request, strict=context.settings.strict)
    command.check(decoded.request)
    return decoded
