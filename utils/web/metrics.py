"""Measures in the text format of Prometheus."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from utils import __version__

if TYPE_CHECKING:
    from utils.web.app import Server


class Measure(NamedTuple):
    """One measure: its values by their labels."""

    name: str
    kind: str
    meaning: str
    values: dict[str, float]


def text(server: Server) -> str:
    """All measures, as they are now."""
    return "".join(line for measure in measures(server) for line in _lines(measure))


def measures(server: Server) -> Iterator[Measure]:
    jobs, uploads = server.jobs, server.uploads
    yield Measure("dsu_info", "gauge", "The version of the server.", {f'version="{__version__}"': 1})
    yield Measure("dsu_uptime_seconds", "gauge", "Since the server was started.", {"": time.time() - server.begun_s})
    yield Measure("dsu_jobs_queued", "gauge", "Jobs that wait.", {"": len(jobs.queue)})
    yield Measure("dsu_jobs_running", "gauge", "Jobs that run.", {"": int(jobs.running is not None)})
    ended = {f'state="{state}"': float(count) for state, count in jobs.finished.items()}
    yield Measure("dsu_jobs_ended_total", "counter", "Jobs that have ended.", ended)
    yield Measure("dsu_jobs_reused_total", "counter", "Jobs whose result was there already.", {"": jobs.reused})
    yield Measure("dsu_uploads_total", "counter", "Songs that were received.", {"": uploads.received})
    yield Measure("dsu_upload_bytes_total", "counter", "Their bytes.", {"": uploads.received_bytes})
    yield Measure("dsu_uploads_coming", "gauge", "Songs on their way.", {"": len(uploads.coming)})
    yield Measure("dsu_listeners", "gauge", "Open event streams.", {"": jobs.broker.listeners})
    yield Measure("dsu_refused_total", "counter", "Requests that were kept out.", {"": server.guard.refused})
    yield Measure("dsu_worker_starts_total", "counter", "How often the worker was started.", {"": server.worker.starts})
    yield Measure(
        "dsu_worker_ready", "gauge", "Whether the worker is ready.", {"": int(server.worker.state == "ready")}
    )
    kept = {'what="results"': float(jobs.kept_bytes), 'what="uploads"': float(uploads.kept_bytes)}
    yield Measure("dsu_kept_bytes", "gauge", "What is kept on the disk.", kept)
    yield Measure("dsu_free_bytes", "gauge", "What is free on the disk.", {"": server.folders.free_bytes()})
    yield Measure("process_resident_memory_bytes", "gauge", "Memory of the server itself.", {"": _resident_bytes()})


def _lines(measure: Measure) -> Iterator[str]:
    yield f"# HELP {measure.name} {measure.meaning}\n# TYPE {measure.name} {measure.kind}\n"
    for labels, value in measure.values.items():
        yield (
            f"{measure.name}{'{' + labels + '}' if labels else ''} {float(value):g}\n"
            if value < 1e6
            else (f"{measure.name}{'{' + labels + '}' if labels else ''} {value:.0f}\n")
        )


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process(os.getpid()).memory_info().rss)
