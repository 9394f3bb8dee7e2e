"""Faults of a disk and of memory that the name of a folder plans: `fail-17-EIO` fails the 17th call on what is below it.

So a worker needs no further channel by which to tell it. In the same way `fail-17-ENOSPC-on` fails all that need room from
the 17th call on, `kill-17` ends the process at the 17th, and the 17th new tensor of a job with the output folder `memory-17`
finds no memory, with `memory-17-on` none of those after it either. What a plan did is in a file `FOLDER.done` beside it, and
for `count-0` the number of calls.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from file_layer import Call

PLAN = re.compile(r".*/(?P<what>count|fail|kill)-(?P<number>\d+)(?:-(?P<error>[A-Z]+))?(?P<on>-on)?(?=/)")
NEED_ROOM = ("open", "write", "make", "link", "sync")


class DiskPlans:
    """Sees the calls of a process, and does what their folders plan."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._write, self._open, self._close = os.write, os.open, os.close  # before they are replaced

    def __call__(self, call: Call) -> None:
        plan = PLAN.match(f"{call.target or call.path}/")
        if plan is None:
            return
        with self._lock:
            self._calls[plan[0]] += 1
            count, number = self._calls[plan[0]], int(plan["number"])
            if plan["what"] == "count" or count == number:
                self._tell(plan[0], str(count) if plan["what"] == "count" else call.name)
        if count == number and plan["what"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if plan["what"] == "fail" and (count == number or (plan["on"] and count > number and call.name in NEED_ROOM)):
            code = getattr(errno, plan["error"])
            raise OSError(code, os.strerror(code), call.path)

    def _tell(self, folder: str, text: str) -> None:
        descriptor = self._open(f"{folder}.done", os.O_WRONLY | os.O_CREAT, 0o666)
        self._write(descriptor, text.encode())
        self._close(descriptor)


def done(folder: Path) -> str | None:
    """The call at which the plan of a folder struck, or their number; None if there were fewer."""
    told = folder.with_name(f"{folder.name}.done")
    return told.read_text() if told.exists() else None


def fail_allocations(engine: Any) -> None:
    """Have the jobs of an engine do what the names of their output folders plan."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Failing(TorchDispatchMode):
        def __init__(self, folder: Path, number: int, *, on: bool) -> None:
            super().__init__()
            self._folder, self._number, self._on, self._count = folder, number, on, 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            returns = func._schema.returns
            if returns and returns[0].alias_info is None:  # neither a view nor the same tensor again
                self._count += 1
                if self._count == self._number:
                    self._folder.with_name(f"{self._folder.name}.done").write_text(str(func))
                if self._count == self._number or (self._on and self._count > self._number):
                    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
            return func(*args, **(kwargs or {}))

    separate = engine.separate

    def planned(request: Any, job: Any, **names: Any) -> Any:
        folder = Path(request.folder)
        plan = re.fullmatch(r"memory-(\d+)(-on)?", folder.name)
        if plan is None:
            return separate(request, job, **names)
        with Failing(folder, int(plan[1]), on=plan[2] is not None):
            return separate(request, job, **names)

    engine.separate = planned
