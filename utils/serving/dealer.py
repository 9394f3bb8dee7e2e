"""A worker on several devices: it passes its jobs on to a process for each, and is one worker for its client.

This process computes nothing and never imports an engine. It queues and refuses jobs, cancels them, and answers for all; what it is
told of a job it passes on as it came.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar, cast

import msgspec
from msgspec import UNSET

from utils.core import replies, requests
from utils.core.api import EngineApi, Health, Readiness
from utils.core.bootstrap import Streams, own_command, physical_cores
from utils.core.catalogue import Worker
from utils.core.errors import DeviceUnavailable, DsuError
from utils.core.failures import error_reply
from utils.core.package_request import PackageListModels
from utils.core.replies import Reply
from utils.core.settings import Settings, as_words
from utils.serving import messages
from utils.serving.commands import Command, Context, tag_of
from utils.serving.dealt_queue import DealtJob, DealtQueue, DealtTicket, models_of
from utils.serving.description import replies_of
from utils.serving.device_process import Line, text_of
from utils.serving.device_runner import ANSWER_S, Common, DeviceRunner, decoded, error_of
from utils.serving.dispatch import Aside, Dispatcher
from utils.serving.job_queue import Ticket
from utils.serving.lifecycle import StopReason
from utils.serving.loop import Server
from utils.serving.stdio import Writer

R = TypeVar("R", bound=Reply)

OTHERS_S = 15.0  # for which the first device that is ready waits for the others
DISK_S = 120.0  # for answers that may need a slow disk
EXIT_S = 10.0  # for processes that have nothing more to do
ABANDONED_S = 0.3  # for those that were told to go when this process has to
ID_BYTES = 4096  # by which a line may get longer on its way

# Control commands for which the processes are asked. The others are answered at once, or wait for a disk.
ASKING = frozenset({"get_status", "list_cached", "clear_cache", "set_cache_size", "set_storage_type", "seek"})


def serve_devices(worker: Worker, settings: Settings, flags: Mapping[str, Any], streams: Streams) -> int:
    """Answer commands as `loop.serve` does, with a process for each of `settings.devices`. `flags` are those of this one."""
    server = DealingServer(worker, settings, flags, streams)
    return server.run(lambda _: cast(EngineApi, server.dealer))  # jobs, which need the rest, do not come there


class DealingServer(Server):
    """A worker whose jobs are done by other processes."""

    def __init__(self, worker: Worker, settings: Settings, flags: Mapping[str, Any], streams: Streams) -> None:
        super().__init__(worker, settings, streams)
        self._queue: DealtQueue = DealtQueue(settings.max_queued_jobs, settings.max_queued_bytes)
        self.dealer = Dealer(settings, flags, Common(self._queue, self._writer, settings.max_cached_models))
        self._dispatcher = DealingDispatcher(self._writer, settings.max_queued_bytes, self.dealer.wait_no_more)

    def _run_jobs(self) -> None:
        self._queue.wait_until_over()
        if self._reason is None:
            self._dispatcher.farewells()  # what is asked of the processes is answered while they are there
        self.dealer.close()

    def _stop(self, reason: StopReason) -> None:
        super()._stop(reason)
        self.dealer.terminate()

    def _abandon(self) -> None:
        self.dealer.kill(ABANDONED_S)


class DealingDispatcher(Dispatcher):
    """Keeps the lines of jobs as they came, and lets nobody wait for what a process is asked."""

    def __init__(self, writer: Writer, most_bytes: int | None, wait_no_more: Callable[[], None]) -> None:
        super().__init__(writer, most_bytes)
        self._asking = Aside()
        self._wait_no_more = wait_no_more

    def _hurry(self, line: bytes) -> None:
        """Nobody waits for devices that start if all is to end."""
        with contextlib.suppress(DsuError):  # what is wrong with a line is answered later
            fields = messages.parse(line)
            if fields.get("cmd") == "exit" and fields.get("force") is True:
                self._wait_no_more()

    def _aside_for(self, command: Command) -> Aside | None:
        return self._asking if command.name in ASKING else super()._aside_for(command)

    def _finish_asides(self) -> None:
        self._asking.finish()
        super()._finish_asides()

    def _ticket(
        self, context: Context, command: Command, line: bytes, fields: messages.Fields, *, debug: bool
    ) -> Ticket:
        to = messages.request_id(fields)
        forms = (command, *command.by_family.values())
        ends = {tag_of(reply) for form in forms for reply in replies_of(form)}
        return DealtTicket(
            to,
            DealtJob(),
            partial(self._send, to),
            line=line,
            last=frozenset(ends),
            models=models_of(fields, context.commands),
            once=_comes_once(fields),
            debug=debug,
        )


def _comes_once(fields: messages.Fields) -> bool:
    """Whether a job cannot be done again: samples come or go while it runs."""
    jobs = fields.get("jobs")
    parts = [job for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []
    piped = isinstance(fields.get("input"), dict) and "pipe" in fields["input"]
    return piped or bool(fields.get("stream")) or any(map(_comes_once, parts))


class Dealer:
    """The devices as an engine sees itself: it starts, and answers what is no job."""

    def __init__(self, settings: Settings, flags: Mapping[str, Any], common: Common) -> None:
        self.settings = settings
        self._common = common
        self._is_awaited = True  # that devices get ready
        names = settings.every_device
        self._devices = [DeviceRunner(name, _command(settings, flags, name), common, self._refuse) for name in names]

    # Start and end ------------------------------------------------------------------------------------------------

    def start(self) -> Readiness:
        """Start all processes, and wait for them; not long for those that take longer than others."""
        for device in self._devices:
            device.thread.start()
        end: float | None = None
        with self._common.changed:
            while self._is_awaited and any(device.ready is None and device.fault is None for device in self._devices):
                if end is None and any(device.ready is not None for device in self._devices):
                    end = time.monotonic() + OTHERS_S
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._common.changed.wait(left)
        found = [(device, device.ready) for device in self._devices if device.ready is not None]
        if not found and self._is_awaited:
            refusal = next(device.refusal for device in self._devices if device.refusal is not None)
            self.close()
            raise refusal
        warnings = [warning for _, ready in found for warning in ready.warnings or ()]
        warnings += [
            f"`{device.name}` is not used yet. {device.fault or 'Its process takes long to start.'}"
            for device in self._devices
            if device.ready is None
        ]
        return Readiness(
            device=found[0][1].device if found else self._devices[0].name,
            card=(found[0][1].card or None) if found else None,
            attention=(found[0][1].attention or None) if found else None,
            precision=found[0][1].precision if found else "fp32",
            threads=found[0][1].threads if found else 0,
            max_cached_models=self._common.max_cached_models,
            models_dir=str(self.settings.models_dir),
            warnings=list(dict.fromkeys(warnings)),
            devices=[
                replies.ReadyDevice(
                    device=ready.device,
                    card=ready.card,
                    precision=ready.precision,
                    attention=ready.attention,
                    threads=ready.threads,
                )
                for _, ready in found
            ],
        )

    def close(self) -> None:
        """End all processes, which have nothing more to do."""
        self._common.closing = True
        self._common.queue.end()
        for device in self._devices:
            if device.process is not None:
                if device.ready is not None:
                    device.process.leave()
                else:
                    device.process.kill()
        self.kill(EXIT_S)
        for device in self._devices:
            device.thread.join(ANSWER_S)

    def wait_no_more(self) -> None:
        """Be ready with what there is, from any thread: what comes next ends all."""
        with self._common.changed:
            self._is_awaited = False
            self._common.changed.notify_all()

    def terminate(self) -> None:
        """Have all processes cancel what they do and end, from any thread."""
        self._common.closing = True
        self.wait_no_more()
        for device in self._devices:
            if device.process is not None and not device.process.ended:
                device.process.terminate()

    def kill(self, patience_s: float) -> None:
        """See to it that no process is left, after so many seconds."""
        end = time.monotonic() + patience_s
        for device in self._devices:
            if device.process is not None and not device.process.wait_for_end(max(0.0, end - time.monotonic())):
                device.process.kill()

    def _refuse(self) -> None:
        """Where no device can be used, jobs do not wait for ever."""
        if any(device.ready is not None or not device.is_lost for device in self._devices):
            return
        faults = " ".join(f"`{device.name}`: {device.fault}" for device in self._devices)
        reply = error_reply(DeviceUnavailable(f"No device can be used. {faults}", hint="`dsu doctor` examines them."))
        for one in self._common.queue.take_all():
            if isinstance(one, Ticket):
                one.answer(reply)
            else:
                one.answer()

    # Answers ------------------------------------------------------------------------------------------------------

    def ping(self) -> replies.Pong:
        return replies.Pong(model_loaded=self._active_name())

    def _active_name(self) -> str | None:
        active = self._common.queue.active_for()
        return active.name if active is not None else self._common.default_model

    def health(self) -> Health:
        self._ask(requests.GetStatus(), replies.Status)
        states = [_state_of(device) for device in self._devices]
        ready = [device for device in self._devices if device.ready is not None]
        first = ready[0].ready if ready else None
        memories = [state.memory for state in states if state.memory is not None]
        return Health(
            model_loaded=self._active_name(),
            device=first.device if first is not None else self._devices[0].name,
            card=(first.card or None) if first is not None else None,
            attention=(first.attention or None) if first is not None else None,
            precision=first.precision if first is not None else "fp32",
            threads=first.threads if first is not None else 0,
            cached_models=list(dict.fromkeys(name for state in states for name in state.cached_models)),
            max_cache_size=self._common.max_cached_models,
            memory=replies.Memory(
                rss_mb=round(sum(memory.rss_mb for memory in memories), 1),
                device_allocated_mb=_sum(memory.device_allocated_mb for memory in memories),
                device_free_mb=_sum(memory.device_free_mb for memory in memories),
            ),
            devices=states,
        )

    def list_models(self, request: requests.ListModels) -> replies.Models:
        return self._ask_one(request, replies.Models)

    def list_package_models(self) -> replies.PackageModels:
        return self._ask_one(PackageListModels(), replies.PackageModels)

    def list_recipes(self, request: requests.ListRecipes) -> replies.Recipes:
        return self._ask_one(request, replies.Recipes)

    def list_cached(self) -> replies.CachedModels:
        found = [
            msgspec.structs.replace(model, device=device.name)
            for device, answer in self._ask(requests.ListCached(), replies.CachedModels)
            for model in answer.models
        ]
        return replies.CachedModels(models=found, count=len(found), max=self._common.max_cached_models)

    def clear_cache(self) -> replies.CacheCleared:
        answers = self._ask(requests.ClearCache(), replies.CacheCleared)
        self._common.queue.forget_active()
        self._common.default_model = None
        for device in self._devices:
            device.recent = []
        return replies.CacheCleared(models_cleared=sum(answer.models_cleared for _, answer in answers))

    def set_cache_size(self, size: int) -> replies.CacheSizeUpdated:
        self._common.max_cached_models = size
        self._ask(requests.SetCacheSize(n=size), replies.CacheSizeUpdated)
        return replies.CacheSizeUpdated(max_cached_models=size, cache_enabled=size > 0)

    def set_storage_type(self, kind: Literal["ssd", "hdd"]) -> replies.StorageConfigured:
        self._common.storage_type = kind
        answers = self._ask(requests.SetStorageType(type=kind), replies.StorageConfigured)
        supported = all(answer.mmap_supported for _, answer in answers)
        return replies.StorageConfigured(type=kind, mmap_enabled=kind == "ssd" and supported, mmap_supported=supported)

    def _ask(self, request: requests.Request, kind: type[R]) -> list[tuple[DeviceRunner, R]]:
        """What the devices answer that are ready, as far as they do so in time. They are asked at once."""
        fields = msgspec.to_builtins(request)
        asked = [(device, device.process.ask(fields)) for device in self._devices if device.ready and device.process]
        end = time.monotonic() + ANSWER_S
        told = [(device, answer(max(0.0, end - time.monotonic()))) for device, answer in asked]
        found = [(device, decoded(line, kind)) for device, line in told if line is not None and not _is_error(line)]
        for device, reply in found:
            if isinstance(reply, replies.Status):
                device.status = reply
        return found

    def _ask_one(self, request: requests.Request, kind: type[R]) -> R:
        """What one device answers: all know the same."""
        fields = msgspec.to_builtins(request)
        for device in sorted(self._devices, key=lambda one: one.busy):
            if device.ready is not None and device.process is not None:
                line = device.process.ask(fields)(DISK_S)
                if line is not None and _is_error(line):
                    raise error_of(line)
                if line is not None:
                    return decoded(line, kind)
        raise DeviceUnavailable(
            "No device can be used at the moment.", hint="Send this again; `get_status` tells more."
        )


def _command(settings: Settings, flags: Mapping[str, Any], device: str) -> list[str]:
    """What starts the process for a device: this program with its own flags, some of which mean all devices together."""
    own: dict[str, Any] = {**flags, "devices": None, "device": device}
    own["max_line_bytes"] = settings.max_line_bytes + ID_BYTES
    if settings.threads is None and not os.environ.get("OMP_NUM_THREADS"):
        own["threads"] = max(1, physical_cores() // len(settings.every_device))
    return [*own_command(), "--worker", *as_words(own)]


def _state_of(device: DeviceRunner) -> replies.DeviceState:
    process, ready, status = device.process, device.ready, device.status
    return replies.DeviceState(
        device=ready.device if ready is not None else device.name,
        pid=process.pid if process is not None and not process.ended else None,
        ready=ready is not None,
        busy=device.busy,
        restarts=max(device.starts - 1, 0),
        fault=device.fault or UNSET,
        model_loaded=status.model_loaded if status is not None and ready is not None else None,
        cached_models=status.cached_models if status is not None and ready is not None else [],
        memory=status.memory if status is not None and ready is not None else None,
        card=ready.card if ready is not None else UNSET,
        attention=ready.attention if ready is not None else UNSET,
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 1) if known else None


def _is_error(line: Line) -> bool:
    return text_of(line, "status") == "error"
