"""The queue of jobs where several devices work: which job is for whom. No processes here, and no lines.

A job goes to a device that has its model loaded, if one is free, and else to the free device with the fewest models: whatever is
free works. Where the order of jobs is part of what they mean, it is kept: jobs without an id run one after another, because clients
match their answers by order; and a job that names no model waits for those before it that may change which one is active.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from utils.core.job import Job
from utils.core.replies import Reply
from utils.core.requests import RequestId
from utils.core.typed import decode
from utils.serving.commands import Command
from utils.serving.device_process import Line, text_of
from utils.serving.job_queue import JobQueue, Refusals, Ticket
from utils.serving.messages import Fields

# How often a job may be overtaken by later ones whose models are loaded.
MOST_PASSED_OVER = 16
NAMES = ("model", "model_path", "checkpoint_path", "ensemble", "recipe")


class NeededModels(NamedTuple):
    """What a request says about models."""

    key: bytes | None = None  # equal for requests that use the same
    activates: Fields | None = None  # the fields of the `load_model` that makes active what this request does
    follows: bool = False  # it means the active model


def models_of(fields: Fields, commands: Mapping[str, Command]) -> NeededModels:
    """What a job says about models. However wrong it is, there is an answer."""
    if fields.get("cmd") == "batch":
        jobs = fields.get("jobs")
        parts = [models_of(job, commands) for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []
        return NeededModels(
            next((part.key for part in parts if part.key is not None), None),
            next((part.activates for part in reversed(parts) if part.activates is not None), None),
            any(part.follows for part in parts),
        )
    load = commands["load_model"]
    forms = (load, *load.by_family.values())
    shared = {"id", "strict", "debug"}
    loading = {name for form in forms for name in form.request.__struct_fields__} - shared
    said = {name: value for name, value in fields.items() if name in loading or name in NAMES}
    named = any(name in said for name in NAMES)
    key = msgspec.json.encode(said, order="deterministic") if named else None
    if fields.get("cmd") == "load_model":
        return NeededModels(key, said)
    if fields.get("cmd") != "separate":
        return NeededModels(key)
    if not named:
        return NeededModels(follows=True)
    if "recipe" in said:
        return NeededModels(key)
    if ensemble := said.pop("ensemble", None):  # its first model becomes the active one
        members = ensemble.split(",") if isinstance(ensemble, str) else ensemble
        said |= {"model": members[0]} if isinstance(members, Sequence) else {}
    return NeededModels(key, said)


class ActiveModel(NamedTuple):
    """A model that a job has made the active one: the one of requests that name none."""

    number: int  # of the job
    name: str | None  # as replies have it
    key: bytes | None
    fields: Fields  # of the `load_model` that does the same


class DealtJob(Job):
    """A job that is done elsewhere. `moved` is called with each place that it is sent to while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.moved: Callable[[float], object] | None = None

    def seek(self, position_s: float) -> None:
        if self.moved is None:
            super().seek(position_s)
        else:
            self.moved(position_s)


class DealtTicket(Ticket):
    """A job with its line, which is passed on as it came."""

    def __init__(
        self,
        request_id: RequestId | None,
        job: DealtJob,
        send: Callable[[Reply], None],
        *,
        line: bytes,
        last: frozenset[str],
        models: NeededModels,
        once: bool,
        debug: bool,
    ) -> None:
        """`last` are the statuses that end it; with `once` it cannot be done again."""
        super().__init__(request_id, _nobody_runs_it, job, send, debug=debug, size_bytes=len(line))
        self.dealt_job = job
        self.line = line
        self.last = last
        self.models = models
        self.once = once
        self.number = 0  # of all jobs, in the order in which they came
        self.passed_over = 0
        self.lost_on: list[str] = []  # how the processes ended that had begun it
        self._percent = -1.0
        self._files = self._repeated_files = 0

    def is_news(self, line: Line) -> bool:
        """Whether a line says more than was passed on already: where a job is done again, it says much of it twice."""
        status = text_of(line, "status")
        if status == "progress" and "percent" in line:
            percent = decode(line["percent"], float)
            if percent < self._percent:
                return False
            self._percent = percent
        elif status == "file_done":
            if self._repeated_files:
                self._repeated_files -= 1
                return False
            self._files += 1
        return True

    def lose(self, how: str) -> None:
        """The process that did it has ended, as the sentence says. If it is done again, that begins at its start."""
        self.lost_on.append(how)
        self._repeated_files = self._files


def _nobody_runs_it(job: Job) -> Reply:
    raise NotImplementedError


class Taker:
    """A device as the queue sees it: what is loaded there, as far as can be known from the jobs it has done."""

    def __init__(self) -> None:
        self.recent: list[bytes] = []  # keys, the last used last
        self.gone = False  # it takes no more jobs for now

    def remember(self, key: bytes | None, most: int) -> None:
        if key is not None:
            self.recent = [*(one for one in self.recent if one != key), key][-most:] if most else []


class DealtQueue(JobQueue):
    """Jobs for several takers, each of which takes one at a time."""

    def __init__(self, most_jobs: int | None = None, most_bytes: int | None = None) -> None:
        super().__init__(most_jobs, most_bytes)
        self._free: list[Taker] = []
        self._came = 0
        self._actives: list[ActiveModel] = []  # in the order of their jobs, as far back as jobs may mean them

    def submit(self, ticket: Ticket) -> None:
        if isinstance(ticket, DealtTicket):  # one thread submits
            self._came += 1
            ticket.number = self._came
        super().submit(ticket)

    def take_for(self, taker: Taker) -> DealtTicket | None:
        """Wait for a job for this taker, and mark it as running; None when no more will come, or the taker is gone."""
        while True:
            with self._changed:
                self._free.append(taker)
                self._changed.notify_all()
                refused: list[Refusals] = []
                dealt: DealtTicket | None = None
                while not (taker.gone or self._is_over or refused or dealt is not None):
                    refused = self._due_refusals()
                    dealt = None if refused else self._deal().get(taker)
                    if not refused and dealt is None:
                        self._changed.wait()
                self._free.remove(taker)
                if dealt is not None:
                    self._begin(dealt)
                self._changed.notify_all()
            for one in refused:
                one.answer()
            if not refused:
                return dealt

    def _begin(self, dealt: DealtTicket) -> None:
        self._waiting.remove(dealt)
        self._leave(dealt)
        self._running.append(dealt)
        for other in self._jobs():
            other.passed_over += other.number < dealt.number

    def activate(self, model: ActiveModel) -> None:
        """A job has made its model the active one, for those that were sent after it."""
        with self._changed:
            self._actives = sorted([*self._actives, model], key=lambda one: one.number)
            jobs = (one for one in (*self._running, *self._waiting) if isinstance(one, DealtTicket))
            oldest = min((one.number for one in jobs), default=self._came + 1)
            while len(self._actives) > 1 and self._actives[1].number < oldest:
                del self._actives[0]

    def active_for(self, ticket: DealtTicket | None = None) -> ActiveModel | None:
        """The model that a job means which names none; of None, that of a job that would come now."""
        found = (one for one in reversed(self._actives) if ticket is None or one.number < ticket.number)
        return next(found, None)

    def key_of(self, ticket: DealtTicket) -> bytes | None:
        """Equal for jobs that use the same model."""
        active = self.active_for(ticket) if ticket.models.follows else None
        return active.key if active is not None else ticket.models.key

    def forget_active(self) -> None:
        """No model is active any more."""
        with self._changed:
            self._actives = []

    def give_back(self, ticket: DealtTicket) -> None:
        """The job was not done, and shall be: before all others."""
        with self._changed:
            self._running.remove(ticket)
            self._waiting.appendleft(ticket)
            self._waiting_jobs += 1
            self._waiting_bytes += ticket.size_bytes
            self._changed.notify_all()

    def take_all(self) -> list[Ticket | Refusals]:
        """Take all that wait, for whoever can only say that nobody will do it."""
        with self._changed:
            waiting = list(self._waiting)
            self._waiting.clear()
            self._failed += self._waiting_jobs
            self._waiting_jobs = self._waiting_bytes = 0
            self._changed.notify_all()
        return waiting

    def wake(self) -> None:
        """Somebody else has changed what this depends on: a taker is gone."""
        with self._changed:
            self._changed.notify_all()

    def wait_until_over(self) -> None:
        """Wait until all jobs have ended and no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over)

    def rest(self, seconds: float) -> bool:
        """Wait so long, but not beyond the end of all jobs. Returns whether that has come."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_over, seconds)

    def seek(self, request_id: RequestId | None, position_s: float, *, or_else: RequestId | None = None) -> bool:
        with self._changed:
            ticket = self._find(request_id)
            if request_id is None and or_else is not None:
                ticket = self._find(or_else) or ticket
        if ticket is not None:  # outside of the lock: another process answers
            ticket.job.seek(position_s)
        return ticket is not None

    @property
    def _is_over(self) -> bool:
        return self._ended and not self._waiting and not self._running

    def _jobs(self) -> Iterator[DealtTicket]:
        return (one for one in self._waiting if isinstance(one, DealtTicket))

    def _deal(self) -> dict[Taker, DealtTicket]:
        """Who of the free takers gets which job now."""
        takers, dealt = list(self._free), dict[Taker, DealtTicket]()

        def give(jobs: Iterable[DealtTicket], *, loaded: bool) -> None:
            for ticket in jobs:
                if not takers:
                    return
                key = self.key_of(ticket)
                taker = min(takers, key=lambda one: (key not in one.recent, len(one.recent)))
                if ticket not in given and (key in taker.recent or not loaded):
                    given.add(ticket)
                    takers.remove(taker)
                    dealt[taker] = ticket

        if takers:
            given: set[DealtTicket] = set()
            jobs = list(self._eligible())
            give([job for job in jobs if job.passed_over >= MOST_PASSED_OVER], loaded=False)
            give(jobs, loaded=True)
            give(jobs, loaded=False)
        return dealt

    def _eligible(self) -> Iterator[DealtTicket]:
        """The jobs that may run now, in the order in which they came."""
        running = [one for one in self._running if isinstance(one, DealtTicket)]
        turn = all(one.request_id is not None for one in running)
        waiting = sorted(self._jobs(), key=lambda one: one.number)
        changing = [one.number for one in (*running, *waiting) if one.models.activates is not None]
        first_change = min(changing, default=self._came + 1)
        for ticket in waiting:
            may = turn if ticket.request_id is None else True
            turn = turn and ticket.request_id is not None
            if may and not (ticket.models.follows and first_change < ticket.number):
                yield ticket

    def _due_refusals(self) -> list[Refusals]:
        """Take those whose turn it is: they have no id, so they wait for the jobs without one that came before them."""
        due: list[Refusals] = []
        if any(isinstance(one, Refusals) for one in self._waiting) and all(
            one.request_id is not None for one in self._running
        ):
            for one in list(self._waiting):
                if isinstance(one, Refusals):
                    self._waiting.remove(one)
                    due.append(one)
                elif one.request_id is None:
                    break
        return due
