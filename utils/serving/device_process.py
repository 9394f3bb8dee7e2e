"""One of several devices: the process that works on it, and what is said to it and heard from it. Knows nothing of the queue.

The process is a worker like any other, started by the same program for this device alone. It ends when this one does: it sees
the end of its input and that of its parent.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from utils.core.bootstrap import apart
from utils.core.typed import decode
from utils.serving.stdio import read_lines

LONGEST_LINE_BYTES = 256 << 20  # of an answer; that to a batch holds the answers to all its jobs

# A line as it came, but for the values of its fields, which are passed on as they are.
Line = dict[str, msgspec.Raw]

_decoder = msgspec.json.Decoder(Line)


class Last(NamedTuple):
    """What ended a job: its last line, or nothing because the process ended."""

    line: Line | None


class DeviceProcess:
    """A running process. Any thread may talk to it."""

    def __init__(self, command: Sequence[str], on_end: Callable[[], None]) -> None:
        """Start it. `on_end` is called once it says no more, from another thread. Raises `OSError`."""
        self._process = subprocess.Popen(  # noqa: S603 - it is this program
            [*command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **apart(),
        )
        self._on_end = on_end
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._job: tuple[str, frozenset[str], Callable[[Line], None]] | None = None
        self._asked: dict[str, queue.SimpleQueue[Line | None]] = {}
        self._ended = False
        self._last: queue.SimpleQueue[Last] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.first_word: queue.SimpleQueue[Line | None] = queue.SimpleQueue()  # `ready`, `error`, or that it has ended
        self.heard = threading.Event()  # set with each line
        for work in (self._read, self._write):
            threading.Thread(target=work, name=f"dsu-device-{self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._ended

    # Talking ------------------------------------------------------------------------------------------------------

    def new_job(self) -> str:
        """The id for a job."""
        return f"job-{next(self._numbers)}"

    def begin(self, token: str, request: Line, last: frozenset[str], on_event: Callable[[Line], None]) -> None:
        """Send a job under this id, whose last line has one of these statuses. There is one at a time.

        `on_event` gets its other lines, from the thread that reads: it may wait for a client, and then the process waits, too.
        """
        with self._lock:
            self._job = (token, last, on_event)
        self._say(with_id(request, token))

    def wait(self, seconds: float) -> Last | None:
        """What ended the job; None if nothing did so far."""
        try:
            return self._last.get(timeout=seconds)
        except queue.Empty:
            return None

    def ask(self, request: Mapping[str, Any]) -> Callable[[float], Line | None]:
        """Send a control command. The function waits so many seconds for the answer; there may be none."""
        answers: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        with self._lock:
            token = f"ask-{next(self._numbers)}"
            if self._ended:
                answers.put(None)
            else:
                self._asked[token] = answers
        self._say({**request, "id": token})  # to a process that has ended nothing is said

        def answer(seconds: float) -> Line | None:
            try:
                return answers.get(timeout=seconds)
            except queue.Empty:
                with self._lock:
                    self._asked.pop(token, None)
                return None

        return answer

    def cancel(self, token: str) -> None:
        """Cancel the job that was sent under this id. The job itself is answered."""
        self._say({"cmd": "cancel", "id": token})

    def _say(self, request: Mapping[str, Any]) -> None:
        self._outbox.put(msgspec.json.encode(request) + b"\n")

    # Ending -------------------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Tell it that there is nothing more to do."""
        self._outbox.put(None)

    def terminate(self) -> None:
        """Tell it to cancel what it does and to end within two seconds."""
        if sys.platform == "win32":
            self._say({"cmd": "exit", "force": True})  # what the system offers would end it at once
            self.leave()
        else:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()

    def wait_for_end(self, seconds: float) -> bool:
        """Whether it has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def how_it_ended(self) -> str:
        """As the end of a sentence. Waits for the process, whose output has ended."""
        if not self.wait_for_end(1.0):
            self.kill()
        status = self._process.wait()
        if status < 0:
            try:
                return f"by {signal.Signals(-status).name}"
            except ValueError:
                return f"by signal {-status}"
        return f"with status {status}"

    # Threads ------------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """A thread of its own: a process that does not read must not hold up anybody else."""
        pipe = self._process.stdin
        if pipe is None:
            return
        with contextlib.suppress(OSError):  # it has ended, which the other thread notices
            while (line := self._outbox.get()) is not None:
                pipe.write(line)
                pipe.flush()
        with contextlib.suppress(OSError):
            pipe.close()

    def _read(self) -> None:
        pipe = self._process.stdout
        if pipe is not None:
            for lines in read_lines(pipe.fileno(), LONGEST_LINE_BYTES):
                for line in lines:
                    if isinstance(line, bytes):
                        self._take(line)
            pipe.close()
        with self._lock:
            self._ended = True
            asked, self._asked = self._asked, {}
        self.first_word.put(None)
        self._last.put(Last(None))
        for answers in asked.values():
            answers.put(None)
        self.leave()
        self._on_end()

    def _take(self, text: bytes) -> None:
        try:
            line = _decoder.decode(text)
        except msgspec.DecodeError:
            return  # nothing that a worker says; libraries cannot write here
        self.heard.set()
        status, name = text_of(line, "status"), text_of(line, "id")
        with self._lock:
            asked = self._asked.pop(name, None) if name is not None else None
            job = self._job
        if asked is not None:
            asked.put(line)
        elif name is None:
            if status in ("ready", "error"):
                self.first_word.put(line)
        elif job is not None and name == job[0] and status != "cancel_requested":
            if status in job[1]:
                with self._lock:
                    self._job = None
                self._last.put(Last(line))
            else:
                job[2](line)


def text_of(line: Line, field: str) -> str | None:
    """The value of a field if it is a string."""
    try:
        return decode(line[field], str)
    except (KeyError, msgspec.DecodeError):
        return None


def with_id(line: Line, name: object) -> Line:
    """The line with another id; without one for None. The other fields stay as they are, in their order."""
    if name is None:
        return {field: value for field, value in line.items() if field != "id"}
    return {**line, "id": msgspec.Raw(msgspec.json.encode(name))}
