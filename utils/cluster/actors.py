"""What runs on the machines: an actor fetches songs, and has a worker `dsu --worker` of its own separate them.

The worker is a child process: it has the same engine as everywhere, and a song that kills it leaves the actor to tell. While it separates one song, the
actor fetches the next. Nothing that an actor writes is a result before the driver says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec

from utils.cluster.ledger import INCOMING, LOGS, ResultFile
from utils.cluster.plan import BatchJob
from utils.cluster.storage import Options, Store, fetch, said, sync
from utils.core.errors import DsuError
from utils.core.settings import resolve
from utils.store.locks import FileLock
from utils.web.child import Died, SongReader
from utils.web.problems import Problem
from utils.web.worker import JobWorker

READ_PATIENCE_S = 3600.0
LOGGED_LINES = 200
PREFIX, HELD = "dsu-actor-", ".held"  # of temporary folders, and the lock in them


@dataclass(frozen=True)
class Setup:
    """What every actor knows."""

    out: str
    storage: Options
    worker: tuple[str, ...]
    models_dir: str | None
    worker_command: tuple[str, ...] | None
    share_s: float | None = None


class Fetched(NamedTuple):
    """A song that an actor has, and its content."""

    sha256: str
    seconds: float
    length_s: float | None = None  # where songs may be shared


class TryOutcome(NamedTuple):
    """What became of a try. Files lie in the folder of the attempt."""

    files: tuple[ResultFile, ...]
    told: dict[str, Any]  # the worker's `done` or `error`
    seconds: dict[str, float]


@dataclass
class _SongHere:
    path: Path
    folder: Path
    shares: list[dict[str, str]] = field(default_factory=list)  # that are to be joined
    log: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.log.append(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}")
        del self.log[:-LOGGED_LINES]


class Separator:
    """The actor. Its methods are asynchronous: one song is separated and stored while the next is fetched."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._store = Store(setup.out, setup.storage)
        self._work, self._lock = _own_folder()
        self._worker = JobWorker(setup.worker, self._work, setup.worker_command)
        self._reader = SongReader(self._work, patience_s=READ_PATIENCE_S)
        self._songs: dict[str, _SongHere] = {}

    async def describe(self) -> dict[str, Any]:
        """Where it is, once its worker can work; or why that cannot."""
        where = {"host": socket.gethostname(), "pid": os.getpid()}
        try:
            await self._worker.ask({"cmd": "get_status"})
        except Problem as problem:
            return {**where, "fault": problem.error["message"]}
        return where

    async def identify(self, models: str) -> str:
        """What identifies the models' files on this machine. Those that can be downloaded are, so that they do."""
        named = msgspec.json.decode(models)
        folder = str(resolve({"models_dir": self._setup.models_dir}).models_dir)
        answer = await self._reader.ask("identify", named=named, models_dir=folder)
        if answer["missing"] and "--offline" not in self._setup.worker:
            for name in answer["missing"]:
                with contextlib.suppress(Died, Problem):  # the songs that need it will tell
                    await self._worker.do({"cmd": "download_model", "model": name}, lambda _: None)
            answer = await self._reader.ask("identify", named=named, models_dir=folder)
        return str(answer["identity"])

    async def fetch(self, job: BatchJob, attempt: str) -> Fetched | TryOutcome:
        """Get a song, and say what is in it."""
        started = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="song-", dir=self._work))
        suffix = PurePosixPath(job.found.url).suffix
        song = self._songs[attempt] = _SongHere(folder, folder)
        try:
            song.path = await asyncio.to_thread(fetch, job.found.url, folder / f"song{suffix}", self._setup.storage)
            sha256 = await asyncio.to_thread(_sha256, song.path)
        except FileNotFoundError:
            return await self._failed(
                job, attempt, _error("input_not_found", f"There is no file `{job.found.url}` any more.")
            )
        except PermissionError as error:
            return await self._failed(
                job, attempt, _error("input_unreadable", f"`{job.found.url}` may not be read: {said(error)}.")
            )
        except Exception as error:  # noqa: BLE001 - the edge to file systems
            return await self._failed(
                job, attempt, _error("fetch_failed", f"`{job.found.url}` could not be fetched: {said(error)}.")
            )
        try:
            song.shares = await asyncio.to_thread(self._shares, job, folder)
        except Exception as error:  # noqa: BLE001 - the edge to file systems
            lost = _error("fetch_failed", f"They could not be fetched: {said(error)}.")
            return await self._failed(job, attempt, {**lost, "field": "shares"})
        song.note(f"Fetched {job.found.url} ({job.found.size_bytes} bytes, SHA-256 {sha256}).")
        length_s = None
        if self._setup.share_s is not None and not job.is_alone and job.whole is None:
            with contextlib.suppress(Problem):  # the worker will say what is wrong with it
                length_s = (await self._reader.ask("probe", path=str(song.path)))["duration_s"]
        return Fetched(sha256, time.monotonic() - started, length_s)

    async def separate(self, job: BatchJob, attempt: str) -> TryOutcome:
        """Separate a song that was fetched, and store its stems."""
        song = self._songs[attempt]
        started = time.monotonic()
        # On a disk the stems are written where they stay; the driver then only renames them.
        folder = self._store.folder / INCOMING / attempt if self._store.folder else song.folder / "stems"
        try:
            await asyncio.to_thread(functools.partial(folder.mkdir, parents=True, exist_ok=True))
        except OSError as error:
            return await self._failed(
                job, attempt, _error("store_failed", f"The stems could not be stored: {said(error)}.")
            )
        request = {
            "name_template": "{stem}",
            **job.request,
            "cmd": "separate",
            "input": str(song.path),
            "output_dir": str(folder),
        }
        if job.is_small:
            request["batch_size"] = 1
        if song.shares:
            request["shares"] = song.shares
        line = await self._told(song, request)
        separated = time.monotonic()
        if line["status"] != "done":
            return await self._failed(job, attempt, line)
        try:
            files = await asyncio.to_thread(self._stored, folder, attempt, line)
        except Exception as error:  # noqa: BLE001 - the edge to file systems
            return await self._failed(
                job, attempt, _error("store_failed", f"The stems could not be stored: {said(error)}.")
            )
        seconds = {"separate": separated - started, "store": time.monotonic() - separated}
        song.note(f"Done in {seconds['separate']:.2f} s.")
        await self._end(job, attempt)
        return TryOutcome(files, _facts(line), seconds)

    async def forget(self, job: BatchJob, attempt: str) -> None:
        """The song is not needed here."""
        await self._end(job, attempt)

    async def stop(self) -> None:
        """End the children, and leave nothing behind."""
        await self._worker.stop()
        await self._reader.stop()
        await asyncio.to_thread(shutil.rmtree, self._work, ignore_errors=True)
        self._lock.release()

    async def _told(self, song: _SongHere, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The worker's last line about a job. If it dies, that is an error, too."""

        def hear(line: Mapping[str, Any]) -> None:
            if line.get("status") not in ("progress", "segment", "streaming", "downloading"):
                song.note(msgspec.json.encode(line).decode())

        song.note(f"To the worker: {msgspec.json.encode(request).decode()}")
        try:
            line = await self._worker.do(request, hear)
        except Died as died:
            return _error("worker_died", f"The worker died of this song. {died}")
        except Problem as problem:  # it cannot be started
            return {"status": "error", **problem.error}
        if line["status"] == "error" and line.get("code") in ("out_of_memory", "device_lost"):
            await self._worker.stop()  # the next job begins with all that there is
        return line

    async def _failed(self, job: BatchJob, attempt: str, line: Mapping[str, Any]) -> TryOutcome:
        song = self._songs[attempt]
        song.note(msgspec.json.encode(line).decode())
        with contextlib.suppress(Exception):  # the next driver removes it as well
            await asyncio.to_thread(self._store.remove, f"{INCOMING}/{attempt}")
        await self._end(job, attempt)
        return TryOutcome((), _facts(line), {})

    async def _end(self, job: BatchJob, attempt: str) -> None:
        song = self._songs.pop(attempt, None)
        if song is None:
            return
        with contextlib.suppress(Exception):  # a log that cannot be written fails no song
            text = "\n".join(song.log) + "\n"
            name = f"{LOGS}/{job.number // 1000:04d}/{job.number:07d}-{job.tries + job.losses + 1}.log"
            await asyncio.to_thread(self._store.write, name, text.encode())
        await asyncio.to_thread(shutil.rmtree, song.folder, ignore_errors=True)

    def _shares(self, job: BatchJob, folder: Path) -> list[dict[str, str]]:
        """The files of the shares of a song, on this machine."""
        found = []
        for number, share in enumerate(job.shares, 1):
            paths = {stem: folder / f"share{number}" / f"{index}.wav" for index, stem in enumerate(share)}
            for path in paths.values():
                path.parent.mkdir(exist_ok=True)
            found.append(
                {
                    stem: str(fetch(self._store.address(name), paths[stem], self._setup.storage))
                    for stem, name in share.items()
                }
            )
        return found

    def _stored(self, folder: Path, attempt: str, line: Mapping[str, Any]) -> tuple[ResultFile, ...]:
        """The files that the worker has written, safely in the folder of the attempt."""
        stems = {Path(path): stem for stem, path in line.get("paths", {}).items()}
        files = []
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            name = path.relative_to(folder)
            if name.parts[0] == ".dsu":
                continue
            if self._store.folder is not None:
                sync(path)
            else:
                self._store.put(path, f"{INCOMING}/{attempt}/{name.as_posix()}")
            files.append(ResultFile(name.as_posix(), stems.get(path), _sha256(path), path.stat().st_size))
        return tuple(files)


def _own_folder() -> tuple[Path, FileLock]:
    """A temporary folder, held by a lock. Those of actors that were killed are removed."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = FileLock(left / HELD)
        with contextlib.suppress(DsuError):  # it is somebody else's
            if (left / HELD).exists() and lock.try_acquire():
                shutil.rmtree(left, ignore_errors=True)
                lock.release()
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = FileLock(folder / HELD)
        if lock.try_acquire():  # or another one took it for one that was left
            return folder, lock


def _error(code: str, message: str) -> dict[str, Any]:
    return {"status": "error", "code": code, "message": message}


FACTS = (
    *("status", "code", "message", "hint", "field", "warnings", "duration", "elapsed", "speed", "sample_rate", "model"),
    *("device", "gain", "timing", "settings"),
)


def _facts(line: Mapping[str, Any]) -> dict[str, Any]:
    """What of a line is kept."""
    return {name: line[name] for name in FACTS if line.get(name) is not None}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
