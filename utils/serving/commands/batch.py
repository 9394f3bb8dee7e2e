"""`batch`, in three steps: check every job before any of them runs, put them in order, run them one by one.

A job may take its input from a stem that an earlier job wrote. Jobs of one model may run together, but never before the
job they take their input from; the results are listed in the order of the request.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from utils.core import replies, requests
from utils.core.api import EngineApi
from utils.core.errors import InputNotFound, InvalidRequest, ModelError, RequestError, did_you_mean, nearest
from utils.core.failures import cancelled_reply, error_reply, is_device_lost
from utils.core.job import Job, JobCancelled
from utils.core.many_files import hand_over_warnings, part_of
from utils.core.replies import BatchDone, BatchFailed, Cancelled, Done, Error, Reply
from utils.core.requests import JOINT_FORMATS, Batch, Request, RequestId, Separate, format_of
from utils.serving import messages
from utils.serving.commands import Command, Context, Group
from utils.serving.commands.shared import EVENTS

GROUP = Group("batch")

# These act on the worker or its queue, not on audio.
REFUSED = ("batch", "cancel", "exit")
NOT_RUN = Cancelled(message="This job was not run because the batch ended first.")


@GROUP.job(requests.Batch, replies.BatchDone, replies.BatchFailed, events=(*EVENTS, replies.PreloadingModel))
def batch(context: Context, request: Batch, job: Job) -> BatchDone | BatchFailed:
    strict = request.strict or context.settings.strict
    steps = plan_batch(request.jobs, context.commands, context.engine, strict=strict, resume=request.resume)
    outcome = run_batch(context, request, steps, job)
    job.finish()
    return outcome


@dataclass(frozen=True)
class EarlierStem:
    """A stem of an earlier job that is the input of a later one."""

    index: int
    stem: str | None


@dataclass(frozen=True)
class Step:
    """One job of a batch, checked."""

    index: int
    command: Command
    request: Request
    request_id: RequestId | None
    input: EarlierStem | None
    warnings: list[str]


# Checking ---------------------------------------------------------------------------------------------------------


def plan_batch(
    jobs: Sequence[dict[str, Any]],
    commands: Mapping[str, Command],
    engine: EngineApi,
    *,
    strict: bool = False,
    resume: bool = False,
) -> list[Step]:
    """Check every job and raise the first error, with its place as `jobs[INDEX]`. `resume` is the jobs' default."""
    steps: list[Step] = []
    for index, fields in enumerate(jobs):
        try:
            steps.append(_check_job(index, fields, commands, engine, steps, strict=strict, resume=resume))
        except RequestError as error:
            field = f"jobs[{index}].{error.field}" if error.field else f"jobs[{index}]"
            message = f"jobs[{index}]: {error.message} No job of the batch was run."
            raise type(error)(message, hint=error.hint, suggestions=error.suggestions, field=field) from error
    return steps


def _check_job(
    index: int,
    fields: dict[str, Any],
    commands: Mapping[str, Command],
    engine: EngineApi,
    earlier: Sequence[Step],
    *,
    strict: bool,
    resume: bool,
) -> Step:
    allowed = [name for name in commands if name not in REFUSED]
    if fields.get("cmd") in REFUSED:
        raise InvalidRequest(f"`{fields['cmd']}` cannot be part of a batch.", field="cmd")
    command = commands[messages.command_name(fields, allowed)]
    stem = _earlier_stem(fields.get("input"), earlier)
    if stem is not None:
        fields = {**fields, "input": f"the result of jobs[{stem.index}]"}
    try:
        command, fields = command.form_of(fields, engine)
    except ModelError as error:  # of this job alone, like a model that turns out to be missing
        return Step(index, _failing(command, error), Request(), messages.request_id(fields), None, [])
    if resume and issubclass(command.request, Separate):
        fields = {"resume": True, **fields}
    decoded = messages.decode(fields, command.request, strict=strict)
    command.check(decoded.request)
    return Step(index, command, decoded.request, messages.request_id(fields), stem, decoded.warnings)


def _failing(command: Command, error: ModelError) -> Command:
    """The command, which raises this at its turn."""

    def run(context: Context, request: Request, job: Job) -> Reply:
        del context, request, job
        raise error

    return replace(command, run=run)


def _earlier_stem(value: object, earlier: Sequence[Step]) -> EarlierStem | None:
    """The input `{"from": INDEX, "stem": NAME}`, checked; None for any other kind of input."""
    if not isinstance(value, dict):
        return None
    index, stem = value.get("from"), value.get("stem")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(earlier):
        raise InvalidRequest("`input.from` must be the index of an earlier job of the batch.", field="input.from")
    if stem is not None and not isinstance(stem, str):
        raise InvalidRequest("`input.stem` must be the name of a stem.", field="input.stem")
    if not any(issubclass(reply, Done) for reply in earlier[index].command.replies):
        raise InvalidRequest(f"jobs[{index}] does not separate anything, so it has no stems.", field="input.from")
    before = earlier[index].request
    if isinstance(before, Separate) and (format_of(before.file) if before.file else before.format) in JOINT_FORMATS:
        raise InvalidRequest(
            f"jobs[{index}] writes all stems into one file, of which no job can read a stem.",
            hint='Give that job a format with a file for each stem, such as "format":"flac".',
            field="input.from",
        )
    return EarlierStem(index, stem)


# Order ------------------------------------------------------------------------------------------------------------


def grouped(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps in an order that keeps those of one model together, each after the one it takes its input from.

    Of the steps that may run, the first one that needs the same model as the last is next, or else the first one.
    """
    ready: list[int] = []
    ready_by_model: dict[str | None, list[int]] = {}
    after: dict[int, list[int]] = {}

    def make_ready(index: int) -> None:
        heapq.heappush(ready, index)
        heapq.heappush(ready_by_model.setdefault(_model(steps[index]), []), index)

    for index, step in enumerate(steps):
        if step.input is None:
            make_ready(index)
        else:
            after.setdefault(step.input.index, []).append(index)
    passed = set[int]()
    same = ready_by_model.get(None, [])  # jobs that name no model use the one that is active already
    while ready:
        if (index := heapq.heappop(same or ready)) in passed:  # it left by the other heap
            continue
        passed.add(index)
        same = ready_by_model[_model(steps[index])]
        yield steps[index]
        for follower in after.get(index, ()):
            make_ready(follower)


def _model(step: Step) -> str | None:
    return step.request.model_key if isinstance(step.request, Separate) else getattr(step.request, "model", None)


# Running ----------------------------------------------------------------------------------------------------------


def run_batch(context: Context, request: Batch, steps: Sequence[Step], job: Job) -> BatchDone | BatchFailed:
    """Run the steps. Stops at the first error unless the request has `continue_on_error`."""
    started = time.monotonic()
    results: dict[int, Reply] = {}
    failures: dict[int, Error] = {}
    for position, step in enumerate(grouped(steps) if request.group_by_model else steps):
        part = part_of(job, "batch", position, len(steps), index=step.index)
        part.warnings = list(step.warnings)
        try:
            job.checkpoint()
            reply = _run_step(context, step, results, part)
        except JobCancelled as cancelled:
            if not results and not cancelled.results:
                raise
            last = messages.addressed(cancelled_reply(cancelled), step.request_id)
            raise JobCancelled(_in_order({**results, step.index: last}), cancelled.message) from cancelled
        part.finish()
        results[step.index] = hand_over_warnings(messages.addressed(reply, step.request_id), part, job)
        if isinstance(reply, Error):
            failures[step.index] = reply
            if not request.continue_on_error:
                break
    listed = [msgspec.to_builtins(reply) for reply in _in_order(results)]
    elapsed = round(time.monotonic() - started, 3)
    if not failures:
        return BatchDone(results=listed, message=f"Jobs done: {len(steps)}.", elapsed=elapsed)
    first = min(failures)
    message = f"jobs[{first}] failed: {failures[first].message}"
    if len(failures) > 1:
        message = f"{len(failures)} of {len(steps)} jobs failed. The first is jobs[{first}]: {failures[first].message}"
    return BatchFailed(results=listed, message=message, code=failures[first].code, elapsed=elapsed)


def _run_step(context: Context, step: Step, results: Mapping[int, Reply], job: Job) -> Reply:
    try:
        request = step.request
        if step.input is not None:
            request = msgspec.structs.replace(request, input=_path_of(step.input, results))
        return step.command.run(context, request, job)
    except (Exception, SystemExit) as error:  # each job has its own result, whatever happens in it
        if is_device_lost(error):  # but none of the rest could run
            raise
        return error_reply(error, debug=step.request.debug or context.settings.debug)


def _path_of(source: EarlierStem, results: Mapping[int, Reply]) -> str:
    """The file that an earlier job wrote for this stem. The case of the stem's name does not matter."""
    result = results[source.index]
    if not isinstance(result, Done):
        raise InputNotFound(
            f"The input is a stem of jobs[{source.index}], but that job wrote none.", field="input.from"
        )
    if source.stem is None and len(result.paths) == 1:
        return next(iter(result.paths.values()))
    wanted = (source.stem or "").casefold()
    for stem, path in result.paths.items():
        if stem.casefold() == wanted:
            return path
    stems = ", ".join(result.paths)
    near = nearest(wanted, result.paths)
    raise InvalidRequest(
        f"jobs[{source.index}] has no stem `{source.stem}`. Its stems are {stems}.{did_you_mean(near)}"
        if source.stem
        else f"jobs[{source.index}] has several stems: {stems}. Name one of them in `input.stem`.",
        field="input.stem",
        suggestions=near or list(result.paths),
    )


def _in_order(results: Mapping[int, Reply]) -> list[Reply]:
    """Results in the order of the request, up to the last job that ran; jobs skipped before it are marked as not run."""
    return [results.get(index, NOT_RUN) for index in range(max(results) + 1)]
