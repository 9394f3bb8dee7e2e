"""`batch`: several jobs in one request, answered once."""

from __future__ import annotations

from utils.core import replies, requests
from utils.core.job import Job
from utils.serving.batching import plan_batch, run_batch
from utils.serving.commands import Context, Group
from utils.serving.commands.separation import EVENTS

GROUP = Group("batch")


@GROUP.job(requests.Batch, replies.BatchDone, replies.BatchFailed, events=(*EVENTS, replies.PreloadingModel))
def batch(context: Context, request: requests.Batch, job: Job) -> replies.BatchDone | replies.BatchFailed:
    strict = request.strict or context.settings.strict
    steps = plan_batch(request.jobs, context.commands, strict=strict, resume=request.resume)
    outcome = run_batch(context, request, steps, job)
    job.finish()
    return outcome
