"""A server of `dsu serve` as a process of its own, and a client of it made of the standard library."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests" / "aids" / "fake_web_worker.py"
# With another worker than the program's own, or with other limits.
CODE = """
import sys, dataclasses
sys.path.insert(0, {root!r})
from utils.web import options, program
read = options.read(sys.argv[1], sys.argv[2:])
limits = dataclasses.replace(read.limits, **{limits!r})
read = dataclasses.replace(read, worker_command={command!r}, limits=limits)
sys.exit(program.serve(read, sys.argv[1]))
"""
PATIENCE_S = 120.0


class Answer:
    """What came back."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]


class WebServer:
    """A running server. Use it as a context manager."""

    def __init__(self, data, *words, fake=True, program="dsu serve", **limits):
        command = (sys.executable, str(FAKE)) if fake else None
        code = CODE.format(root=str(ROOT), limits=limits, command=command)
        self.data = Path(data)
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - read after its end, too
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, program, "--data", str(data), "--port", "0", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            start_new_session=True,
        )
        line = self.process.stdout.readline()
        found = re.search(r"listens on http://[^ ]*:(\d+)/(?:\?token=(\S+))?", line)
        if found is None:
            self.process.wait()
            self._end()
            raise AssertionError(line + self.stderr)
        self.port, self.token = int(found[1]), found[2]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    @property
    def stderr(self):
        """What it has written to its standard error; also after its end."""
        if not self.errors.closed:
            self.errors.seek(0)
            self._said = self.errors.read().decode()
        return self._said

    def _end(self):
        self._said = self.stderr
        self.errors.close()
        self.process.stdout.close()

    def stop(self, number=signal.SIGTERM):
        """End the process by a signal, and return its status."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            self._end()

    def connect(self, timeout=PATIENCE_S):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, *, headers=None, token=True, **more):
        """The answer to a request; a dict is sent as JSON."""
        connection = self.connect()
        told = {"Authorization": f"Bearer {self.token}"} if token else {}
        told |= {name.replace("_", "-"): value for name, value in more.items()} | (headers or {})
        if isinstance(body, dict):
            body = json.dumps(body)
        try:
            connection.request(method, path, body, told)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.ask("POST", path, body, **more)

    def upload(self, path, name="song.wav"):
        """The id of a song; sent again while too many others are sent."""
        data = Path(path).read_bytes()
        found = until(lambda: self.post(f"/v1/uploads?name={name}", data), lambda found: found.status != 429)
        assert found.status == 201, found.body
        return found.json["id"]

    def add(self, upload, key=None, **request):
        """A new job."""
        headers = {"Idempotency-Key": key} if key else {}
        found = self.post("/v1/jobs", {"input": {"upload": upload}, "request": request}, headers=headers)
        assert found.status in (200, 202), found.body
        return found.json

    def job(self, name):
        return self.get(f"/v1/jobs/{name}").json

    def until(self, name, condition):
        """The job once it is like this."""
        return until(lambda: self.job(name), condition)

    def ended(self, name):
        """The job once it has ended."""
        return self.until(name, lambda job: job["state"] in ("done", "failed", "cancelled"))

    def go_on(self):
        """Let slow jobs of the fake worker go on."""
        (self.data / "go-on").touch()


class Listener:
    """Listens to events on a thread of its own."""

    def __init__(self, server, path="/v1/events", last_id=None):
        self.events = []
        self._connection = server.connect()
        headers = {"Authorization": f"Bearer {server.token}"} | ({"Last-Event-ID": last_id} if last_id else {})
        self._connection.request("GET", path, headers=headers)
        self.response = self._connection.getresponse()
        if self.response.status != 200:
            self.response.close()
            self._connection.close()
        assert self.response.status == 200
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        event = {}
        with contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
            while line := self.response.readline():
                text = line.decode().rstrip("\n")
                if not text and "data" in event:
                    event["data"] = json.loads(event["data"])
                    self.events.append(event)
                    event = {}
                elif ": " in text and not text.startswith(":"):
                    name, _, value = text.partition(": ")
                    event[name] = value

    def kinds(self, kind):
        return [event["data"] for event in self.events if event.get("event") == kind]

    def close(self):
        with contextlib.suppress(OSError, AttributeError):
            self._connection.sock.shutdown(2)
        self._connection.close()
        self._thread.join(PATIENCE_S)
        self.response.close()


def until(get, condition):
    """What `get` gives once that is like this; the test fails if it never is."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition(value := get()):
        assert time.monotonic() < end_s, value
        time.sleep(0.02)
    return value


def write_song(path, seconds=1.0, *, rate=8000, seed=0):
    """A song of 16 bits, one channel. Its samples are a ramp, so that each tells where it is."""
    count = int(seconds * rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(
            b"".join(
                ((index * 7 + seed * 13) % 20000 - 10000).to_bytes(2, "little", signed=True) for index in range(count)
            )
        )
    return Path(path)


def children_of(pid):
    """The processes that a process has started."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children()
    return []


def is_alive(pid):
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return True
    return False
