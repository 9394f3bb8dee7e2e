"""Songs on several devices, for `dsu --devices cuda:0,cuda:1 *.wav`: a worker on all of them gets each song as a job.

That worker deals the jobs, starts what has failed again, and computes; here songs become requests, and its lines a report.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import SIGTERM
from types import TracebackType
from typing import IO, Any, Protocol, Self

import msgspec
from msgspec import UNSET

from utils.core.bootstrap import apart, own_command
from utils.core.errors import DeviceUnavailable, DsuError
from utils.core.job import Job
from utils.core.many_files import check_names
from utils.core.replies import Event, FileDone, Separating
from utils.core.requests import IntoFile, Separate
from utils.core.settings import as_words

MOST_WAITING = 16  # songs that the worker has, beyond those that its devices do: a folder may hold many thousands
EXIT_S = 15.0


def _tags(kind: type[msgspec.Struct]) -> Iterator[object]:
    for narrower in kind.__subclasses__():
        yield narrower.__struct_config__.tag
        yield from _tags(narrower)


EVENTS = frozenset(_tags(Event))


class Told(Protocol):
    """What becomes of the songs of a run, and their names, is told here."""

    tracks: dict[Path, str]

    def file_done(self, done: FileDone) -> None: ...

    def note(self, warnings: list[str]) -> None: ...


def separate_on_devices(settings: Mapping[str, Any], request: Separate, job: Job, report: Told) -> list[dict[str, Any]]:
    """The result of each song, as the worker tells it. `settings` are those that were typed.

    Raises `DeviceUnavailable` if no device can be used. What is wrong with a song is told, and the others go on.
    """
    check_names(request, len(report.tracks), job)
    with _OwnWorker(settings) as worker, job.stopped_by(worker.stop):
        report.note(worker.when_ready())
        songs = list(report.tracks.items())
        percents: dict[int, float] = {}
        results: list[dict[str, Any]] = []
        sent = 0
        while len(results) < len(songs):
            while sent < len(songs) and sent - len(results) < MOST_WAITING:
                path, track = songs[sent]
                worker.send({**request_of(request, path, track, sent + 1), "id": sent})
                sent += 1
            line = worker.next_line()
            number = line.get("id")
            if not isinstance(number, int):
                continue
            status = line["status"]
            if status == "progress":
                percents[number] = line["percent"]
            elif status in ("separating", "restoring"):
                job.announce(Separating(input=line["input"]))
            elif status not in EVENTS and status != "cancelled":  # after that the worker ends
                percents[number] = 100.0
                results.append(line)
                for warning in line.get("warnings", ()):
                    job.warn(warning)
                report.file_done(_file_done(songs[number][0], number, line))
            job.progress("files", sum(percents.values()) / 100, len(songs))
    return results


def request_of(request: Separate, path: Path, track: str, index: int) -> dict[str, Any]:
    """The line for one of many songs. The name of its results, which others may have, too, and its number go into the template."""
    *folders, own = track.split("/")
    changes: dict[str, Any] = {"input": str(path), "inputs": None}
    template = request.template_of(None)
    if own != path.stem or "{index}" in template:
        name = request.track_name(own).replace("{", "{{").replace("}", "}}")
        changes["name_template"] = template.replace("{track}", name).replace("{index}", str(index))
    if folders:
        changes["output_dir" if isinstance(request, IntoFile) else "output"] = str(Path(request.folder, *folders))
    fields: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(request, **changes))
    return {name: value for name, value in fields.items() if value is not None}


def _file_done(path: Path, index: int, line: Mapping[str, Any]) -> FileDone:
    if line["status"] != "done":
        told = ("code", "message", "hint", "field", "traceback")
        error = {name: line[name] for name in told if name in line}
        return FileDone(input=str(path), index=index, ok=False, error=error)
    names = ("output_dir", "files", "stems", "paths", "skipped", "model", "elapsed")
    return FileDone(input=str(path), index=index, ok=True, **{name: line.get(name, UNSET) for name in names})


class _OwnWorker:
    """This program once more, as a worker on the devices. It never outlives this process."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - it is this program
                [*own_command(), "--worker", *as_words(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                **apart(),
            )
        except OSError as error:
            raise DsuError(f"No worker could be started: {error.strerror}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """It ends when its input does; where something went wrong, at once and without leaving files."""
        if error is not None:
            self.stop()
        with contextlib.suppress(OSError):
            self._pipe(self._process.stdin).close()
        try:
            self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipe(self._process.stdout).close()

    def stop(self) -> None:
        """Have it cancel everything and end, from any thread and within a signal handler."""
        if sys.platform == "win32":  # what the system offers would end it at once
            threading.Thread(target=self.send, args=({"cmd": "exit", "force": True},), daemon=True).start()
        else:
            self._process.send_signal(SIGTERM)

    def when_ready(self) -> list[str]:
        """What it warns of when it is ready. Raises why it cannot be."""
        while (line := self.next_line())["status"] != "ready":
            if line["status"] == "error":
                kind = DeviceUnavailable if line["code"] == DeviceUnavailable.code else DsuError
                raise kind(line["message"], hint=line.get("hint"), field=line.get("field"))
        return list(line.get("warnings", ()))

    def send(self, request: Mapping[str, Any]) -> None:
        pipe = self._pipe(self._process.stdin)
        with contextlib.suppress(OSError):  # it has ended, which the next line says
            pipe.write(json.dumps(request).encode() + b"\n")
            pipe.flush()

    def next_line(self) -> dict[str, Any]:
        text = self._pipe(self._process.stdout).readline()
        if not text:
            raise DsuError(
                f"The worker ended with status {self._process.wait()} before all songs were done.",
                hint="`dsu doctor` examines the devices.",
            )
        line: dict[str, Any] = json.loads(text)
        return line

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise RuntimeError("the worker has no pipes")
        return pipe
