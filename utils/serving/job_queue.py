"""The queue of jobs: which wait, which one runs, which were cancelled or refused. All threads share it.

Every ticket is answered exactly once, by whoever comes first: the main thread that ran it, the reader that cancelled
it, or the thread that has to end the process.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from utils.core.errors import Busy, InvalidRequest
from utils.core.failures import error_reply
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
        self.send = send
        self._unanswered = threading.Semaphore(1)

    def answer(self, reply: Reply) -> None:
        """Send the final line, unless it was sent already."""
        if self.claim():
            self.send(reply)

    def claim(self) -> bool:
        """Whether the caller is the one who answers: true for the first who asks."""
        return self._unanswered.acquire(blocking=False)


class Refusals:
    """Jobs in a row that had no room and no id: their errors wait for their turn, since only the order tells whose they are.

    However many there are, they take no more memory than one.
    """

    def __init__(self, refuse: Callable[[], None]) -> None:
        self._refuse = refuse
        self.count = 1

    def answer(self) -> None:
        for _ in range(self.count):
            self._refuse()


class Counts(NamedTuple):
    """How many jobs run, wait, and have ended."""

    busy: bool
    queued: int
    done: int
    failed: int


class JobQueue:
    """Tickets in the order they came. Whoever takes one gives it back with `finish` when it has ended."""

    def __init__(self, most_jobs: int | None = None, most_bytes: int | None = None) -> None:
        self._most_jobs = most_jobs
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._waiting: deque[Ticket | Refusals] = deque()
        self._waiting_jobs = self._waiting_bytes = 0
        self._running: list[Ticket] = []  # in the order in which they began
        self._ended = False
        self._done = 0
        self._failed = 0

    def submit(self, ticket: Ticket) -> None:
        """Queue a job. After `end` it is answered at once, as cancelled. Raises `Busy` if too many wait already; without an id
        it gets that answer in its turn.
        """
        with self._changed:
            late = self._ended
            if not late:
                refusal = self._refusal(ticket)
                if refusal is None:
                    self._waiting.append(ticket)
                    self._waiting_jobs += 1
                    self._waiting_bytes += ticket.size_bytes
                elif ticket.request_id is not None:
                    raise refusal
                elif isinstance(last := self._waiting[-1], Refusals):
                    last.count += 1
                else:
                    self._waiting.append(Refusals(functools.partial(ticket.send, error_reply(refusal, debug=False))))
                self._changed.notify_all()
        if late:
            ticket.answer(Cancelled(message=ENDING))

    def _refusal(self, ticket: Ticket) -> Busy | None:
        """Why there is no room for a job. Some job waits then."""
        if self._most_jobs is not None and self._waiting_jobs >= self._most_jobs:
            return Busy(
                f"{self._waiting_jobs} jobs wait already, which is the limit. Send this one again when some have ended.",
                hint="`max_queued_jobs` sets the limit.",
            )
        waiting_bytes = self._waiting_bytes
        if self._most_bytes is not None and self._waiting and waiting_bytes + ticket.size_bytes > self._most_bytes:
            return Busy(
                f"The jobs that wait have {waiting_bytes} bytes, and the limit is {self._most_bytes}. Send this one again "
                "when some have ended.",
                hint="`max_queued_bytes` sets the limit.",
            )
        return None

    def take(self) -> Ticket | None:
        """Wait for the next job and mark it as running; `None` when no more will come. Answers those refused before it."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                first = self._waiting.popleft() if self._waiting else None
                if not isinstance(first, Refusals):
                    if first is not None:
                        self._leave(first)
                        self._running.append(first)
                    return first
            first.answer()

    def _leave(self, ticket: Ticket) -> None:
        self._waiting_jobs -= 1
        self._waiting_bytes -= ticket.size_bytes

    def finish(self, ticket: Ticket, *, done: bool = False, failed: bool = False) -> None:
        """A running job has ended. A cancelled one is neither done nor failed."""
        with self._changed:
            self._running.remove(ticket)
            self._done += done
            self._failed += failed
            self._changed.notify_all()

    def end(self) -> None:
        """Accept no more jobs. Those that wait are still run."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def cancel(self, request_id: RequestId | None) -> bool:
        """Cancel the job with this id; without one, the running job or else the next. Returns whether there was one."""
        with self._changed:
            ticket = self._find(request_id)
            if ticket is None:
                return False
            ticket.job.cancel()
            waiting = ticket not in self._running
            if waiting:
                self._waiting.remove(ticket)
                self._leave(ticket)
        if waiting:
            ticket.answer(Cancelled())
        return True

    def seek(self, request_id: RequestId | None, position_s: float, *, or_else: RequestId | None = None) -> bool:
        """Let the job with this id go on elsewhere. Returns whether there was one.

        Without an id that is the job that `or_else` names, if it does, or else the one that runs or runs next. Raises
        `InvalidRequest` if it runs and cannot.
        """
        with self._changed:
            ticket = self._find(request_id)
            if request_id is None and or_else is not None:
                ticket = self._find(or_else) or ticket
            if ticket is None:
                return False
            if ticket in self._running and not ticket.job.can_seek:
                raise InvalidRequest(
                    "This job goes through its song from the start to the end.",
                    hint='Send the job with "stream":true and "start_at":0 to move it while it runs.',
                )
            ticket.job.seek(position_s)
            return True

    def _find(self, request_id: RequestId | None) -> Ticket | None:
        waiting = (one for one in self._waiting if isinstance(one, Ticket))
        return next(
            (one for one in (*self._running, *waiting) if request_id is None or one.request_id == request_id), None
        )

    def cancel_all(self) -> list[Ticket]:
        """Cancel what runs and all that wait. Returns the tickets that run, which are answered at their next checkpoints."""
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
            self._waiting_jobs = self._waiting_bytes = 0
            running = list(self._running)
            for ticket in running:
                ticket.job.cancel()
        for one in waiting:
            if isinstance(one, Ticket):
                one.answer(Cancelled())
            else:
                one.answer()
        return running

    def counts(self) -> Counts:
        with self._changed:
            return Counts(bool(self._running), self._waiting_jobs, self._done, self._failed)
