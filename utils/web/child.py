"""A process that answers lines with lines: the worker, and the children that read songs.

It is started when it is needed, and again after it has died. No request waits for a process that is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from utils.core.bootstrap import is_frozen
from utils.web.problems import Problem

Line = dict[str, Any]
LONGEST_LINE_BYTES = 64 << 20
STDERR_KEPT_BYTES = 8192
END_S = 2.0
ROOT = Path(__file__).resolve().parents[2]


def program() -> list[str]:
    """What starts the program `dsu`."""
    return [sys.executable] if is_frozen() else [sys.executable, str(ROOT / "workers" / "dsu_worker.py")]


class Died(Exception):
    """The process ended before it answered. The text says how."""


class Child:
    """One process. `told` gets the lines that answer no request; requests are matched by their `id`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        is_last: Callable[[Line], bool] | None = None,
        told: Callable[[Line], None] | None = None,
        gone: Callable[[], None] | None = None,
    ) -> None:
        self._command = list(command)
        self._cwd = cwd
        self._is_last = is_last
        self._told = told
        self._gone = gone
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._ids = itertools.count(1)
        self._waiting: dict[str, tuple[Line, Callable[[Line], None] | None, asyncio.Future[Line]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._stderr = bytearray()
        self._is_over = False
        self.starts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def ask(self, request: Mapping[str, Any], on_line: Callable[[Line], None] | None = None) -> Line:
        """The line that ends a request. Raises `Died`."""
        await self.start()
        name = str(next(self._ids))
        line = {**request, "id": name}
        answer: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
        self._waiting[name] = (line, on_line, answer)
        try:
            self.write(line)
            return await answer
        finally:
            self._waiting.pop(name, None)

    def write(self, line: Mapping[str, Any]) -> None:
        """Send a line to the process if there is one."""
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError, RuntimeError):
                self._process.stdin.write(msgspec.json.encode(line) + b"\n")

    def id_of(self, answers: Callable[[Line], bool]) -> str | None:
        """The id of a request that waits."""
        return next((name for name, (line, _, _) in self._waiting.items() if answers(line)), None)

    async def start(self) -> None:
        async with self._starting:
            if self._reader is not None and self._is_over:  # it has closed its output, and is ending
                await asyncio.shield(self._reader)
            if self._process is not None:
                return
            self._stderr.clear()
            self._is_over = False
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    cwd=self._cwd,
                    limit=LONGEST_LINE_BYTES,
                    **_apart(),
                )
            except OSError as error:
                raise Died(f"It could not be started: {error.strerror}.") from error
            self.starts += 1
            self._reader = asyncio.create_task(self._read(self._process))

    async def stop(self, farewell: Mapping[str, Any] | None = None, patience_s: float = 0.0) -> None:
        """End the process; it is gone afterwards."""
        process, reader = self._process, self._reader
        if process is None or reader is None:
            return
        if farewell is not None:
            self.write(farewell)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(reader), patience_s)
        _kill(process)
        await asyncio.shield(reader)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        errors = asyncio.create_task(self._read_errors(process))
        try:
            while text := await process.stdout.readline():  # type: ignore[union-attr]  # a pipe
                self._take(text)
        except ValueError:  # a line without an end
            pass
        finally:
            self._is_over = True
            try:  # it has closed its output, so it is ending by itself
                status = await asyncio.wait_for(process.wait(), END_S)
            except TimeoutError:
                _kill(process)
                status = await process.wait()
            with contextlib.suppress(TimeoutError):  # its own children may keep the pipe open
                await asyncio.wait_for(errors, 1)
            self._process = None
            reason = Died(self._death(status))
            for _, _, answer in list(self._waiting.values()):
                if not answer.done():
                    answer.set_exception(reason)
            if self._gone:
                self._gone()

    def _take(self, text: bytes) -> None:
        try:
            line = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return
        if not isinstance(line, dict):
            return
        waiting = self._waiting.get(str(line.get("id")))
        if waiting is None:
            if self._told:
                self._told(line)
            return
        _, on_line, answer = waiting
        if self._is_last is None or self._is_last(line):
            if not answer.done():
                answer.set_result(line)
        elif on_line:
            on_line(line)

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        while chunk := await process.stderr.read(65536):  # type: ignore[union-attr]  # a pipe
            self._stderr += chunk
            del self._stderr[:-STDERR_KEPT_BYTES]

    def _death(self, status: int) -> str:
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        last = self._stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return f"It ended {how} unexpectedly." + (f" Its last words: {last}" if last else "")


def _kill(process: asyncio.subprocess.Process) -> None:
    """End a process. asyncio's own `kill` would first ask how it is, and take its status from who waits for that."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.kill(process.pid, signal.SIGKILL)


def _apart() -> dict[str, Any]:
    """A group of its own: Ctrl+C in the terminal is for the server, which ends its children in order."""
    if sys.platform == "win32":
        import subprocess

        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


class SongReader:
    """A child that reads songs, for one request after another, and ends when nobody has needed it for a while."""

    def __init__(self, cwd: Path, *, patience_s: float, idle_s: float = 30.0) -> None:
        self._child = Child([*program(), "serve", "--reader"], cwd=cwd)
        self._patience_s = patience_s
        self._idle_s = idle_s
        self._turn = asyncio.Lock()
        self._end: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    async def ask(self, do: str, **arguments: Any) -> Any:
        """What the child's function returns. Raises `Problem`."""
        async with self._turn:
            if self._end:
                self._end.cancel()
            if self._ending:
                await self._ending
            is_over = False
            try:
                line = await asyncio.wait_for(self._answer({"do": do, "with": arguments}), self._patience_s)
                is_over = True
            except Died as died:
                raise Problem(422, "input_unreadable", f"The process that reads songs failed. {died}") from died
            except TimeoutError as late:
                raise Problem(
                    422,
                    "input_unreadable",
                    f"Reading the song took longer than {self._patience_s:g} s and was given up.",
                ) from late
            finally:
                if not is_over:  # nobody waits for the rest
                    await self._child.stop()
                self._end = asyncio.get_running_loop().call_later(self._idle_s, self._rest)
        if "error" in line:
            raise Problem.told(line["error"])
        return line["answer"]

    async def _answer(self, question: dict[str, Any]) -> Line:
        """What the child says; a second one, if it dies: it may have been killed, which is not the song's fault."""
        try:
            return await self._child.ask(question)
        except Died:
            await self._child.stop()
            return await self._child.ask(question)

    def _rest(self) -> None:
        self._ending = asyncio.ensure_future(self.stop())

    async def stop(self) -> None:
        if self._end:
            self._end.cancel()
        await self._child.stop()
