"""The queue of jobs: who waits, who runs, who was cancelled. Threads meet here and nowhere else.

Every ticket is answered exactly once, whoever gets there first: the main thread that ran it, the reader that
cancelled it, or the watcher that has to end the process.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from utils.core.job import Job
from utils.core.replies import Cancelled, Reply
from utils.core.requests import RequestId

ENDING = "The worker is ending, so this job was not run."


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
    ) -> None:
        self.request_id = request_id
        self.run = run
        self.job = job
        self.debug = debug
        self._send = send
        self._unanswered = threading.Semaphore(1)

    def answer(self, reply: Reply) -> None:
        """Send the final line, unless it was sent already."""
        if self._unanswered.acquire(blocking=False):
            self._send(reply)


class Counts(NamedTuple):
    """How the queue stands."""

    busy: bool
    queued: int
    done: int
    failed: int


class Jobs:
    """Tickets in the order they came; one is running at a time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._running: Ticket | None = None
        self._ended = False
        self._done = 0
        self._failed = 0

    def submit(self, ticket: Ticket) -> None:
        """Queue a job. After the end was announced it is answered at once."""
        with self._changed:
            late = self._ended
            if not late:
                self._waiting.append(ticket)
                self._changed.notify_all()
        if late:
            ticket.answer(Cancelled(message=ENDING))

    def take(self) -> Ticket | None:
        """The next job, which is running from now on; `None` when no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            self._running = self._waiting.popleft() if self._waiting else None
            return self._running

    def finish(self, *, done: bool = False, failed: bool = False) -> None:
        """The running job has been answered. A cancelled one is neither done nor failed."""
        with self._changed:
            self._running = None
            self._done += done
            self._failed += failed

    def end(self) -> None:
        """No more jobs are coming. Those that wait are still run."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def cancel(self, request_id: RequestId | None) -> bool:
        """Cancel the job with this id, or without one the job whose turn it is. Was there one?"""
        with self._changed:
            ticket = self._find(request_id)
            if ticket is None:
                return False
            ticket.job.cancel()
            waiting = ticket is not self._running
            if waiting:
                self._waiting.remove(ticket)
        if waiting:
            ticket.answer(Cancelled())
        return True

    def cancel_all(self) -> Ticket | None:
        """Cancel the running job and those that wait. Returns the running one, which answers at its next checkpoint."""
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
            running = self._running
            if running is not None:
                running.job.cancel()
        for ticket in waiting:
            ticket.answer(Cancelled())
        return running

    def counts(self) -> Counts:
        with self._changed:
            return Counts(self._running is not None, len(self._waiting), self._done, self._failed)

    def _find(self, request_id: RequestId | None) -> Ticket | None:
        tickets = [self._running] if self._running is not None else []
        tickets += self._waiting
        if request_id is None:
            return tickets[0] if tickets else None
        return next((ticket for ticket in tickets if ticket.request_id == request_id), None)
