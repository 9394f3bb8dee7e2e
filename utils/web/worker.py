"""The worker `dsu`, which does the jobs one after another and answers questions meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from utils.web.child import Child, Died, Line, program
from utils.web.problems import Problem

EVENTS = frozenset(
    {
        *("loading_model", "preloading_model", "separating", "restoring", "denoising"),
        *("progress", "downloading", "streaming", "segment", "file_done"),
    }
)
JOBS = frozenset({"separate", "apollo", "download_model"})
EXIT_PATIENCE_S = 5.0
CANCEL_PATIENCE_S = 30.0
QUESTION_PATIENCE_S = 120.0


class JobWorker:
    """One process of the worker. A job is told to it when its turn has come, never before."""

    def __init__(self, options: Sequence[str], cwd: Path, command: Sequence[str] | None = None) -> None:
        self._child = Child(
            [*(command or program()), "--worker", *options],
            cwd=cwd,
            is_last=self._is_last,
            told=self._told,
            gone=self._died,
        )
        self._error: Line | None = None
        self._patience: asyncio.Task[None] | None = None
        self.facts: Line = {}  # what it said when it was ready

    @property
    def state(self) -> Literal["starting", "ready", "stopped"]:
        if self._child.pid is None and self._child.starts:
            return "stopped"
        return "ready" if self.facts else "starting"

    @property
    def fault(self) -> str | None:
        """Why it cannot be started, if that is so."""
        return str(self._error.get("message")) if self._error else None

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def starts(self) -> int:
        return self._child.starts

    async def start(self) -> None:
        with contextlib.suppress(Died):
            await self._child.start()

    async def ask(self, request: Mapping[str, Any]) -> Line:
        """The answer to a question. Raises `Problem`."""
        try:
            line = await asyncio.wait_for(self._child.ask(request), QUESTION_PATIENCE_S)
        except Died as died:
            raise self._problem(died) from died
        except TimeoutError as late:
            raise Problem(503, "worker_silent", "The worker did not answer in time. Try again.") from late
        if line["status"] == "error":
            raise Problem.told(line)
        return line

    async def do(self, request: Mapping[str, Any], on_line: Callable[[Line], None]) -> Line:
        """The line that ends a job: `done`, `error`, `cancelled`, … Raises `Died`, and `Problem` if it cannot start."""
        try:
            return await self._child.ask(request, on_line)
        except Died as died:
            if self._error:
                raise self._problem(died) from died
            raise
        finally:
            if self._patience:
                self._patience.cancel()
                self._patience = None

    def cancel(self) -> None:
        """Cancel the job. If that takes too long, the process is ended."""
        name = self._child.id_of(lambda line: line["cmd"] in JOBS)
        if name is not None and self._patience is None:
            self._child.write({"cmd": "cancel", "id": name})
            self._patience = asyncio.ensure_future(self._end_late())

    def seek(self, position_s: float) -> None:
        """Move the work of the job to another place."""
        self._child.write({"cmd": "seek", "position": position_s})

    async def stop(self) -> None:
        await self._child.stop({"cmd": "exit", "force": True}, EXIT_PATIENCE_S)

    async def _end_late(self) -> None:
        await asyncio.sleep(CANCEL_PATIENCE_S)
        await self._child.stop()

    @staticmethod
    def _is_last(line: Line) -> bool:
        status = line.get("status")
        # The answer to a `cancel` has the id of the job, which is answered by a line of its own.
        return status not in EVENTS and status != "cancel_requested"

    def _told(self, line: Line) -> None:
        if line.get("status") == "ready":
            self.facts, self._error = line, None
        elif line.get("status") == "loading":
            self.facts, self._error = {}, None
        elif line.get("status") == "error" and not self.facts:  # why it cannot start
            self._error = line

    def _died(self) -> None:
        self.facts = {}

    def _problem(self, died: Died) -> Problem:
        if self._error:
            return Problem.told(self._error)
        return Problem(503, "worker_died", f"The worker is not there. {died}", hint="Try again; it is started anew.")
