"""What happens to a line that came in: answered at once, or queued. Runs on the thread that reads.

Nothing that a line holds, and nothing that goes wrong while it is answered, ends the thread.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence

from utils.core.errors import DsuError, InvalidJson
from utils.core.failures import error_reply
from utils.core.job import Job
from utils.core.replies import Reply
from utils.core.requests import RequestId
from utils.serving import messages
from utils.serving.commands import Command, Context
from utils.serving.jobs import Ticket
from utils.serving.stdio import Writer

Line = bytes | InvalidJson


class Dispatcher:
    """Takes lines. Until `open` they are only kept, so that a client may send before the worker is ready."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._kept: list[Line | None] = []
        self._context: Context | None = None
        self.farewells: list[Reply] = []

    def receive(self, line: Line | None) -> None:
        """Take a line; `None` is the end of the input."""
        with self._lock:
            if self._context is None:
                self._kept.append(line)
            else:
                self._handle(self._context, line)

    def open(self, context: Context) -> None:
        """Handle what was kept, in order; from now on lines are handled as they come."""
        with self._lock:
            for line in self._kept:
                self._handle(context, line)
            self._kept.clear()
            self._context = context

    def _handle(self, context: Context, line: Line | None) -> None:
        if line is None:
            context.jobs.end()
            return
        to: RequestId | None = None
        debug = context.settings.debug
        try:
            if isinstance(line, InvalidJson):
                raise line  # noqa: TRY301 - one path for all that can be wrong with a line
            fields = messages.parse(line)
            to = messages.request_id(fields)
            debug = debug or fields.get("debug") is True
            self._route(context, fields, to, debug=debug)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge: every line gets an answer
            self._send(to, error_reply(error, debug=debug))

    def _route(self, context: Context, fields: messages.Fields, to: RequestId | None, *, debug: bool) -> None:
        command = context.commands[messages.command_name(fields, context.commands)]
        if command.is_job:
            context.jobs.submit(self._ticket(context, command, fields, to, debug=debug))
            return
        decoded = _decode(context, command, fields)
        reply = messages.addressed(command.run(context, decoded.request, Job()), to, decoded.warnings)
        if command.at_end:
            self.farewells.append(reply)
        else:
            self._writer.send(reply)

    def _ticket(
        self, context: Context, command: Command, fields: messages.Fields, to: RequestId | None, *, debug: bool
    ) -> Ticket:
        """A job that is wrong waits for its turn too: clients without ids tell answers apart by their order."""
        try:
            decoded = _decode(context, command, fields)
        except DsuError as error:
            job, run = Job(), functools.partial(_fail, error)
        else:
            job = Job(functools.partial(self._send, to), show_progress=getattr(decoded.request, "progress", True))
            job.warnings += decoded.warnings
            run = functools.partial(command.run, context, decoded.request)
        return Ticket(to, run, job, lambda reply: self._send(to, reply, job.warnings), debug=debug)

    def _send(self, to: RequestId | None, reply: Reply, warnings: Sequence[str] = ()) -> None:
        self._writer.send(messages.addressed(reply, to, warnings))


def _decode(context: Context, command: Command, fields: messages.Fields) -> messages.Decoded:
    decoded = messages.decode(fields, command.request, strict=context.settings.strict)
    if command.check is not None:
        command.check(decoded.request)
    return decoded


def _fail(error: DsuError, job: Job) -> Reply:
    del job
    raise error
