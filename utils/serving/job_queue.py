"""The queue of jobs: which wait, which one runs, which were cancelled. All threads share it.

Every ticket is answered exactly once, by whoever comes first: the main thread that ran it, the reader that cancelled
it, or the thread that has to end the process.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from utils.core.errors import Busy
from utils.core.job import Job
from utils.core.replies import Cancelled, Reply
from utils.core.requests import RequestId

ENDING = "The worker is shutting down, so this job was not run."


class Ticket:
    """One job that a client waits for."""

    def __init__(
        self,
        request_id: RequestId | None,
        run: Callable[[Job], Reply],
        job: Job,
        send: Callable[[Reply], None],
        *,
        debug: bool = False,
        size_bytes: int = 0,
    ) -> None:
        self.request_id = request_id
        self.run = run
        self.job = job
        self.debug = debug
        self.size_bytes = size_bytes
        self._send = send
        self._unanswered = threading.Semaphore(1)

    def answer(self, reply: Reply) -> None:
        """Send the final line, unless it was sent already."""
        if self._unanswered.acquire(blocking=False):
            self._send(reply)


class Counts(NamedTuple):
    """How many jobs run, wait, and have ended."""

    busy: bool
    queued: int
    done: int
    failed: int


class JobQueue:
    """Tickets in the order they came; one runs at a time."""

    def __init__(self, most_jobs: int | None = None, most_bytes: int | None = None) -> None:
        self._most_jobs = most_jobs
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._waiting_bytes = 0
        self._running: Ticket | None = None
        self._ended = False
        self._done = 0
        self._failed = 0

    def submit(self, ticket: Ticket) -> None:
        """Queue a job. After `end` it is answered at once, as cancelled. Raises `Busy` if too many wait already."""
        with self._changed:
            late = self._ended
            if not late:
                self._require_room(ticket)
                self._waiting.append(ticket)
                self._waiting_bytes += ticket.size_bytes
                self._changed.notify_all()
        if late:
            ticket.answer(Cancelled(message=ENDING))

    def _require_room(self, ticket: Ticket) -> None:
        if self._most_jobs is not None and len(self._waiting) >= self._most_jobs:
            raise Busy(
                f"{len(self._waiting)} jobs wait already, which is the limit. Send this one again when some have ended.",
                hint="`max_queued_jobs` sets the limit.",
            )
        if self._most_bytes is not None:
            waiting_bytes = self._waiting_bytes
            if self._waiting and waiting_bytes + ticket.size_bytes > self._most_bytes:
                raise Busy(
                    f"The jobs that wait have {waiting_bytes} bytes, and the limit is {self._most_bytes}. Send this one again "
                    "when some have ended.",
                    hint="`max_queued_bytes` sets the limit.",
                )

    def take(self) -> Ticket | None:
        """Wait for the next job and mark it as running; `None` when no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            self._running = self._waiting.popleft() if self._waiting else None
            if self._running is not None:
                self._waiting_bytes -= self._running.size_bytes
            return self._running

    def finish(self, *, done: bool = False, failed: bool = False) -> None:
        """The running job has ended. A cancelled one is neither done nor failed."""
        with self._changed:
            self._running = None
            self._done += done
            self._failed += failed

    def end(self) -> None:
        """Accept no more jobs. Those that wait are still run."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def cancel(self, request_id: RequestId | None) -> bool:
        """Cancel the job with this id; without one, the running job or else the next. Returns whether there was one."""
        with self._changed:
            tickets = [*([self._running] if self._running is not None else []), *self._waiting]
            ticket = next((one for one in tickets if request_id is None or one.request_id == request_id), None)
            if ticket is None:
                return False
            ticket.job.cancel()
            waiting = ticket is not self._running
            if waiting:
                self._waiting.remove(ticket)
                self._waiting_bytes -= ticket.size_bytes
        if waiting:
            ticket.answer(Cancelled())
        return True

    def cancel_all(self) -> Ticket | None:
        """Cancel the running job and all that wait. Returns the running one, which answers at its next checkpoint."""
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            running = self._running
            if running is not None:
                running.job.cancel()
        for ticket in waiting:
            ticket.answer(Cancelled())
        return running

    def counts(self) -> Counts:
        with self._changed:
            return Counts(self._running is not None, len(self._waiting), self._done, self._failed)
