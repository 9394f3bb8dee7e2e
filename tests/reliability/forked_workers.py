"""Workers without their start-up: a process that has imported everything forks one whenever it is told to.

Such a worker serves the protocol as any other does, and has the faults that `planned_faults` reads from names of folders.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT, ROOT / "tests" / "aids"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from worker_process import WorkerProcess, clean_environment  # noqa: E402 - a helper is found there


class Forge:
    """The process that forks workers, one at a time."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=clean_environment({"OMP_NUM_THREADS": "1"}),
            )

    def start(self, kind: str, models_dir: Path, **settings: Any) -> ForkedWorker:
        """A worker of this kind that is ready."""
        worker = ForkedWorker(self.control, {"kind": kind, "models_dir": str(models_dir), **settings})
        worker.expect("ready")
        return worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        self._process.wait()


class _Forked:
    """As much of a `Popen` as a `WorkerProcess` needs."""

    def __init__(self, control: socket.socket, words: dict[str, Any]) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        socket.send_fds(control, [json.dumps(words).encode()], [theirs_in, theirs_out])
        os.close(theirs_in)
        os.close(theirs_out)
        self._control = control
        self.stdin, self.stdout = os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb")
        self.stderr = open(os.devnull, "rb")  # noqa: SIM115, PTH123
        self.pid = int(control.recv(64))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._control.settimeout(timeout)
            self.returncode = int(self._control.recv(64))
            self._control.settimeout(None)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(9)


class ForkedWorker(WorkerProcess):
    """A worker process that was forked."""

    def __init__(self, control: socket.socket, words: dict[str, Any]) -> None:
        self._attend(_Forked(control, words))


def main(descriptor: int) -> None:
    """Fork a worker for each message, and tell its process and its exit status."""
    from planned_faults import DiskPlans, fail_allocations

    from utils.core import bootstrap

    bootstrap.prepare_process()
    bootstrap.limit_threads(1)
    from file_layer import shown_to

    from utils.core.settings import Settings
    from utils.engine import programs
    from utils.serving.loop import serve
    from workers import WORKERS

    programs.make_engine("dsu", Settings(models_dir=Path(os.devnull)))  # imports all families
    control = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not message:
            return
        pid = os.fork()
        if pid:
            for one in descriptors:
                os.close(one)
            control.send(b"%d\n" % pid)
            control.send(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            continue
        control.close()
        words = json.loads(message)
        vouch_for(Path(words["models_dir"]))
        kind, models_dir = words.pop("kind"), Path(words.pop("models_dir"))
        settings = Settings(
            models_dir=models_dir, device="cpu", threads=1, offline=True, default_precision="fp32", **words
        )

        def make_engine(settings: Settings, name: str = WORKERS[kind].name) -> Any:
            engine = programs.make_engine(name, settings)
            fail_allocations(engine)
            return engine

        with shown_to(DiskPlans()):
            os._exit(serve(WORKERS[kind], settings, make_engine, bootstrap.Streams(*descriptors, os.getppid())))


def vouch_for(models_dir: Path) -> None:
    """Take the models that are there for what this process has read before: a child process for each would take the most time."""
    from utils.store import checkpoints

    for path in models_dir.rglob("*"):
        state = path.stat()
        checkpoints._read_before[path] = (state.st_size, state.st_mtime_ns)


if __name__ == "__main__":
    main(int(sys.argv[1]))
