"""One of several devices: it takes jobs from the queue and has its process do them. A process that ends is started again.

Each device has a thread of its own, which waits for the queue, then for the job, and between two processes for a while.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from utils.core import replies
from utils.core.errors import DeviceLost, DeviceUnavailable, DsuError
from utils.core.failures import cancelled_reply, error_reply
from utils.core.job import JobCancelled
from utils.core.replies import Cancelled, Reply
from utils.core.typed import decode
from utils.serving.dealt_queue import ActiveModel, DealtQueue, DealtTicket, Taker
from utils.serving.device_process import DeviceProcess, Line, text_of, with_id
from utils.serving.messages import Fields
from utils.serving.stdio import Writer

R = TypeVar("R", bound=Reply)

START_S = 300.0  # in which a process has to be ready
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0  # before a process is started again
MOST_STARTS = 3  # that may fail in a row before a device counts as lost; once all are lost, jobs fail
MOST_LOST = 2  # processes that may end in one job
SILENCE_S = 60.0  # after which a process is asked whether it is alive, and has as long to answer
ANSWER_S = 2.0  # for answers that need no disk
LOADED = frozenset({"model_loaded", "error", "cancelled"})


@dataclass
class Common:
    """What all devices of a worker share."""

    queue: DealtQueue
    writer: Writer
    max_cached_models: int
    storage_type: str | None = None  # once it was set
    default_model: str | None = None  # what was used where none was active
    closing: bool = False  # what ends now is meant to
    changed: threading.Condition = field(default_factory=threading.Condition)  # a device has started, or failed to


class DeviceRunner(Taker):
    """A device by the name that it was asked for, and its process while that runs."""

    def __init__(self, name: str, command: Sequence[str], common: Common, on_lost: Callable[[], None]) -> None:
        """`on_lost` is called whenever it could not be started often enough to count as lost."""
        super().__init__()
        self.name = name
        self.process: DeviceProcess | None = None
        self.ready: replies.Ready | None = None  # what the process said when it was
        self.status: replies.Status | None = None  # what it said last
        self.fault: str | None = None  # why there is none that is ready
        self.refusal: DsuError | None = None  # the same as an error
        self.starts = 0
        self.failed_starts = 0
        self.busy = False
        self._command = command
        self._common = common
        self._on_lost = on_lost
        self._failures = 0  # ends in a row, without a job that went well in between
        self._active: Fields | None = None  # what is active in the process, as far as can be known
        self.gone = True
        self.thread = threading.Thread(target=self._run, name=f"dsu-{name}", daemon=True)

    @property
    def is_lost(self) -> bool:
        """Whether there is little hope for it."""
        return self.failed_starts >= MOST_STARTS

    # The life of its processes ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._common.closing:
            self.starts += 1
            if self._start():
                self.failed_starts = 0
                while not self.gone and (ticket := self._common.queue.take_for(self)) is not None:
                    self.busy = True
                    self._do(ticket)
                    self.busy = False
                if self.process is not None and self.gone and not self._common.closing:
                    self._fail(f"Its process ended {self.process.how_it_ended()}.")
            elif not self._common.closing:
                self.failed_starts += 1
                if self.is_lost:
                    self._on_lost()
            self._failures += 1
            if self._common.queue.rest(min(FIRST_PAUSE_S * 2 ** (self._failures - 1), LONGEST_PAUSE_S)):
                return

    def _start(self) -> bool:
        """Start a process, and wait until it is ready."""
        try:
            process = self.process = DeviceProcess(self._command, self._lost)
        except OSError as error:
            self._fail(f"No process could be started for it: {error.strerror}.")
            return False
        if self._common.closing:  # whoever closes may not have seen it
            process.kill()
        try:
            word = process.first_word.get(timeout=START_S)
        except queue.Empty:
            process.kill()
            process.how_it_ended()
            self._fail(f"Its process was not ready after {START_S:g} seconds.")
            return False
        if word is not None and text_of(word, "status") == "ready":
            if self._common.storage_type is not None:
                process.ask({"cmd": "set_storage_type", "type": self._common.storage_type})
            process.ask({"cmd": "set_cache_size", "n": self._common.max_cached_models})
            self.recent, self._active, self.status = [], None, None
            self.fault = self.refusal = None
            self.ready = decoded(word, replies.Ready)
            self.gone = process.ended
            self._tell()
            return True
        how = process.how_it_ended()  # also where it has said why
        if word is None:
            self._fail(f"Its process ended {how} before it was ready.")
        else:
            refusal = error_of(word)
            self._fail(refusal.message, refusal)
        return False

    def _fail(self, fault: str, error: DsuError | None = None) -> None:
        self.ready = None
        self.fault = fault
        self.refusal = error or DsuError(f"`{self.name}` cannot be used. {fault}")
        self._tell()

    def _tell(self) -> None:
        with self._common.changed:
            self._common.changed.notify_all()

    def _lost(self) -> None:
        """Called by the thread that heard the end of the process."""
        self.gone = True
        self._common.queue.wake()

    # Jobs ---------------------------------------------------------------------------------------------------------

    def _do(self, ticket: DealtTicket) -> None:
        """Have a job done, and answer it or give it back."""
        process = self.process
        if process is None:
            return
        try:
            line = self._passed_on(ticket, process)
        except JobCancelled as cancelled:
            self._end(ticket, cancelled_reply(cancelled))
            return
        except Exception as error:  # noqa: BLE001 - the edge: no job ends the thread, and what the process does is not known
            self.gone = True
            process.kill()
            self._end(ticket, error_reply(error, debug=ticket.debug), failed=True)
            return
        status = text_of(line, "status") if line is not None else None
        has_lost_device = line is not None and status == "error" and text_of(line, "code") == DeviceLost.code
        was_told_to_go = status == "cancelled" and not ticket.job.cancelled  # by somebody else
        if line is None or has_lost_device or was_told_to_go:  # it has ended, or does now
            self._lose(ticket, process)
            return
        self._remember(ticket, line)
        failed = status == "error"
        self._common.queue.finish(ticket, done=not failed and status != "cancelled", failed=failed)
        if ticket.claim():
            self._common.writer.send_line(as_text(with_warnings(with_id(line, ticket.request_id), ticket.lost_on)))

    def _passed_on(self, ticket: DealtTicket, process: DeviceProcess) -> Line | None:
        """Pass a job on and its lines back; returns its last line, or None if the process has ended."""
        load, own = process.new_job(), process.new_job()
        told = False

        def cancel() -> None:
            nonlocal told
            if not told:
                told = True
                process.cancel(load)
                process.cancel(own)

        def pass_back(line: Line) -> None:
            if ticket.is_news(line):
                self._common.writer.send_line(as_text(with_id(line, ticket.request_id)))

        def begin(token: str, request: Line, last: frozenset[str]) -> None:
            process.begin(token, request, last, pass_back)
            if ticket.job.cancelled:  # before it was sent
                process.cancel(token)

        with ticket.job.stopped_by(cancel):
            active = self._common.queue.active_for(ticket) if ticket.models.follows else None
            if active is not None and active.fields != self._active:
                begin(load, as_line({**active.fields, "cmd": "load_model"}), LOADED)
                line = _last_line(process)
                if line is None or text_of(line, "status") == "cancelled":
                    return line
                self._active = active.fields if text_of(line, "status") == "model_loaded" else None
            begin(own, as_line(ticket.line), ticket.last)
            job = ticket.dealt_job
            job.moved = lambda position_s: self._move(process, own, position_s)
            if (position_s := job.sought()) is not None:
                process.ask({"cmd": "seek", "job": own, "position": position_s})
            try:
                return _last_line(process)
            finally:
                job.moved = None

    def _move(self, process: DeviceProcess, token: str, position_s: float) -> None:
        answer = process.ask({"cmd": "seek", "job": token, "position": position_s})(ANSWER_S)
        if answer is not None and text_of(answer, "status") == "error":
            raise error_of(answer)

    def _remember(self, ticket: DealtTicket, line: Line) -> None:
        """What is loaded and active after a job."""
        common, models, model = self._common, ticket.models, text_of(line, "model")
        if text_of(line, "status") in ("error", "cancelled"):
            if models.activates is not None:
                self._active = None
            return
        self._failures = 0
        self.remember(common.queue.key_of(ticket), common.max_cached_models)
        if models.activates is not None:
            self._active = models.activates
            common.queue.activate(ActiveModel(ticket.number, model, models.key, models.activates))
        elif models.follows:
            active = common.queue.active_for(ticket)
            if active is None:
                common.default_model = model
            elif active.name != model:  # a model of another family took its place
                self._active = None

    def _lose(self, ticket: DealtTicket, process: DeviceProcess) -> None:
        """The process has ended in a job: another one shall do it, unless that cannot be or has been tried."""
        self.gone = True
        how = f"The process for `{self.name}` ended {process.how_it_ended()} during this job"
        if ticket.job.cancelled or self._common.closing:
            self._end(ticket, Cancelled())
            return
        ticket.lose(f"{how}.")
        if ticket.once:
            text = f"{how}, whose samples come only once. Send it again."
            self._end(ticket, error_reply(DsuError(text)), failed=True)
        elif len(ticket.lost_on) < MOST_LOST:
            self._common.queue.give_back(ticket)
        else:
            text = " ".join([*ticket.lost_on, "It is not tried again."])
            hint = "A file or a model may crash a library or need more memory than there is; `dsu doctor` examines the devices."
            self._end(ticket, error_reply(DsuError(text, hint=hint)), failed=True)

    def _end(self, ticket: DealtTicket, reply: Reply, *, failed: bool = False) -> None:
        self._common.queue.finish(ticket, failed=failed)
        ticket.answer(reply)


def _last_line(process: DeviceProcess) -> Line | None:
    """Wait for the last line of its job, as long as it lives and is not silent for too long."""
    while (ended := process.wait(SILENCE_S)) is None:
        if not process.heard.is_set() and process.ask({"cmd": "ping"})(SILENCE_S) is None:
            process.kill()
        process.heard.clear()
    return ended.line


# Lines ----------------------------------------------------------------------------------------------------------------


def as_line(request: bytes | Mapping[str, Any]) -> Line:
    """A request as it is passed on."""
    text = request if isinstance(request, bytes) else msgspec.json.encode(request)
    return decode(text, Line)


def as_text(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def decoded(line: Line, kind: type[R]) -> R:
    """A line as the reply that it is, without its id, which was ours."""
    return decode(msgspec.json.encode(with_id(line, None)), kind)


def with_warnings(line: Line, warnings: Sequence[str]) -> Line:
    """The line with more warnings."""
    if not warnings or text_of(line, "status") == "error":
        return line
    earlier = msgspec.json.decode(line["warnings"]) if "warnings" in line else []
    return {**line, "warnings": msgspec.Raw(msgspec.json.encode([*earlier, *warnings]))}


def error_of(line: Line) -> DsuError:
    """The error that a process has told."""
    told = decoded(line, replies.Error)
    kinds: list[type[DsuError]] = [DeviceUnavailable, *_kinds(DsuError)]
    kind: type[DsuError] = next((kind for kind in kinds if kind.code == told.code), DsuError)
    return kind(
        told.message,
        hint=told.hint or None,
        suggestions=told.suggestions or (),
        field=told.field or None,
    )


def _kinds(kind: type[DsuError]) -> list[type[DsuError]]:
    return [one for narrower in kind.__subclasses__() for one in (*_kinds(narrower), narrower)]
