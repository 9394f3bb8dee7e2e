"""Calls a function of ours in a child process with limits, for files that nobody vouches for.

Such a file may crash the library that reads it, or take all memory or time. Then it is the child that ends, and the file gets
one clear error. A child serves one call. It has nothing of this process but a pipe each way, it is told what to call, and gives
back plain data. It is no sandbox: what the user may read and write, it may too.

Standard library only: the child should be there at once.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, Self

from utils.core import cleanup, errors
from utils.core.bootstrap import ISOLATED, THREAD_VARIABLES, is_frozen
from utils.core.errors import DsuError

STEP_S = 0.02
LARGEST_ANSWER_BYTES = 128 << 20

_BASE64 = "base64"
_ROOT = Path(__file__).resolve().parents[2]
_CODE = f"import sys; sys.path.insert(0, {os.fspath(_ROOT)!r}); from utils.core.isolation import serve; serve()"


class Allowance(NamedTuple):
    """What a call may take. (macOS has no limit of memory for processes.)"""

    memory_bytes: int = 1 << 30
    seconds: float = 30.0


class Broken(Exception):
    """There is no answer. The text goes on after "Reading it"."""


USUAL = Allowance()


def call(function: Callable[..., Any], *arguments: Any, allowance: Allowance = USUAL) -> Any:
    """What the function returns for these plain arguments. Cancelling the job of this thread ends the call.

    Raises the `DsuError` that the function raises, and `Broken` if it did not get to an end.
    """
    with Call(function, *arguments, allowance=allowance) as started:
        return started.answer()


class Call:
    """A call that has begun. Use it as a context manager: whatever happens, no process stays behind."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, allowance: Allowance = USUAL) -> None:
        self._allowance = allowance
        self._end_s = time.monotonic() + allowance.seconds
        request = (
            f"{function.__module__}:{function.__qualname__}",
            arguments,
            allowance.memory_bytes,
            allowance.seconds,
        )
        try:
            self._process = subprocess.Popen(  # noqa: S603 - it is this program
                [sys.executable, ISOLATED] if is_frozen() else [sys.executable, "-c", _CODE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what libraries say of a file is not for the user
                env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")},  # each thread of theirs reserves memory
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise DsuError(
                f"No process could be started to read a file of unknown origin: {error.strerror}.",
                hint="Close other programs, or raise the limit of processes.",
            ) from error
        self._job = _confined(self._process, allowance)
        self._undo = contextlib.ExitStack()
        self._undo.enter_context(cleanup.undone_on_exit(self._process.kill))
        self._content = bytearray()
        self._reader = threading.Thread(
            target=self._read, args=(json.dumps(request),), name="dsu-isolated", daemon=True
        )
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._undo.close()
        self._job.close()

    def answer(self) -> Any:
        """Wait for the answer; see `call`."""
        from utils.core.job import current_job  # the child needs nothing of it

        while self._reader.is_alive():
            current_job().checkpoint()
            if time.monotonic() > self._end_s:
                raise self._late()
            self._reader.join(STEP_S)
        if not self._content:
            raise self._reason_of(self._process.wait())
        try:
            kind, *parts = json.loads(self._content, object_hook=_with_bytes)
            if kind == "answer":
                return parts[0]
            if kind == "error":
                name, message, hint, field = parts
                raise getattr(errors, name)(message, hint=hint, field=field)
            raise self._too_large() if kind == "memory" else Broken(str(parts[0]))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise Broken("gave no usable result") from error

    def _read(self, request: str) -> None:
        """Its input stays open: that is how it knows that this process is there."""
        pipe, answer = self._process.stdin, self._process.stdout
        if pipe is not None and answer is not None:
            with contextlib.suppress(OSError):
                pipe.write(request.encode() + b"\n")
                pipe.flush()
            while len(self._content) <= LARGEST_ANSWER_BYTES and (block := answer.read(1 << 20)):
                self._content += block

    def _reason_of(self, status: int) -> Broken:
        late = {-getattr(signal, name) for name in ("SIGALRM", "SIGXCPU") if hasattr(signal, name)}
        if status in late:
            return self._late()
        with contextlib.suppress(ValueError):
            return Broken(f"crashed ({signal.Signals(-status).name})")
        return Broken(f"ended with status {status}")

    def _late(self) -> Broken:
        return Broken(f"took longer than {self._allowance.seconds:g} seconds")

    def _too_large(self) -> Broken:
        return Broken(f"took more than {self._allowance.memory_bytes >> 20} MiB of memory")


# The child ----------------------------------------------------------------------------------------------------------


def serve() -> NoReturn:
    """Answer the request on stdin, and end this process."""
    answer_fd = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # for libraries that print
    place, arguments, memory_bytes, seconds = json.loads(sys.stdin.buffer.readline())
    _limit_this_process(memory_bytes, seconds)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        module, _, name = place.partition(":")
        answer = _encoded("answer", getattr(importlib.import_module(module), name)(*arguments))
    except DsuError as error:
        answer = _encoded("error", type(error).__name__, error.message, error.hint, error.field)
    except MemoryError:
        answer = _encoded("memory")
    except Exception as error:  # noqa: BLE001 - what a file makes of a library is told, whatever it is
        answer = _encoded("failed", f"failed with {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    with open(answer_fd, "wb") as pipe:  # noqa: PTH123 - a descriptor
        pipe.write(answer)
    os._exit(0)  # without the clearing up of libraries


def _encoded(*parts: Any) -> bytes:
    return json.dumps(parts, default=_without_bytes).encode()


def _without_bytes(value: Any) -> dict[str, str]:
    """Bytes as text; `_with_bytes` undoes it."""
    return {_BASE64: base64.b64encode(value).decode()}


def _with_bytes(value: dict[str, Any]) -> Any:
    return base64.b64decode(value[_BASE64]) if value.keys() == {_BASE64} else value


def _end_with_parent() -> None:
    sys.stdin.buffer.read(1)
    os._exit(1)


if sys.platform == "win32":
    from utils.core.job_object import JobObject

    def _confined(process: subprocess.Popen[bytes], allowance: Allowance) -> JobObject:
        """The job object that holds the child, before that knows what to do."""
        return JobObject(process, allowance.memory_bytes, allowance.seconds)

    def _limit_this_process(memory_bytes: int, seconds: float) -> None:
        """Its parent did."""

else:
    import resource

    def _confined(process: subprocess.Popen[bytes], allowance: Allowance) -> contextlib.ExitStack:
        """Nothing: the child limits itself."""
        del process, allowance
        return contextlib.ExitStack()

    def _limit_this_process(memory_bytes: int, seconds: float) -> None:
        """The system ends it, also where C code holds the interpreter and where nobody waits for it any more."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they are meant for the worker
            signal.signal(number, signal.SIG_IGN)
        # What would write a file gets an error, as Python has it; frozen programs would end.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds + 1)
        bounds = {resource.RLIMIT_AS: memory_bytes, resource.RLIMIT_CPU: int(seconds) + 1}
        for kind, bound in {**bounds, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}.items():
            # At its second limit of time a process is killed, and nobody can tell why.
            last = bound + 1 if kind == resource.RLIMIT_CPU else bound
            with contextlib.suppress(OSError, ValueError):  # macOS refuses some; a lower limit is there already
                resource.setrlimit(kind, (bound, last))
