"""The server's addresses and what each does. The OpenAPI document is made from the same table."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import math
import mimetypes
import os
import re
import shutil
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from utils import __version__
from utils.core.catalogue import PURPOSES, family_of
from utils.core.requests import JOINT_FORMATS
from utils.core.settings import resolve
from utils.core.typed import convert, decode
from utils.web import asking, metrics, openapi
from utils.web.asking import number, seconds
from utils.web.child import SongReader
from utils.web.database import Database
from utils.web.folders import Folders
from utils.web.jobs import JobList, ReadableStem
from utils.web.metrics import Measure
from utils.web.openapi import Endpoint
from utils.web.options import WebOptions
from utils.web.problems import Problem, invalid, not_found
from utils.web.security import Guard
from utils.web.sending import FilePart, Passing, part_of
from utils.web.shapes import JobView, JobViews, Moment, NewJob, QueuePlace, RecipeToCheck, ServerHealth, Upload
from utils.web.sweeping import Sweeper
from utils.web.uploads import Uploads, plain_name
from utils.web.worker import JobWorker

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")
QUICK_S, SLOW_S = 120.0, 1800.0  # what a reader may take
MOST_SAMPLES_S = 60
MOST_MOVES = 2  # of a stem while it is read
MOST_PEAKS = 1 << 20
LONGEST_KEY = 200
LONGEST_BODY_BYTES = 1 << 20  # of requests that are no upload
JSON = "application/json"


class WebServer:
    """Everything that a running server has."""

    def __init__(self, options: WebOptions, token: str, port: int) -> None:
        self.options = options
        self.limits = options.limits
        self.folders = Folders(options.data)
        self.database = Database(self.folders.database)
        self.models_dir = resolve({"models_dir": options.models_dir}).models_dir
        self.worker = JobWorker(options.worker, self.folders.work, options.worker_command)
        self.quick = SongReader(self.folders.work, patience_s=QUICK_S)
        self.slow = SongReader(self.folders.work, patience_s=SLOW_S)
        self.uploads = Uploads(self.limits, self.folders, self.database, self.quick)
        self.jobs = JobList(options, self.folders, self.database, self.worker, self.quick, self.slow, self.models_dir)
        self.sweeper = Sweeper(self.limits, self.folders, self.database, self.jobs, self.uploads)
        self.begun_s = time.time()
        self.diagnosis: dict[str, Any] | None = None
        self.formats: dict[str, list[str]] = {}  # of exports, once somebody has asked
        self.described: dict[str, Any] = {}  # by OpenAPI, likewise
        self.endpoints = self._endpoints()
        self.app = Starlette(
            routes=[Route(each.path, each.does, methods=[each.method]) for each in self.endpoints],
            exception_handlers=HANDLERS,
            lifespan=self._living,
        )
        self.guard = Guard(
            self.app,
            token=token,
            port=port,
            names=(*options.names, *(() if options.host in ("0.0.0.0", "::") else (_in_address(options.host),))),  # noqa: S104
            origins=options.origins,
            patience_s=self.limits.patience_s,
        )

    @contextlib.asynccontextmanager
    async def _living(self, app: Starlette) -> AsyncIterator[None]:
        """The work beside the requests, from the start of the server to its end."""
        del app
        tasks = [
            asyncio.create_task(self.jobs.work()),
            asyncio.create_task(self._learn()),
            asyncio.create_task(self.sweeper.work()),
        ]
        try:
            yield
        finally:
            self.jobs.broker.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(self.worker.stop(), self.quick.stop(), self.slow.stop())
            self.database.close()
            self.folders.close()

    async def _learn(self) -> None:
        """Start the worker, and learn which models there are."""
        await self.worker.start()
        with contextlib.suppress(Problem):
            await self._list_models({})

    async def _list_models(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        line = await self.worker.ask({"cmd": "list_models", "details": True, **fields})
        self.jobs.families.types.update({model["name"]: model["type"] for model in line.get("details") or []})
        return line

    # Songs and jobs -------------------------------------------------------------------------------------------------

    async def upload(self, request: Request) -> Response:
        self._require_room(request)
        upload = await self.uploads.take(request.stream(), request.query_params.get("name", "song"))
        return told(upload, 201)

    def _require_room(self, request: Request) -> None:
        length = request.headers.get("content-length", "0")
        size_bytes = int(length) if length.isdigit() and len(length) < 18 else 0
        if size_bytes <= self.limits.upload_bytes:
            self.sweeper.sweep(size_bytes)
        self.uploads.require_room(size_bytes, self.jobs.kept_bytes)

    async def add_job(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key")
        if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
            raise invalid(f"`Idempotency-Key` must have 1 to {LONGEST_KEY} characters.", "idempotency-key")
        kind = request.headers.get("content-type", "")
        if kind.lower().startswith("multipart/form-data"):
            self._require_room(request)
            upload, text = await self.uploads.take_form(request.stream(), kind)
            asked = decoded(text, dict[str, Any]) if text.strip() else {}
            asked = asked if "request" in asked or not asked else {"request": asked}
            new = converted({**asked, "input": {"upload": upload.id}}, NewJob)
        else:
            new = await body_of(request, NewJob)
        record, is_new = await self.jobs.add(new, key)
        return told(self.jobs.job(record.id), 202 if is_new else 200, {"location": f"/v1/jobs/{record.id}"})

    async def list_jobs(self, request: Request) -> Response:
        del request
        return told(JobViews(jobs=self.jobs.jobs()))

    async def show_job(self, request: Request) -> Response:
        return told(self.jobs.job(request.path_params["job"]))

    async def end_job(self, request: Request) -> Response:
        record = self.jobs.end(request.path_params["job"])
        return Response(status_code=204) if record is None else told(self.jobs.job(record.id), 202)

    async def retry_job(self, request: Request) -> Response:
        return told(self.jobs.job(self.jobs.retry(request.path_params["job"]).id), 202)

    async def move_job(self, request: Request) -> Response:
        place = await body_of(request, QueuePlace)
        return told(self.jobs.job(self.jobs.move(request.path_params["job"], place.position).id))

    async def seek_job(self, request: Request) -> Response:
        moment = await body_of(request, Moment)
        return told(self.jobs.job(self.jobs.seek(request.path_params["job"], moment.position_s).id))

    async def events(self, request: Request) -> Response:
        name = request.path_params.get("job")
        if name is not None:
            self.jobs.get(name)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if self.jobs.broker.listeners >= self.limits.listeners:
            raise Problem(429, "busy", "Too many are listening already.", headers={"Retry-After": "10"})
        stream = self.jobs.broker.listen(name, request.headers.get("last-event-id", ""))
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    # Stems ----------------------------------------------------------------------------------------------------------

    async def stem(self, request: Request) -> Response:
        return await self._reading(request, self._stem)

    async def _stem(self, request: Request, found: ReadableStem) -> Response:
        is_whole = found.ready is None
        size = found.path.stat().st_size if is_whole else found.bytes_ready
        tag = f'"{size:x}-{found.path.stat().st_mtime_ns:x}"' if is_whole else ""
        asked = request.headers.get("range")
        if request.headers.get("if-range", tag) != tag:
            asked = None
        return part_of(found.path, size, asked, "audio/wav", total=size if is_whole else None, tag=tag)

    async def _reading(
        self, request: Request, read: Callable[[Request, ReadableStem], Awaitable[Response]]
    ) -> Response:
        """What comes of reading a stem, which may move meanwhile: to its final name, and then to where results are kept."""
        for moves_left in reversed(range(MOST_MOVES + 1)):
            found = await self.jobs.readable(request.path_params["job"], request.path_params["stem"])
            try:
                return await read(request, found)
            except (Problem, FileNotFoundError):
                if not moves_left or found.path.exists():
                    raise
        raise AssertionError

    async def samples(self, request: Request) -> Response:
        return await self._reading(request, self._samples)

    async def _samples(self, request: Request, found: ReadableStem) -> Response:
        layout = found.layout
        start = number(request.query_params, "start", 0, 1 << 48, 0) or 0
        most = MOST_SAMPLES_S * layout.sample_rate
        frames = number(request.query_params, "frames", 1, most, min(most, max(layout.frames - start, 1))) or 0
        stop = min(start + frames, layout.frames) if found.ready is None else start + frames
        if stop <= start or not found.has(start, stop):
            raise Problem(
                416,
                "range",
                "These samples are not there, or not there yet.",
                more={"frames_ready": found.frames_ready, "ready": found.ready or [[0, layout.frames]]},
            )
        first = layout.offset + start * layout.frame_bytes
        last = layout.offset + stop * layout.frame_bytes
        headers = {"x-sample-rate": str(layout.sample_rate), "x-channels": str(layout.channels)}
        return FilePart(found.path, first, last, 200, headers, "audio/x-float32")

    async def peaks(self, request: Request) -> Response:
        return await self._reading(request, self._peaks)

    async def _peaks(self, request: Request, found: ReadableStem) -> Response:
        per_second = number(request.query_params, "per_second", 1, 1000, 50) or 50
        start_s = seconds(request.query_params, "start_s", 0.0)
        stop_s = seconds(request.query_params, "stop_s", found.seconds)
        columns = max(math.ceil((stop_s - start_s) * per_second - 1e-9), 0)
        if columns > MOST_PEAKS:
            raise invalid(
                f"That is more than {MOST_PEAKS} columns. Ask for fewer in a second, or for a part.", "per_second"
            )
        if columns == 0:
            return Response(b"", media_type="application/octet-stream")
        answer = await self.quick.ask(
            "peaks",
            path=str(found.path),
            start_s=start_s,
            columns=columns,
            per_second=per_second,
            ready=found.ready,
            frames=found.layout.frames if found.ready is None else found.total,
        )
        return Response(base64.b64decode(answer["bytes"]), media_type="application/octet-stream")

    async def spectrogram(self, request: Request) -> Response:
        return await self._reading(request, self._spectrogram)

    async def _spectrogram(self, request: Request, found: ReadableStem) -> Response:
        start_s = seconds(request.query_params, "start_s", 0.0)
        stop_s = seconds(request.query_params, "stop_s", found.seconds)
        if stop_s <= start_s:
            raise invalid("`stop_s` must be after `start_s`.", "stop_s")
        answer = await self.quick.ask(
            "spectrogram",
            path=str(found.path),
            start_s=start_s,
            stop_s=stop_s,
            columns=number(request.query_params, "columns", 1, 4096, 800),
            bands=number(request.query_params, "bands", 1, 512, 128),
        )
        return Response(base64.b64decode(answer["bytes"]), media_type="application/octet-stream")

    async def export(self, request: Request) -> Response:
        query = request.query_params
        record = self.jobs.get(request.path_params["job"])
        if record.state != "done" or not record.stems:
            raise Problem(409, "not_ready", "Only the stems of a job that is done can be exported.")
        form = asking.export_of(query, record.request)
        gains = _gains(query["mix"]) if "mix" in query else None
        template = query.get("name_template") or None
        if template and len(template) > LONGEST_KEY:
            raise invalid(f"`name_template` must have {LONGEST_KEY} characters or fewer.", "name_template")
        names = list(
            gains or (query["stems"].split(",") if query.get("stems") else [each["name"] for each in record.stems])
        )
        if form.form in JOINT_FORMATS and gains is None and "mix" not in names:
            names.insert(0, "mix")
        sources = {name: str((await self.jobs.readable(record.id, name)).path) for name in dict.fromkeys(names)}
        needed = sum(os.path.getsize(path) for path in sources.values()) * 2  # noqa: PTH202, ASYNC240 - a local disk
        if self.folders.free_bytes() < self.limits.free_bytes + needed:
            raise Problem(507, "disk_full", "The server has no room for the export. Remove jobs, or try again later.")
        folder = self.folders.new_incoming()
        folder.mkdir()
        self.uploads.coming.add(folder)

        def tidy() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            self.uploads.coming.discard(folder)

        try:
            answer = await self.slow.ask(
                "export",
                sources=sources,
                folder=str(folder),
                title=record.title,
                form=form.form,
                sample=form.sample,
                bitrate=form.bitrate,
                sample_rate=form.sample_rate,
                gains=gains,
                archive=query.get("zip", "0") not in ("0", "false", ""),
                template=template,
                model=str(record.settings.get("model") or record.request.get("model") or "recipe"),
            )
        except BaseException:
            tidy()
            raise
        file = Path(answer["file"])
        if file.suffix == ".zip" or form.form in JOINT_FORMATS:
            name = f"{record.title}{''.join(file.suffixes)}"
        else:
            name = file.name if template else f"{record.title} {file.name}"
        return Passing(file, plain_name(name.replace("/", "-")), _kind_of(file), tidy)

    async def open_folder(self, request: Request) -> Response:
        record = self.jobs.get(request.path_params["job"])
        if not self.options.is_loopback:
            raise Problem(403, "forbidden", "Folders are opened only on the server's own machine.")
        if record.result is None:
            raise Problem(409, "not_ready", "This job has no result yet.")
        program = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
        try:
            await asyncio.create_subprocess_exec(
                program,
                str(self.folders.results / record.result),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            raise Problem(
                501,
                "unsupported",
                f"There is no program `{program}` that opens folders.",
                more={"folder": record.result},
            ) from error
        return Response(status_code=204)

    # Models, recipes, and what the server is ------------------------------------------------------------------------

    async def models(self, request: Request) -> Response:
        query = request.query_params
        fields: dict[str, Any] = {"purpose": query.get("for"), "speed": query.get("speed"), "model": query.get("model")}
        if "installed" in query:
            fields["installed"] = query["installed"] in ("1", "true", "yes")
        if query.get("commercial_use") in ("1", "true", "yes"):
            fields["commercial_use"] = True
        line = await self._list_models({name: value for name, value in fields.items() if value is not None})
        models = [{**model, "family": family_of(model["type"])} for model in line.get("details", [])]
        purposes = {purpose: facts.meaning for purpose, facts in PURPOSES.items()}
        return told({"models": models, "purposes": purposes, "warnings": line.get("warnings", [])})

    async def download(self, request: Request) -> Response:
        name = request.path_params["model"]
        known = await self._list_models({"model": name})
        if not known.get("details"):
            raise not_found("model")
        return told(self.jobs.job(self.jobs.add_download(name).id), 202)

    async def recipes(self, request: Request) -> Response:
        del request
        line = await self.worker.ask({"cmd": "list_recipes"})
        return told({"recipes": line["recipes"], "warnings": line.get("warnings", [])})

    async def recipe(self, request: Request) -> Response:
        name = request.path_params["recipe"]
        if asking.is_path(name):
            raise not_found("recipe")
        line = await self.worker.ask({"cmd": "list_recipes", "recipe": name})
        shown = await self.quick.ask("show", name=name, models_dir=str(self.models_dir))
        return told({**line["recipes"][0], **shown})

    async def check_recipe(self, request: Request) -> Response:
        asked = await body_of(request, RecipeToCheck)
        if (asked.text is None) == (asked.recipe is None):
            raise invalid("Give either `text` or `recipe`.", "text")
        try:
            found = await self.quick.ask("check", text=asked.text, recipe=asked.recipe, models_dir=str(self.models_dir))
            asking.refuse_files(found["document"], "recipe")
        except Problem as problem:
            if problem.status != 422 or problem.code == "input_unreadable":  # the second is said of the child itself
                raise
            line = re.search(r"\bline (\d+)", problem.message)
            return told({"ok": False, "error": {**problem.error, **({"line": int(line[1])} if line else {})}})
        return told({"ok": True, **found})

    async def schema(self, request: Request) -> Response:
        family = request.query_params.get("family")
        if family not in (None, *openapi.FAMILIES):
            raise invalid(f"`family` must be one of {', '.join(openapi.FAMILIES)}.", "family")
        return told(openapi.request_schema() if family is None else openapi.family_schema(family))

    async def health(self, request: Request) -> Response:
        del request
        state = self.worker.state
        return told(
            ServerHealth(
                ok=self.worker.fault is None,
                worker=state,
                queued=len(self.jobs.queue),
                running=self.jobs.running is not None,
            )
        )

    async def status(self, request: Request) -> Response:
        del request
        line = await self.worker.ask({"cmd": "get_status"})
        self.formats = self.formats or await self.quick.ask("formats")
        about = {name: value for name, value in line.items() if name not in ("status", "id")}
        about |= {
            "version": __version__,
            "models_dir": str(self.models_dir),
            "formats": self.formats,
            "loopback": self.options.is_loopback,
            "disk": {
                "used_bytes": self.jobs.kept_bytes + self.uploads.kept_bytes,
                "limit_bytes": self.limits.disk_bytes,
                "free_bytes": self.folders.free_bytes(),
            },
            "server": {
                "uptime": time.time() - self.begun_s,
                "limits": {
                    "upload_bytes": self.limits.upload_bytes,
                    "song_s": self.limits.song_s,
                    "queued": self.limits.queued,
                    "keep_s": self.limits.keep_s,
                },
            },
        }
        return told(about)

    async def examine(self, request: Request) -> Response:
        del request
        line = await self.worker.ask({"cmd": "doctor", "progress": False})
        self.diagnosis = {name: value for name, value in line.items() if name not in ("status", "id")}
        return told(self.diagnosis)

    async def show_diagnosis(self, request: Request) -> Response:
        del request
        return told(self.diagnosis)

    async def measures(self, request: Request) -> Response:
        del request
        return Response(metrics.text(self._measures()), media_type="text/plain; version=0.0.4")

    def _measures(self) -> Iterator[Measure]:
        """All measures, as they are now."""
        jobs, uploads = self.jobs, self.uploads
        yield Measure("dsu_info", "gauge", "The version of the server.", {f'version="{__version__}"': 1})
        yield Measure("dsu_uptime_seconds", "gauge", "Since the server was started.", time.time() - self.begun_s)
        yield Measure("dsu_jobs_queued", "gauge", "Jobs that wait.", len(jobs.queue))
        yield Measure("dsu_jobs_running", "gauge", "Jobs that run.", int(jobs.running is not None))
        ended = {f'state="{state}"': float(count) for state, count in jobs.finished.items()}
        yield Measure("dsu_jobs_ended_total", "counter", "Jobs that have ended.", ended)
        yield Measure("dsu_jobs_reused_total", "counter", "Jobs whose result was there already.", jobs.reused)
        yield Measure("dsu_uploads_total", "counter", "Songs that were received.", uploads.received)
        yield Measure("dsu_upload_bytes_total", "counter", "Their bytes.", uploads.received_bytes)
        yield Measure("dsu_uploads_coming", "gauge", "Songs on their way.", len(uploads.coming))
        yield Measure("dsu_listeners", "gauge", "Open event streams.", jobs.broker.listeners)
        yield Measure("dsu_refused_total", "counter", "Requests that were kept out.", self.guard.refused)
        yield Measure("dsu_worker_starts_total", "counter", "How often the worker was started.", self.worker.starts)
        yield Measure("dsu_worker_ready", "gauge", "Whether the worker is ready.", int(self.worker.state == "ready"))
        kept = {'what="results"': float(jobs.kept_bytes), 'what="uploads"': float(uploads.kept_bytes)}
        yield Measure("dsu_kept_bytes", "gauge", "What is kept on the disk.", kept)
        yield Measure("dsu_free_bytes", "gauge", "What is free on the disk.", self.folders.free_bytes())
        yield Measure(
            "process_resident_memory_bytes", "gauge", "Memory of the server itself.", metrics.resident_bytes()
        )

    async def document(self, request: Request) -> Response:
        del request
        self.described = self.described or openapi.document(self.endpoints)
        return told(self.described)

    async def page(self, request: Request) -> Response:
        """A file of the page. Names are looked up among the files that are there, so none leads elsewhere."""
        name = request.path_params.get("file", "index.html")
        folder = self.options.page
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")} if folder else {}
        path = files.get(f"assets/{name}" if "file" in request.path_params else name)
        if path is None or not path.is_file() or path.is_symlink():
            if "file" in request.path_params:
                raise not_found("file")
            return Response(
                f"DSU {__version__}. This server has no page; its API is described by /openapi.json.\n",
                media_type="text/plain",
            )
        kept = "public, max-age=31536000, immutable" if "file" in request.path_params else "no-cache"
        return FileResponse(path, headers={"cache-control": kept}, media_type=_kind_of(path))

    def _endpoints(self) -> list[Endpoint]:
        binary = "application/octet-stream"
        part = {"start_s": "Where it begins, in seconds.", "stop_s": "Where it ends."}
        stem = "/v1/jobs/{job}/stems/{stem}"
        return [
            Endpoint(
                "POST",
                "/v1/uploads",
                self.upload,
                "Send a song: its bytes are the body.",
                {201: Upload},
                binary,
                {"name": "Name of the file."},
            ),
            Endpoint(
                "POST",
                "/v1/jobs",
                self.add_job,
                "Add a job to the queue; as a form, with its song in `file`.",
                {202: JobView, 200: JobView},
                NewJob,
                headers={"Idempotency-Key": "A request that is sent again with the same key makes no second job."},
            ),
            Endpoint("GET", "/v1/jobs", self.list_jobs, "All jobs.", {200: JobViews}),
            Endpoint("GET", "/v1/jobs/{job}", self.show_job, "A job.", {200: JobView}),
            Endpoint(
                "DELETE",
                "/v1/jobs/{job}",
                self.end_job,
                "Cancel a job, or remove one that has ended.",
                {202: JobView, 204: ""},
            ),
            Endpoint(
                "POST",
                "/v1/jobs/{job}/retry",
                self.retry_job,
                "Do a job again that failed or was cancelled.",
                {202: JobView},
            ),
            Endpoint(
                "POST", "/v1/jobs/{job}/move", self.move_job, "Move a job that waits.", {200: JobView}, QueuePlace
            ),
            Endpoint(
                "POST",
                "/v1/jobs/{job}/seek",
                self.seek_job,
                "Move the work of a job that runs.",
                {200: JobView},
                Moment,
            ),
            Endpoint(
                "GET",
                "/v1/events",
                self.events,
                "What happens to all jobs, as server-sent events.",
                {200: "text/event-stream"},
                headers={"Last-Event-ID": "Go on after this event."},
            ),
            Endpoint(
                "GET",
                "/v1/jobs/{job}/events",
                self.events,
                "What happens to a job, as server-sent events.",
                {200: "text/event-stream"},
                headers={"Last-Event-ID": "Go on after this event."},
            ),
            Endpoint(
                "GET",
                stem,
                self.stem,
                "A stem, or `mix`, as a WAV file of floats, which grows while the job runs.",
                {200: "audio/wav", 206: "audio/wav"},
                headers={"Range": "A part of it."},
            ),
            Endpoint(
                "GET",
                f"{stem}/samples",
                self.samples,
                "Samples of a stem: 32-bit floats, least significant byte first, interleaved.",
                {200: "audio/x-float32"},
                query={"start": "First sample of each channel.", "frames": "How many; at most 60 s."},
            ),
            Endpoint(
                "GET",
                f"{stem}/peaks",
                self.peaks,
                "The lowest and the highest sample of each column, as pairs of int8.",
                {200: binary},
                query={"per_second": "Columns in a second.", **part},
            ),
            Endpoint(
                "GET",
                f"{stem}/spectrogram",
                self.spectrogram,
                "The level of each band in each column, one byte each: 0 is -90 dB, 255 is 0 dB.",
                {200: binary},
                query={"columns": "How many columns.", "bands": "How many bands of the mel scale.", **part},
            ),
            Endpoint(
                "GET",
                "/v1/jobs/{job}/export",
                self.export,
                "The stems as files of another format, or a mix of them.",
                {200: binary},
                query={
                    "stems": "Their names, with commas; by default all.",
                    "mix": "Instead: `NAME:GAIN:PAN` of each stem of a mix, with commas.",
                    "format": "As in the protocol.",
                    "sample": "Sample type.",
                    "bitrate": "In kbit/s.",
                    "sample_rate": "In Hz.",
                    "zip": "1 for an archive; several files always come in one.",
                    "name_template": "As in the protocol: `{track} - {stem}`; folders are for archives.",
                },
            ),
            Endpoint("POST", "/v1/jobs/{job}/open-folder", self.open_folder, "Show the result in a window.", {204: ""}),
            Endpoint(
                "GET",
                "/v1/models",
                self.models,
                "The models.",
                {200: JSON},
                query={
                    "for": "What they are good for.",
                    "installed": "1 or 0.",
                    "speed": "At least as fast as this.",
                    "commercial_use": "1: their licence allows it.",
                    "model": "Only this one.",
                },
            ),
            Endpoint("POST", "/v1/models/{model}/download", self.download, "Fetch a model, as a job.", {202: JobView}),
            Endpoint("GET", "/v1/recipes", self.recipes, "The recipes.", {200: JSON}),
            Endpoint("POST", "/v1/recipes/check", self.check_recipe, "Check a recipe.", {200: JSON}, RecipeToCheck),
            Endpoint("GET", "/v1/recipes/{recipe}", self.recipe, "A recipe with its document.", {200: JSON}),
            Endpoint(
                "GET",
                "/v1/schema",
                self.schema,
                "The fields of a job's `request`, as JSON Schema.",
                {200: JSON},
                query={"family": "Only those of this family's models, or of `recipe`."},
            ),
            Endpoint(
                "GET", "/v1/health", self.health, "Whether the server works; needs no token.", {200: ServerHealth}
            ),
            Endpoint("GET", "/v1/status", self.status, "Device, memory, models in memory, limits.", {200: JSON}),
            Endpoint(
                "GET", "/v1/doctor", self.show_diagnosis, "The last examination of the machine, or null.", {200: JSON}
            ),
            Endpoint("POST", "/v1/doctor", self.examine, "Examine the machine.", {200: JSON}),
            Endpoint("GET", "/metrics", self.measures, "Measures for Prometheus.", {200: "text/plain"}),
            Endpoint("GET", "/openapi.json", self.document, "This document.", {200: JSON}),
            Endpoint("GET", "/", self.page, "The page.", is_documented=False),
            Endpoint("GET", "/assets/{file:path}", self.page, "Parts of the page.", is_documented=False),
        ]


# Bodies and errors --------------------------------------------------------------------------------------------------


def told(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, JSON)


async def body_of(request: Request, kind: type[S]) -> S:
    """The body of a request. Raises `Problem`."""
    limit = LONGEST_BODY_BYTES
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise Problem(413, "too_large", f"The request is longer than {limit} bytes.")
    return decoded(bytes(data), kind)


def decoded(data: bytes, kind: type[T]) -> T:
    """JSON as a type. Raises `Problem`."""
    try:
        return decode(data, kind)
    except msgspec.ValidationError as error:
        raise _wrong(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "invalid_json", f"The body is not valid JSON: {error}.") from error


def converted(content: object, kind: type[S]) -> S:
    try:
        return convert(content, kind)
    except msgspec.ValidationError as error:
        raise _wrong(error) from error


def _wrong(error: msgspec.ValidationError) -> Problem:
    message, _, place = str(error).partition(" - at `$.")
    return invalid(f"{message}.", place.rstrip("`"))


def _failed(problem: Problem) -> Response:
    return told({"error": {**problem.error, **problem.more}}, problem.status, problem.headers)


async def _on_problem(request: Request, problem: Problem) -> Response:
    del request
    return _failed(problem)


async def _on_http(request: Request, error: HTTPException) -> Response:
    code = {404: "not_found", 405: "invalid_request"}.get(error.status_code, "invalid_request")
    text = {404: "There is nothing at this address.", 405: f"This address has no `{request.method}`."}
    return _failed(
        Problem(error.status_code, code, text.get(error.status_code, str(error.detail)), headers=error.headers)
    )


async def _on_left(request: Request, error: ClientDisconnect) -> Response:
    del request, error
    return Response(status_code=400)  # nobody reads it


async def _on_bug(request: Request, error: Exception) -> Response:
    """The edge: the client is told as little as is useful, and whoever runs the server everything."""
    if isinstance(error, TimeoutError):  # of a client that does not read its answer
        return Response(status_code=408)
    sys.stderr.write(f"{request.method} {request.url.path} failed:\n{''.join(traceback.format_exception(error))}")
    return _failed(Problem(500, "internal", "The server has made a mistake. Its standard error says more."))


HANDLERS: Any = {Problem: _on_problem, HTTPException: _on_http, ClientDisconnect: _on_left, Exception: _on_bug}


def _gains(text: str) -> dict[str, tuple[float, float]]:
    """`vocals:0.8:0.0,drums:1:-0.2` as gains and places between left (-1) and right (1). Raises `Problem`."""
    found = {}
    for part in text.replace("\N{MINUS SIGN}", "-").split(","):
        name, *numbers = part.split(":")
        try:
            gain, pan = (*map(float, numbers), 1.0, 0.0)[:2] if len(numbers) != 1 else (float(numbers[0]), 0.0)
        except ValueError:
            gain, pan = -1.0, 0.0
        if not name or not 0 <= gain <= 16 or not -1 <= pan <= 1:
            raise invalid(
                "`mix` must be like `vocals:0.8:0,drums:1:-0.2`: names, gains up to 16, places from -1 to 1.", "mix"
            )
        found[name] = (gain, pan)
    return found


def _kind_of(path: Path) -> str:
    own = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    audio = {".flac": "audio/flac", ".opus": "audio/ogg", ".ogg": "audio/ogg", ".m4a": "audio/mp4", ".wav": "audio/wav"}
    own |= {**audio, ".html": "text/html; charset=utf-8", ".wasm": "application/wasm", ".woff2": "font/woff2"}
    return own.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()
