"""What happens to a line from the client: it is answered at once, or queued as a job. Runs on the thread that reads.

Neither the contents of a line nor an error while answering it ends that thread.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Sequence

from utils.core.errors import DsuError, InvalidJson
from utils.core.failures import error_reply
from utils.core.job import Job
from utils.core.replies import Reply
from utils.core.requests import RequestId
from utils.serving import messages
from utils.serving.commands import Command, Context
from utils.serving.job_queue import Ticket
from utils.serving.stdio import InputLine, Writer


class Dispatcher:
    """Takes lines. Until `open` it only keeps them, so that a client may send before the worker is ready."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._kept: list[InputLine | None] = []
        self._context: Context | None = None
        self._farewells: list[Reply] = []

    def receive(self, lines: Iterable[InputLine | None]) -> None:
        """Take the lines that arrived together; `None` is the end of the input."""
        with self._lock:
            for line in lines:
                if self._context is None:
                    self._kept.append(line)
                else:
                    self._handle(self._context, line)

    def open(self, context: Context) -> None:
        """Handle the lines kept so far, in order; from now on lines are handled as they come."""
        with self._lock:
            for line in self._kept:
                self._handle(context, line)
            self._kept.clear()
            self._context = context

    def farewells(self) -> list[Reply]:
        """The replies to `exit`. Waits for the lines that arrived with it, since each of them gets an answer."""
        with self._lock:
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
                context.queue.submit(self._ticket(context, command, fields, to, debug=debug))
                return
            decoded = _decode(context, command, fields)
            reply = messages.addressed(command.run(context, decoded.request, Job()), to, decoded.warnings)
            if command.at_end:
                self._farewells.append(reply)
            else:
                self._writer.send(reply)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge: every line gets an answer
            self._send(to, error_reply(error, debug=debug))

    def _ticket(
        self, context: Context, command: Command, fields: messages.Fields, to: RequestId | None, *, debug: bool
    ) -> Ticket:
        """An invalid job waits for its turn too: clients without ids match answers to requests by their order."""
        try:
            command, fields = command.form_of(fields, context.engine)
            decoded = _decode(context, command, fields)
        except DsuError as error:
            refusal = error  # `error` is unbound at the end of this block

            def refuse(job: Job) -> Reply:
                del job
                raise refusal

            return Ticket(to, refuse, Job(), functools.partial(self._send, to), debug=debug)
        job = Job(functools.partial(self._send, to), show_progress=getattr(decoded.request, "progress", True))
        job.warnings += decoded.warnings
        run = functools.partial(command.run, context, decoded.request)
        return Ticket(to, run, job, lambda reply: self._send(to, reply, job.warnings), debug=debug)

    def _send(self, to: RequestId | None, reply: Reply, warnings: Sequence[str] = ()) -> None:
        self._writer.send(messages.addressed(reply, to, warnings))


def _decode(context: Context, command: Command, fields: messages.Fields) -> messages.Decoded:
    decoded = messages.decode(fields, command.request, strict=context.settings.strict)
    command.check(decoded.request)
    return decoded
