"""A real worker process and the lines it sends, for tests: start, send, read with a time limit, close."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from utils.core.catalogue import Worker
from workers import WORKERS

ROOT = Path(__file__).resolve().parents[2]
# Long enough for a slow machine under load; a test that is all right never waits that long.
TIMEOUT_S = 180.0


def worker_command(worker: Worker, worker_dir: Path | None = None) -> list[str]:
    """What starts this worker: its script, or its executable where a frozen build is named."""
    if worker_dir is None:
        return [sys.executable, str(ROOT / worker.script)]
    return [str(worker_dir / worker.executable) + (".exe" if sys.platform == "win32" else "")]


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DSU_")}
    return {**kept, **(extra or {})}


def no_constants(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


class WorkerProcess:
    """One process. Every line of its stdout must be a JSON object, or reading fails the test."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        bare: bool = False,
    ) -> None:
        """`env` is added to what the tests themselves have; with `bare` it is all there is."""
        self._attend(
            subprocess.Popen(
                [*command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env or {}) if bare else clean_environment(env),
                cwd=cwd,
            )
        )

    def _attend(self, process: subprocess.Popen) -> None:
        """Read what it says from now on."""
        self.transcript: list[dict] = []
        self.errors = b""
        self._process = process
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._threads = [threading.Thread(target=self._read_lines), threading.Thread(target=self._read_errors)]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def process(self) -> subprocess.Popen:
        return self._process

    @property
    def stderr(self) -> str:
        """What was written to standard error; complete once the process has ended."""
        return self.errors.decode("utf-8", "replace")

    # Talking ------------------------------------------------------------------------------------------------------

    def send(self, *requests: dict) -> None:
        """Send requests, all in one write."""
        self.send_bytes(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    def send_bytes(self, data: bytes) -> None:
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def close_input(self) -> None:
        self._process.stdin.close()

    def read(self, timeout_s: float = TIMEOUT_S) -> dict | None:
        """The next line, or None at the end of the output."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"no line came; so far: {self.transcript}") from None
        if line is None:
            self._lines.put(None)
            return None
        reply = json.loads(line, parse_constant=no_constants)
        assert isinstance(reply, dict), line
        self.transcript.append(reply)
        return reply

    def expect(self, *statuses: str, timeout_s: float = TIMEOUT_S, **fields: object) -> dict:
        """Read on to the next line with one of these statuses, and with these fields."""
        while (reply := self.read(timeout_s)) is not None:
            if reply.get("status") in statuses and fields.items() <= reply.items():
                return reply
        how = f"with status {self.wait()}"  # only now is its standard error complete
        raise AssertionError(f"the output ended {how}, without {statuses}: {self.transcript}; stderr: {self.stderr}")

    def ask(self, timeout_s: float = TIMEOUT_S, **request: object) -> dict:
        """Send one control command and return the next line."""
        self.send(request)
        return self.read(timeout_s)

    def cancel(self, **fields: object) -> dict[str, dict]:
        """Cancel a job: its last line and the answer to the command, by their statuses. Either may come first."""
        self.send({"cmd": "cancel", **fields})
        told: dict[str, dict] = {}
        while not {"cancelled", "cancel_requested"} <= told.keys():
            line = self.expect("cancelled", "cancel_requested", "done", "error")
            assert line["status"].startswith("cancel"), line
            told[line["status"]] = line
        return told

    def rest(self) -> list[dict]:
        """All further lines, to the end of the output."""
        return list(iter(self.read, None))

    # Ending -------------------------------------------------------------------------------------------------------

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """The exit status."""
        status = self._process.wait(timeout_s)
        self._threads[1].join(timeout_s)
        return status

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):  # what was not sent has nobody to go to
                pipe.close()

    def _read_lines(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        for block in iter(lambda: os.read(self._process.stderr.fileno(), 65536), b""):
            self.errors += block


def start_worker(
    name: str, worker_dir: Path | None, models: Path, *flags: str, cwd: Path | None = None, **env: str
) -> WorkerProcess:
    """A worker on the CPU that must not use the network, with a models directory."""
    command = [*worker_command(WORKERS[name], worker_dir), "--worker", "--device", "cpu", "--offline"]
    return WorkerProcess([*command, "--models-dir", str(models), *flags], env=env, cwd=cwd)


def wait_until_ended(pid: int, timeout_s: float = TIMEOUT_S) -> None:
    """Wait for a process that is not our child. One that nobody has asked for its status yet has ended too."""
    deadline = time.monotonic() + timeout_s
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def statuses(replies: Iterable[dict]) -> list[str]:
    return [reply["status"] for reply in replies]


def job_lines(worker: WorkerProcess, *last: str) -> list[dict]:
    """All further lines, up to the first with one of these statuses."""
    lines = [worker.read()]
    while lines[-1]["status"] not in last:
        lines.append(worker.read())
    return lines
