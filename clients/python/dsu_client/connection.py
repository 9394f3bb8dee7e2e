"""One worker process and the requests on their way to it: what programs that wait and asyncio have in common.

Threads read what the process writes and tell each request its lines, in order: `Pending.tell` gets every line, the last
one too, or the error that took its place.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, TypeAlias

from .errors import DSUError, WorkerError, error_of
from .lines import encode, read_lines
from .locate import clean_environment
from .protocol import ENDS, EVENTS

Item: TypeAlias = dict[str, Any] | DSUError
STDERR_KEPT_BYTES = 8192
TERMINATE_S = 3.0


@dataclass(frozen=True)
class Limits:
    """How long, in seconds, a worker may take to start, to cancel a job and to end."""

    start_s: float = 120.0
    cancel_s: float = 30.0
    exit_s: float = 5.0


@dataclass(eq=False)
class Pending:
    """A request that has not been answered yet."""

    request: dict[str, Any]
    tell: Callable[[Item], object]
    patience: threading.Timer | None = field(default=None)

    def is_last(self, line: Mapping[str, Any]) -> bool:
        """Whether this line ends the request. For commands that are not known here, any line but an event does."""
        ends = ENDS.get(self.request["cmd"])
        status = line["status"]
        return status == "error" or (status in ends if ends is not None else status not in EVENTS)


class Connection:
    """Starts the process with the first request, and again with the next one after it has died."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None, cwd: str | None, limits: Limits
    ) -> None:
        self.command = list(command)
        self._env = {**clean_environment(), **(env or {})}
        self._cwd = cwd
        self._limits = limits
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The id of the process while it runs."""
        process = self._process
        return process.pid if process else None

    def send(self, request: Mapping[str, Any], tell: Callable[[Item], object]) -> Pending:
        """Send a request; `tell` is called on another thread with each line that answers it."""
        pending = Pending({**request, "id": f"{next(self._ids)}"}, tell)
        data = encode(pending.request)
        with self._lock:
            if self._closed:
                raise WorkerError("The worker was closed. Create a new one.", code="worker_closed")
            if self._process is None or not self._process.add(pending):
                self._process = _Process(self.command, self._env, self._cwd, self._limits)
                self._process.add(pending)
            process = self._process
        process.write(data)
        return pending

    def cancel(self, pending: Pending) -> None:
        """Ask for the end of a request. It is still answered, once what it had begun is undone."""
        if self._process:
            self._process.cancel(pending)

    def cancel_all(self) -> None:
        """Ask for the end of all requests."""
        if self._process:
            self._process.cancel_all()

    def close(self) -> None:
        """End the process; its jobs are cancelled. Returns when it is gone."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process:
            process.stop()


class _Process:
    """The process from its start to its end, and the requests that it has."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: str | None, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._pending: dict[str, Pending] = {}
        self._fate: DSUError | None = None
        self._ready = False
        self._over = False
        self._stderr = bytearray()
        # A group of its own: Ctrl+C in a terminal is for the host, which cancels what it has asked for.
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        try:
            self._child = subprocess.Popen(  # noqa: S603  the command that was found or given
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env),
                cwd=cwd,
                bufsize=0,
                **group,
            )
        except OSError as error:
            raise WorkerError(f"{command[0]} could not be started: {error}.", code="spawn_failed") from error
        self.pid = self._child.pid
        late = WorkerError(f"The worker was not ready after {limits.start_s:g} s.", code="start_timeout")
        self._start_timer = self._timer(limits.start_s, late)
        self._errors = threading.Thread(target=self._read_stderr, daemon=True)
        self._answers = threading.Thread(target=self._read_stdout, daemon=True)
        self._errors.start()
        self._answers.start()

    def add(self, pending: Pending) -> bool:
        """Take a request, unless the process has ended."""
        with self._lock:
            if self._over or self._fate:
                return False
            self._pending[pending.request["id"]] = pending
            return True

    def write(self, data: bytes) -> None:
        """Send bytes to a process that may be gone; its end tells who waits for an answer."""
        view = memoryview(data)
        with self._writing:
            try:
                while view:
                    view = view[_stream(self._child.stdin).write(view) :]
            except (OSError, ValueError):
                return

    def cancel(self, pending: Pending) -> None:
        with self._lock:
            if self._pending.get(pending.request["id"]) is not pending or pending.patience:
                return
            wait_s = self._limits.cancel_s if self._ready else self._limits.start_s
            silent = WorkerError(
                f"The worker did not cancel a job within {wait_s:g} s and was killed.", code="worker_silent"
            )
            pending.patience = self._timer(wait_s, silent)
        self.write(encode({"cmd": "cancel", "id": pending.request["id"]}))

    def cancel_all(self) -> None:
        with self._lock:
            waiting = list(self._pending.values())
        for pending in waiting:
            self.cancel(pending)

    def stop(self) -> None:
        """`exit`, then SIGTERM, then SIGKILL."""
        with self._lock:
            self._fate = self._fate or WorkerError("The worker was closed.", code="worker_closed")
        self.write(encode({"cmd": "exit", "force": True}))
        for wait_s, harder in ((self._limits.exit_s, self._child.terminate), (TERMINATE_S, self._child.kill)):
            try:
                self._child.wait(wait_s)
                break
            except subprocess.TimeoutExpired:
                harder()
        self._answers.join()

    def _timer(self, wait_s: float, fate: DSUError) -> threading.Timer:
        timer = threading.Timer(wait_s, self._end, [fate])
        timer.daemon = True
        timer.start()
        return timer

    def _end(self, fate: DSUError) -> None:
        """End a process that can no longer be used."""
        with self._lock:
            self._fate = self._fate or fate
        self._child.kill()

    # What it writes --------------------------------------------------------------------------------------------------

    def _read_stderr(self) -> None:
        with _stream(self._child.stderr) as stream:
            while chunk := stream.read(65536):
                self._stderr += chunk
                del self._stderr[:-STDERR_KEPT_BYTES]

    def _read_stdout(self) -> None:
        descriptor = _stream(self._child.stdout).fileno()
        for line in read_lines(lambda: os.read(descriptor, 65536)):
            self._take(line)
        self._gone()

    def _take(self, line: dict[str, Any]) -> None:
        if line["status"] == "ready":
            self._ready = True
            self._start_timer.cancel()
        if line["status"] == "cancel_requested":  # it has the id of the job, which is answered by a line of its own
            return
        with self._lock:
            pending = self._pending.get(str(line.get("id")))
            if pending is None:
                if line["status"] == "error" and not self._ready:  # why the worker cannot start
                    self._fate = self._fate or error_of(line)
                return
            last = pending.is_last(line)
            if last:
                self._forget(pending)
        pending.tell(error_of(line) if last and line["status"] in {"error", "cancelled"} else line)

    def _gone(self) -> None:
        """The process has closed its output: it is ending, or must be ended."""
        self._start_timer.cancel()
        _stream(self._child.stdin).close()
        try:
            status = self._child.wait(TERMINATE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            status = self._child.wait()
        self._errors.join(TERMINATE_S)  # a child of the process may keep it open, but what was written is here
        with self._lock:
            self._over = True
            lost = list(self._pending.values())
            error = self._fate or self._death(status)
            for pending in lost:
                self._forget(pending)
        _stream(self._child.stdout).close()
        for pending in lost:
            pending.tell(error)

    def _forget(self, pending: Pending) -> None:
        del self._pending[pending.request["id"]]
        if pending.patience:
            pending.patience.cancel()

    def _death(self, status: int) -> WorkerError:
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        stderr = self._stderr.decode(errors="replace").strip()
        message = f"The worker ended {how} unexpectedly."
        if stderr:
            message += f" Its last output: {stderr}"
        return WorkerError(message, code="worker_died", exit_code=status, stderr=stderr)


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    """A pipe that was asked for is there; the types cannot know."""
    if stream is None:
        raise RuntimeError("The process was started without its pipes.")
    return stream
