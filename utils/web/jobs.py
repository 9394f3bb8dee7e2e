"""The jobs: their queue, the one that runs, and what became of the others.

A result is a folder named after what determines it: the song's content, the settings, and the models' files. It is made in a
folder of its own and gets its name when it is whole, in one step; a job whose result is there already is done at once. So
whenever the server is killed, a result is there or not, and the job that ran begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from utils.core.typed import convert, decode
from utils.web import asking
from utils.web.asking import Families
from utils.web.child import Died, Line, SongReader
from utils.web.database import Database, Record
from utils.web.events import Broker
from utils.web.folders import Folders
from utils.web.options import WebLimits, WebOptions
from utils.web.problems import Problem, invalid, not_found
from utils.web.shapes import ENDED, ErrorBody, JobView, NewJob, Stem
from utils.web.wav import PART, WavLayout, layout_of
from utils.web.worker import JobWorker

PAUSE_S = 0.25  # between two events about a job
EVERY_S = 0.5  # of a song, that a segment has at least
MOST_DEATHS = 1  # of the worker, after which a job is tried again
DOWNLOAD = "download_model"
RESULT = "result.json"
MIX = "mix"
IDENTITY_S = 10.0


class Key(NamedTuple):
    """The name of a result's folder, the song that it is of, and whether all files of its models were there."""

    name: str
    song: str
    has_models: bool


class Result(msgspec.Struct, kw_only=True):
    """What is kept beside the stems of a result."""

    stems: list[dict[str, Any]]
    settings: dict[str, Any]
    warnings: list[str]
    size_bytes: int


@dataclass
class Running:
    """The job that runs."""

    record: Record
    folder: Path
    percent: float = 0.0
    stage: str = "prepare"
    eta: float | None = None
    sample_rate: int = 0
    channels: int = 0
    frames: int | None = None
    growing: dict[str, str] = field(default_factory=dict)
    ready: list[list[int]] = field(default_factory=list)
    cancelled: bool = False
    failure: Problem | None = None  # for which it is being cancelled

    @property
    def frames_ready(self) -> int:
        return self.ready[0][1] if self.ready and self.ready[0][0] == 0 else 0


@dataclass(frozen=True)
class ReadableStem:
    """A stem's file, and what of it can be read."""

    path: Path
    layout: WavLayout
    ready: list[list[int]] | None = None  # None is all of it
    total: int | None = None  # the samples of each channel that it will have, while it grows

    @property
    def seconds(self) -> float:
        """How long it is, or will be."""
        return (self.total or self.layout.frames) / self.layout.sample_rate

    @property
    def frames_ready(self) -> int:
        """The samples of each channel that are ready from the beginning on."""
        if self.ready is None:
            return self.layout.frames
        prefix = self.ready[0][1] if self.ready and self.ready[0][0] == 0 else 0
        return min(prefix, self.layout.frames)

    @property
    def bytes_ready(self) -> int:
        return self.layout.offset + self.frames_ready * self.layout.frame_bytes

    def has(self, start: int, stop: int) -> bool:
        stretches = [[0, self.layout.frames]] if self.ready is None else self.ready
        return any(begin <= start and stop <= end for begin, end in stretches)


class JobList:
    """All jobs of a server."""

    def __init__(
        self,
        options: WebOptions,
        folders: Folders,
        database: Database,
        worker: JobWorker,
        quick: SongReader,
        slow: SongReader,
        models_dir: Path,
    ) -> None:
        self._folders = folders
        self._database = database
        self._worker = worker
        self._quick = quick
        self._slow = slow
        self._models_dir = str(models_dir)
        self._roots = options.roots
        self.limits: WebLimits = options.limits
        self.families = Families()
        self.broker = Broker(self._snapshot)
        self.running: Running | None = None
        self.finished = {"done": 0, "failed": 0, "cancelled": 0}
        self.reused = 0
        self._records = {record.id: record for record in database.jobs()}
        self._wake = asyncio.Event()
        self._dirty: set[str] = set()
        self._flush: asyncio.TimerHandle | None = None
        self._identities: dict[str, tuple[float, Line]] = {}  # by the fields that name models
        self._decoding = asyncio.Lock()
        for record in self._records.values():
            if record.state == "running":  # the server ended meanwhile
                record.state, record.started = "queued", None
                self._database.save(record)

    # What others see ------------------------------------------------------------------------------------------------

    @property
    def queue(self) -> list[Record]:
        waiting = [record for record in self._records.values() if record.state == "queued"]
        return sorted(waiting, key=lambda record: record.place)

    @property
    def records(self) -> list[Record]:
        return list(self._records.values())

    @property
    def kept_bytes(self) -> int:
        sizes = {record.result: record.size_bytes for record in self._records.values() if record.result}
        return sum(sizes.values())

    def get(self, name: str) -> Record:
        """A job. Raises `Problem`."""
        record = self._records.get(name)
        if record is None:
            raise not_found("job")
        return record

    def job(self, name: str) -> JobView:
        return self._view(self.get(name), self._positions())

    def jobs(self) -> list[JobView]:
        positions = self._positions()
        order = {"queued": 2, "running": 1}
        records = sorted(self._records.values(), key=lambda each: (order.get(each.state, 0), each.ended or each.place))
        return [self._view(record, positions) for record in records]

    def _positions(self) -> dict[str, int]:
        return {record.id: position for position, record in enumerate(self.queue)}

    def _view(self, record: Record, positions: dict[str, int]) -> JobView:
        running = self.running if self.running and self.running.record is record else None
        done = record.state == "done"
        return JobView(
            id=record.id,
            state=record.state,
            title=record.title,
            kind="download" if record.cmd == DOWNLOAD else "separate",
            cmd=record.cmd,
            upload=record.input.get("upload"),
            duration_s=record.input.get("duration_s"),
            model=_text(record.request.get("model")),
            recipe=_text(record.request.get("recipe")),
            position=positions.get(record.id),
            percent=100.0 if done else running.percent if running else 0.0,
            stage=running.stage if running else "",
            eta=running.eta if running else None,
            created=record.created,
            started=record.started,
            ended=record.ended,
            request=record.request,
            settings=record.settings,
            stems=self._stems(record, running),
            ready=running.ready if running else [],
            movable=record.movable,
            reused=record.reused,
            warnings=record.warnings,
            error=convert(record.error, ErrorBody) if record.error else None,
            size_bytes=record.size_bytes,
        )

    @staticmethod
    def _stems(record: Record, running: Running | None) -> list[Stem]:
        if running:
            form = (running.frames, running.sample_rate, running.channels, running.frames_ready)
            found = [(name, *form) for name in running.growing]
        else:
            found = [
                (each["name"], each["frames"], each["sample_rate"], each["channels"], each["frames"])
                for each in record.stems
            ]
        return [
            Stem(
                name=name,
                file=_address(record, number, name),
                frames=frames,
                sample_rate=sample_rate,
                channels=channels,
                frames_ready=ready,
            )
            for number, (name, frames, sample_rate, channels, ready) in enumerate(found)
        ]

    def _snapshot(self, name: str | None) -> list[tuple[str, object]]:
        if name is None:
            return [("job", job) for job in self.jobs()]
        return [("job", self.job(name))] if name in self._records else [("removed", {"job": name})]

    def touch(self, *names: str) -> None:
        """These jobs have changed: tell it, but not too often."""
        self._dirty.update(names)
        if self._flush is None:
            self._tell()

    def _tell(self) -> None:
        self._flush = None
        if not self._dirty:
            return
        positions = self._positions()
        for name in self._dirty & self._records.keys():
            self.broker.publish("job", name, self._view(self._records[name], positions))
        self._dirty.clear()
        self._flush = asyncio.get_running_loop().call_later(PAUSE_S, self._tell)

    # What clients do ------------------------------------------------------------------------------------------------

    async def add(self, new: NewJob, key: str | None) -> tuple[Record, bool]:
        """A new job, and whether it is new: with a key that was used before, it is the job of then. Raises `Problem`."""
        digest = hashlib.sha256(msgspec.json.encode(new, order="deterministic")).hexdigest()
        if key is not None and (known := self._database.job_with_key(key)):
            if known[0] != digest:
                raise Problem(409, "conflict", "This `Idempotency-Key` was used for another request. Use a new one.")
            return self.get(known[1]), False
        source, title = self._input_of(new)
        fields = asking.checked(new.cmd, new.request, self.families)
        record = self._new(new.title or title, new.cmd, source, fields)
        is_there = "upload" in source and self._reuse(record, await self._key(record))  # then nothing has to wait
        if not is_there and len(self.queue) >= self.limits.queued:
            raise Problem(
                429, "busy", f"{self.limits.queued} jobs wait already. Try again later.", headers={"Retry-After": "30"}
            )
        if key is not None and (known := self._database.job_with_key(key)):  # the same request came meanwhile
            return self.get(known[1]), False
        self._enter(record, (key, digest) if key is not None else None)
        return record, True

    def add_download(self, model: str) -> Record:
        """A job that fetches a model; the one that is there already, if there is one."""
        for record in self._records.values():
            if record.cmd == DOWNLOAD and record.request == {"model": model} and record.state not in ENDED:
                return record
        record = self._new(model, DOWNLOAD, {}, {"model": model})
        self._enter(record)
        return record

    def _new(self, title: str, cmd: str, source: dict[str, Any], fields: dict[str, Any]) -> Record:
        place = max((record.place for record in self._records.values()), default=0.0) + 1
        name = secrets.token_hex(8)
        title = "".join(letter for letter in title if letter.isprintable()) or "song"
        return Record(
            id=name,
            state="queued",
            title=title,
            cmd=cmd,
            input=source,
            request=fields,
            created=time.time(),
            place=place,
        )

    def _enter(self, record: Record, key: tuple[str, str] | None = None) -> None:
        self._database.save(record, key)
        self._records[record.id] = record
        self.touch(record.id)
        self._wake.set()

    def _input_of(self, new: NewJob) -> tuple[dict[str, Any], str]:
        given = new.input
        if (given.upload is None) == (given.path is None):
            raise invalid("Give either `upload` or `path`.", "input")
        if given.upload is not None:
            upload = self._database.upload(given.upload)
            if upload is None:
                raise Problem(
                    404, "input_not_found", "There is no such upload. Send the song again.", field="input.upload"
                )
            return {"upload": upload.id, "name": upload.name, "duration_s": upload.duration_s}, Path(upload.name).stem
        path = asking.within(str(given.path), self._roots)
        return {"path": str(path), "name": path.name, "duration_s": None}, path.stem

    def end(self, name: str) -> Record | None:
        """Cancel a job, or remove one that has ended: then there is none any more."""
        record = self.get(name)
        if record.state in ENDED:
            self.remove(record)
            return None
        if self.running and self.running.record is record:
            self.running.cancelled = True
            self._worker.cancel()
        else:
            self._close(record, "cancelled")
        return record

    def remove(self, record: Record) -> None:
        """Forget a job that has ended, and its result, if that is of no other."""
        del self._records[record.id]
        self._database.remove(record)
        if record.result and not any(each.result == record.result for each in self._records.values()):
            self._folders.discard(self._folders.results / record.result)
        self.broker.publish("removed", record.id, {"job": record.id})

    def retry(self, name: str) -> Record:
        """Do a job that has failed or was cancelled once more. Raises `Problem`."""
        record = self.get(name)
        if record.state not in ("failed", "cancelled"):
            raise Problem(409, "conflict", "Only jobs that have failed or were cancelled can be done again.")
        record.state, record.error, record.started, record.ended = "queued", None, None, None
        record.attempts, record.warnings = 0, []
        record.place = max(each.place for each in self._records.values()) + 1
        self._enter(record)
        return record

    def move(self, name: str, position: int) -> Record:
        """Put a job that waits at another place of the queue. Raises `Problem`."""
        record = self.get(name)
        if record.state != "queued":
            raise Problem(409, "conflict", "Only jobs that wait can be moved.")
        others = [each for each in self.queue if each is not record]
        position = min(position, len(others))
        before = others[position - 1].place if position > 0 else (others[0].place - 2 if others else 0.0)
        after = others[position].place if position < len(others) else before + 2
        record.place = (before + after) / 2
        if not before < record.place < after:  # moved so often that no number is left between the two
            others.insert(position, record)
            for place, each in enumerate(others, 1):
                each.place = float(place)
                self._database.save(each)
        self._database.save(record)
        self.touch(*(each.id for each in self.queue))
        return record

    def seek(self, name: str, position_s: float) -> Record:
        """Move the work of the job that runs. Raises `Problem`."""
        record = self.get(name)
        if self.running is None or self.running.record is not record:
            raise Problem(409, "conflict", "This job is not running.")
        if not record.movable:
            raise Problem(
                409,
                "conflict",
                "This job cannot be moved.",
                hint='Send it with "start_at":0; not all models can begin elsewhere.',
            )
        self._worker.seek(position_s)
        return record

    # Doing them -----------------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Do one job after another."""
        while True:
            queue = self.queue
            if not queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            try:
                await self._do(queue[0])
            except Problem as problem:
                self._close(queue[0], "failed", problem)
            except Exception as error:  # noqa: BLE001 - the edge: no job ends the server, or waits forever
                self._close(queue[0], "failed", Problem(500, "internal", f"{type(error).__name__}: {error}"))
            finally:
                self.running = None

    async def _do(self, record: Record) -> None:
        running = self.running = Running(record, self._folders.new_work(record.id))
        record.state, record.started = "running", time.time()
        record.movable = "start_at" in record.request
        self._database.save(record)
        self.touch(record.id, *(each.id for each in self.queue))
        is_separation = record.cmd != DOWNLOAD
        key = await self._key(record) if is_separation else None
        if key and self._reuse(record, key):
            self._close(record, "done")
            return
        line = await self._told_to_worker(running, is_separation=is_separation)
        if line is None:
            record.state, record.started = "queued", None  # once more
            self._database.save(record)
        elif running.failure:
            self._close(record, "failed", running.failure)
        elif line["status"] == "cancelled":
            self._close(record, "cancelled")
        elif line["status"] == "error":
            record.warnings = line.get("warnings") or []
            self._close(record, "failed", Problem.told(line))
        else:
            if key:
                await self._keep(running, line, key)
            self._close(record, "done")

    async def _told_to_worker(self, running: Running, *, is_separation: bool) -> Line | None:
        """The line that ends the job, or None if the worker died of it and it may be tried again. Raises `Problem`."""
        record = running.record
        request = {**asking.for_worker(record.request), "cmd": record.cmd}
        if is_separation:
            request |= {
                "input": str(self._song(record)),
                "output_dir": str(running.folder),
                "format": "wav",
                "pcm_type": "FLOAT",
                "clip": "none",
                "name_template": "{stem}",
                "stream": {"every_s": EVERY_S},
            }
        while True:
            if running.cancelled:
                return {"status": "cancelled"}
            try:
                line = await self._worker.do(request, lambda line: self._follow(running, line))
            except Died as died:
                self._folders.discard(running.folder)
                record.attempts += 1
                if running.cancelled or running.failure:
                    return {"status": "cancelled"}
                if record.attempts > MOST_DEATHS:
                    raise Problem(
                        503,
                        "worker_died",
                        f"The worker died of this job twice. {died}",
                        hint="Try a smaller model or another song.",
                    ) from died
                return None
            if (
                line["status"] == "error"
                and line.get("field") == "start_at"
                and request.pop("start_at", None) is not None
            ):
                record.movable = False  # these models cannot begin elsewhere
                continue
            return line

    def _song(self, record: Record) -> Path:
        if "upload" in record.input:
            return self._folders.uploads / str(record.input["upload"])
        return asking.within(record.input["path"], self._roots)

    def _follow(self, running: Running, line: Line) -> None:
        """A line that the worker sends while it does the job."""
        status = line["status"]
        if status in ("progress", "downloading"):
            running.percent = float(line["percent"])
            running.stage = str(line.get("stage") or "download")
            running.eta = line["eta"]
        elif status == "streaming":
            running.sample_rate, running.channels, running.frames = (
                line["sample_rate"],
                line["channels"],
                line["frames"],
            )
            running.growing, running.ready = dict(line["stems"]), []
            if running.frames and running.frames / running.sample_rate > self.limits.song_s:
                running.failure = self._too_long()
                self._worker.cancel()
        elif status == "segment":
            running.ready = merged(running.ready, line["start"], line["start"] + line["frames"])
            content = {"job": running.record.id, "start": line["start"], "frames": line["frames"]}
            self.broker.publish("segment", running.record.id, content)
        elif status in ("loading_model", "separating", "restoring"):
            running.stage = {"loading_model": "load"}.get(status, "separate")
        self.touch(running.record.id)

    def _too_long(self) -> Problem:
        minutes = self.limits.song_s / 60
        return Problem(413, "too_large", f"The song is longer than the {minutes:g} minutes that this server allows.")

    def _close(self, record: Record, state: Any, problem: Problem | None = None) -> None:
        record.state, record.ended = state, time.time()
        record.error = problem.error if problem else None
        self.finished[state] += 1
        if self.running and self.running.record is record:
            self._folders.discard(self.running.folder)
            self.running = None
        self._database.save(record)
        self.touch(record.id, *(each.id for each in self.queue))

    # Results --------------------------------------------------------------------------------------------------------

    async def _key(self, record: Record, known_for_s: float = IDENTITY_S) -> Key:
        """What a job's result is found by: its song, its settings and the content of its models."""
        source = record.input.get("upload")
        if source is None:
            path = asking.within(record.input["path"], self._roots)
            source = (await self._slow.ask("content", path=str(path)))["sha256"]
        named = asking.models_of(record.request)
        models = json.dumps(named, sort_keys=True)
        told_s, found = self._identities.get(models, (0.0, {}))
        if not found or time.monotonic() - told_s > known_for_s:
            found = await self._quick.ask("identify", named=named, models_dir=self._models_dir)
            self._identities = {models: (time.monotonic(), found)}
        text = "\n".join([source, asking.settings_text(record.cmd, record.request), found["identity"]])
        return Key(hashlib.sha256(text.encode()).hexdigest(), source, not found["missing"])

    def _reuse(self, record: Record, key: Key) -> bool:
        """Give a job the result that is there already."""
        if not self._take(record, key.name):
            return False
        record.reused, record.state = True, "done"
        record.started = record.started or time.time()
        record.ended = time.time()
        self.reused += 1
        return True

    def _take(self, record: Record, name: str) -> bool:
        try:
            data = (self._folders.results / name / RESULT).read_bytes()
            result = decode(data, Result)
        except (OSError, msgspec.DecodeError):
            return False
        record.result, record.stems, record.settings = name, result.stems, result.settings
        record.warnings, record.size_bytes = result.warnings, result.size_bytes
        return True

    async def _keep(self, running: Running, line: Line, key: Key) -> None:
        """Make what the worker has written the result, which the same request finds if its files are still those of the beginning."""
        record, folder = running.record, running.folder
        stems = []
        for name, text in line["paths"].items():
            path = Path(text)
            layout = layout_of(path)
            stems.append({"name": name, "path": path.relative_to(folder).as_posix(), **_facts(layout)})
        settings = {
            **line.get("settings", {}),
            **{name: line[name] for name in ("model", "device", "elapsed", "speed", "duration") if name in line},
        }
        size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        warnings = line.get("warnings") or []
        result = Result(stems=stems, settings=settings, warnings=warnings, size_bytes=size_bytes)
        (folder / RESULT).write_bytes(msgspec.json.encode(result))
        now = await self._key(record, known_for_s=0)
        name = now.name
        # Models that were fetched meanwhile are the first ones. What was replaced may have been read before or after.
        if now.song != key.song or (key.has_models and name != key.name):
            name = hashlib.sha256(f"{name}\n{record.id}".encode()).hexdigest()
        target = self._folders.results / name
        if target.exists():  # not whole, or it would have been used
            self._folders.discard(target)
        folder.rename(target)
        self._take(record, name)

    async def readable(self, name: str, stem: str) -> ReadableStem:
        """A stem, or `mix`, and what of it can be read. Raises `Problem`."""
        record = self.get(name)
        if stem == MIX and not any(each["name"] == MIX for each in record.stems):
            return await self._mix(record)
        running = self.running if self.running and self.running.record is record else None
        names = list(running.growing) if running else [each["name"] for each in record.stems]
        if stem not in names and stem.isascii() and stem.isdigit() and int(stem[:9]) < len(names):
            stem = names[int(stem[:9])]
        if running and stem in running.growing:
            # When it has got its final name, the line that says so may still be on its way.
            growing = Path(running.growing[stem])
            for path in (growing, growing.with_name(PART.sub(r"\1", growing.name))):
                with contextlib.suppress(OSError, ValueError):
                    return ReadableStem(path, layout_of(path), [list(each) for each in running.ready], running.frames)
        for each in record.stems:
            if each["name"] == stem and record.result:
                path = self._folders.results / record.result / each["path"]
                try:
                    return ReadableStem(path, layout_of(path))
                except (OSError, ValueError) as error:
                    raise _gone() from error
        if record.stems or (running and running.growing):
            raise not_found("stem of this job")
        raise Problem(409, "not_ready", "This job has no stems yet.")

    def _grow(self, record: Record, added: Path) -> None:
        """A file was added to the result of a job: it counts, too."""
        for each in self._records.values():
            if record.result and each.result == record.result and added.is_file():
                each.size_bytes += added.stat().st_size
                self._database.save(each)

    async def _mix(self, record: Record) -> ReadableStem:
        """The song, decoded to the rate of the stems; it is kept beside them, or in the folder of the job that runs."""
        running = self.running if self.running and self.running.record is record else None
        if running and running.growing:
            folder, rate, channels = running.folder, running.sample_rate, running.channels
        elif record.result and record.stems:
            first = record.stems[0]
            folder, rate, channels = self._folders.results / record.result, first["sample_rate"], first["channels"]
        else:
            raise Problem(409, "not_ready", "The rate of this job's stems is not known yet.")
        target = folder / f".{MIX}-{rate}-{channels}.wav"
        async with self._decoding:
            if not target.is_file() and folder.is_dir():
                preview = record.request.get("preview") or {}
                try:
                    await self._slow.ask(
                        "decode",
                        path=str(self._song(record)),
                        target=str(target),
                        sample_rate=rate,
                        channels=channels,
                        start_s=float(preview.get("start", 0.0)),
                        duration_s=float(preview.get("duration", 30.0)) if preview else None,
                    )
                except Problem:
                    if folder.is_dir():
                        raise
                else:
                    self._grow(record, target)
        if not target.is_file() and running:  # the job has ended meanwhile, and its folder has another name
            return await self._mix(record)
        if not target.is_file():
            raise _gone()
        return ReadableStem(target, layout_of(target))


def _gone() -> Problem:
    return Problem(410, "gone", "The result is not there any more. Send the job again.")


def _address(record: Record, number: int, stem: str) -> str:
    """Where a stem is. A text that was separated may have a slash in it, which no part of an address can; then it is its number."""
    return f"/v1/jobs/{record.id}/stems/{number if '/' in stem else quote(stem, safe='')}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def merged(stretches: Iterable[list[int]], start: int, stop: int) -> list[list[int]]:
    """These stretches and one more, in order; those that touch are one."""
    found: list[list[int]] = []
    for begin, end in sorted([*map(list, stretches), [start, stop]]):
        if found and begin <= found[-1][1]:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([begin, end])
    return found


def _facts(layout: WavLayout) -> dict[str, int]:
    return {"frames": layout.frames, "sample_rate": layout.sample_rate, "channels": layout.channels}
