"""Kills the web server and its worker at random moments, and looks for what was lost."""

import array
import contextlib
import http.client
import os
import signal
import threading

from web_server import WebServer, children_of, write_song

MOST_QUEUED = 5


class Killing:
    """A data folder, and what was accepted in it. `lost` says what is not as it was promised."""

    def __init__(self, data, chance):
        self._data = data
        self._chance = chance
        self._accepted = {}  # the seeds of jobs by their keys
        self._song = write_song(data.parent / "killed.wav", 0.5)
        self.lost = []
        self.kills = 0

    @property
    def jobs(self):
        """How many were accepted."""
        return len(self._accepted)

    def run(self, kills):
        """Send jobs and kill, so many times; then let all of it be done."""
        while self.kills < kills:
            with WebServer(self._data) as server:
                self._send(server)
                self._kill(server)
        with WebServer(self._data) as server:
            for key, seed in self._accepted.items():
                self._examine(server, key, seed)
        self._look_for_leftovers()

    def _send(self, server):
        """What gets an answer is accepted; what is cut off may be sent again with its key."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            upload = server.upload(self._song)
            for _ in range(self._chance.randrange(1, MOST_QUEUED)):
                seed = self._chance.randrange(1000)
                key = f"key-{len(self._accepted)}"
                server.add(upload, key=key, seed=seed)
                self._accepted[key] = seed

    def _kill(self, server):
        """Kill the server, or its worker and then the server, after a moment."""
        threading.Event().wait(self._chance.uniform(0, 0.3))  # the moment is what is tried: nothing is waited for
        if self._chance.random() < 0.5:
            for child in children_of(server.process.pid):
                with contextlib.suppress(OSError):
                    os.kill(child.pid, signal.SIGKILL)
            threading.Event().wait(self._chance.uniform(0, 0.2))
        server.stop(signal.SIGKILL)
        self.kills += 1

    def _examine(self, server, key, seed):
        """The job of a key is the one that was accepted, is done, and has its stems."""
        upload = server.upload(self._song)
        job = server.ended(server.add(upload, key=key, seed=seed)["id"])
        if job["state"] != "done" or job["request"]["seed"] != seed:
            self.lost.append((key, job["state"], job["error"]))
            return
        samples = array.array("h", self._song.read_bytes()[44:])
        for stem, sign in (("one", 1), ("two", -1)):
            found = array.array("f", server.get(f"/v1/jobs/{job['id']}/stems/{stem}/samples").body)
            if found != array.array("f", [sign * each / 32768 for each in samples]):
                self.lost.append((key, stem, len(found)))

    def _look_for_leftovers(self):
        """Every result is whole."""
        self.lost += [path.name for path in (self._data / "results").iterdir() if not (path / "result.json").is_file()]
