"""How far a batch is: a bar on a terminal, sentences elsewhere, lines of JSON for programs, and metrics for Prometheus by way of Ray."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol

from utils.cluster.plan import BatchJob

EVERY_S = 1.0
SENTENCE_EVERY_S = 30.0
TOLD_FAILURES = 20


class BatchProgress(Protocol):
    """Who shows it."""

    def show(self, facts: Mapping[str, Any]) -> None: ...

    def say(self, event: str, text: str, facts: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class ProgressLines:
    """Lines of JSON on stdout."""

    def show(self, facts: Mapping[str, Any]) -> None:
        self._write({"event": "progress", **facts})

    def say(self, event: str, text: str, facts: Mapping[str, Any]) -> None:
        self._write({"event": event, "message": text, **facts})

    def close(self) -> None:
        pass

    @staticmethod
    def _write(line: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


class Sentences:
    """A sentence now and then, for logs."""

    def __init__(self) -> None:
        self._said_s = 0.0

    def show(self, facts: Mapping[str, Any]) -> None:
        is_last = facts["left"] == 0
        if is_last or time.monotonic() - self._said_s > SENTENCE_EVERY_S:
            self._said_s = time.monotonic()
            sys.stderr.write(described(facts) + "\n")

    def say(self, event: str, text: str, facts: Mapping[str, Any]) -> None:
        del event, facts
        sys.stderr.write(text + "\n")

    def close(self) -> None:
        pass


class BatchBar:
    """A bar that is drawn over itself."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        console = Console(stderr=True)
        self._progress = RichProgress(
            BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), console=console
        )
        self._task = self._progress.add_task("", total=None)
        self._progress.start()

    def show(self, facts: Mapping[str, Any]) -> None:
        ended = facts["rows"] - facts["left"]
        self._progress.update(
            self._task, total=facts["rows"], completed=ended, description=described(facts, counts=False)
        )

    def say(self, event: str, text: str, facts: Mapping[str, Any]) -> None:
        del event, facts
        self._progress.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self._progress.stop()


def described(facts: Mapping[str, Any], *, counts: bool = True) -> str:
    """The facts in a line."""
    parts = [f"{facts['rows'] - facts['left']} of {facts['rows']} songs"] if counts else []
    parts += [f"{facts['failed']} failed"] if facts["failed"] else []
    parts.append(f"{facts['workers']} worker{'' if facts['workers'] == 1 else 's'}")
    if facts["speed"]:
        parts.append(f"{facts['speed']:.1f} times real time")
    if facts["eta_s"] is not None and facts["left"]:
        hours, minutes = divmod(round(facts["eta_s"]) // 60, 60)
        parts.append(f"about {hours} h {minutes:02d} min left" if hours else f"about {minutes} min left")
    if facts["cost_per_hour_of_audio"] is not None:
        parts.append(f"{facts['cost_per_hour_of_audio']:.4f} per hour of audio")
    return ", ".join(parts)


class Watch:
    """Counts what is done, and tells it."""

    def __init__(self, progress: BatchProgress, hourly_cost: float | None, *, metrics: bool) -> None:
        self._progress = progress
        self._hourly_cost = hourly_cost
        self._started_s = self._told_s = self._busy_at = time.monotonic()
        self._worker_s = 0.0  # of all workers together
        self._audio_s = 0.0
        self._finished = 0
        self._failures = 0
        self._metrics = _Metrics() if metrics else None
        self.facts: dict[str, Any] = {}

    def tick(self, counts: Mapping[str, int], workers: int, *, last: bool = False) -> None:
        now = time.monotonic()
        self._worker_s += (now - self._busy_at) * workers
        self._busy_at = now
        if not last and now - self._told_s < EVERY_S:
            return
        self._told_s = now
        elapsed_s, left = now - self._started_s, counts.get("waiting", 0) + counts.get("running", 0)
        hours = self._audio_s / 3600
        cost = None if self._hourly_cost is None else self._hourly_cost * self._worker_s / 3600
        self.facts = {
            "rows": sum(counts.values()),
            "done": counts.get("done", 0),
            "failed": counts.get("failed", 0) + counts.get("invalid", 0),
            "left": left,
            "workers": workers,
            "elapsed_s": round(elapsed_s, 3),
            "audio_hours": round(hours, 6),
            "songs_per_hour": round(self._finished * 3600 / elapsed_s, 3) if elapsed_s else 0.0,
            "speed": round(self._audio_s / elapsed_s, 3) if elapsed_s else 0.0,
            "eta_s": round(elapsed_s * left / self._finished, 1) if self._finished else None,
            "cost": None if cost is None else round(cost, 6),
            "cost_per_hour_of_audio": None if cost is None or not hours else round(cost / hours, 6),
        }
        if self._metrics:
            self._metrics.show(self.facts)
        self._progress.show(self.facts)

    def done(self, job: BatchJob, told: Mapping[str, Any]) -> None:
        self._finished += 1
        self._audio_s += float(told.get("duration") or 0.0)
        if self._metrics:
            self._metrics.done(told)
        if isinstance(self._progress, ProgressLines):
            self._progress.say("done", "", {"row": job.number, "input": job.found.url})

    def failed(self, job: BatchJob, told: Mapping[str, Any]) -> None:
        self._failures += 1
        if self._failures <= TOLD_FAILURES or isinstance(self._progress, ProgressLines):
            facts = {"row": job.number, "input": job.found.url, "code": told.get("code")}
            self._progress.say("failed", f"{job.found.url} failed: {told.get('message')}", facts)

    def retried(self, job: BatchJob, told: Mapping[str, Any]) -> None:
        facts = {"row": job.number, "input": job.found.url, "code": told.get("code")}
        self._progress.say("retry", f"{job.found.url} will be tried again: {told.get('message')}", facts)

    def say(self, text: str) -> None:
        self._progress.say("note", text, {})

    def close(self) -> None:
        self._progress.close()


class _Metrics:
    """What Ray's agents give to Prometheus, on each machine's metrics port."""

    def __init__(self) -> None:
        from ray.util.metrics import Counter, Gauge, Histogram

        self._gauges = {
            name: Gauge(f"dsu_batch_{name}", description=text)
            for name, text in {
                "rows": "Rows of the manifest.",
                "done": "Rows that are done.",
                "failed": "Rows that have failed.",
                "left": "Rows that wait or run.",
                "workers": "Workers.",
                "speed": "Seconds of audio in a second.",
            }.items()
        }
        self._audio = Counter("dsu_batch_audio_seconds", description="Audio that was separated.")
        self._separate = Histogram(
            "dsu_batch_separate_seconds",
            description="Time to separate a song.",
            boundaries=[1, 3, 10, 30, 100, 300, 1000],
        )

    def show(self, facts: Mapping[str, Any]) -> None:
        for name, gauge in self._gauges.items():
            gauge.set(facts[name])

    def done(self, told: Mapping[str, Any]) -> None:
        with contextlib.suppress(ValueError):  # a counter takes no zero
            self._audio.inc(float(told.get("duration") or 0.0))
        self._separate.observe(float(told["seconds"].get("separate", 0.0)))


def progress_for(*, as_lines: bool) -> BatchProgress:
    if as_lines:
        return ProgressLines()
    return BatchBar() if sys.stderr.isatty() else Sentences()
