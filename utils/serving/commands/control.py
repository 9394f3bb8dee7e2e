"""Commands about the worker itself: alive, busy, cancel, describe, exit."""

from __future__ import annotations

import time

from msgspec import UNSET

from utils.core import replies, requests
from utils.core.job import Job
from utils.serving import description
from utils.serving.commands import Context, Group

GROUP = Group("control")


@GROUP.control(requests.Ping, replies.Pong)
def ping(context: Context, request: requests.Ping) -> replies.Pong:
    del request
    return context.engine.ping()


@GROUP.control(requests.GetStatus, replies.Status)
def get_status(context: Context, request: requests.GetStatus) -> replies.Status:
    del request
    health, counts = context.engine.health(), context.queue.counts()
    return replies.Status(
        model_loaded=health.model_loaded,
        device=health.device,
        card=health.card or UNSET,
        attention=health.attention or UNSET,
        devices=list(health.devices) or UNSET,
        precision=health.precision,
        ready=True,
        busy=counts.busy,
        queued=counts.queued,
        cached_models=health.cached_models,
        cache_size=len(health.cached_models),
        max_cache_size=health.max_cache_size,
        threads=health.threads,
        memory=health.memory,
        uptime=round(time.monotonic() - context.started_s, 3),
        jobs_done=counts.done,
        jobs_failed=counts.failed,
        limits=replies.WorkerLimits(
            **{name: getattr(context.settings, name) for name in replies.WorkerLimits.__struct_fields__}
        ),
    )


@GROUP.control(requests.Cancel, replies.CancelRequested)
def cancel(context: Context, request: requests.Cancel) -> replies.CancelRequested:
    return replies.CancelRequested(found=context.queue.cancel(request.id))


@GROUP.control(requests.Seek, replies.SeekRequested)
def seek(context: Context, request: requests.Seek) -> replies.SeekRequested:
    return replies.SeekRequested(found=context.queue.seek(request.job, request.position, or_else=request.id))


@GROUP.control(requests.Describe, replies.Description)
def describe(context: Context, request: requests.Describe) -> replies.Description:
    del request
    return description.describe(context.worker, context.commands)


@GROUP.job(requests.Doctor, replies.Diagnosis, events=(replies.Progress,))
def doctor(context: Context, request: requests.Doctor, job: Job) -> replies.Diagnosis:
    diagnosis = context.engine.doctor(request, job)
    job.finish()
    return diagnosis


@GROUP.control(requests.Exit, replies.Exiting, at_end=True)
def exit_worker(context: Context, request: requests.Exit) -> replies.Exiting:
    if request.force:
        context.queue.cancel_all()
    context.queue.end()
    return replies.Exiting()
