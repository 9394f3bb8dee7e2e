"""`batch` in three steps: check every job before any of them runs, put them in order, run them one by one.

A job may take its input from the stem that an earlier one wrote. Whatever the order of running, results are listed in
the order asked, and a job never runs before the one it takes its input from.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from utils.core.errors import InputNotFound, InvalidRequest, RequestError, did_you_mean, nearest
from utils.core.failures import cancelled_reply, error_reply
from utils.core.job import Job, JobCancelled
from utils.core.many_files import hand_over_warnings, part_of
from utils.core.replies import BatchDone, BatchFailed, Cancelled, Done, Error, Reply
from utils.core.requests import Batch, Request, RequestId, Separate
from utils.serving import messages
from utils.serving.commands import Command, Context

# They act on the worker or on the queue, not on audio.
REFUSED = ("batch", "cancel", "exit")
NOT_RUN = Cancelled(message="This job was not run, because the batch ended before.")


@dataclass(frozen=True)
class Origin:
    """The stem of an earlier job that is the input of this one."""

    index: int
    stem: str | None


@dataclass(frozen=True)
class Step:
    """One job of a batch, checked."""

    index: int
    command: Command
    request: Request
    request_id: RequestId | None
    origin: Origin | None
    warnings: list[str]


# Checking ---------------------------------------------------------------------------------------------------------


def plan_batch(
    jobs: Sequence[dict[str, Any]], commands: Mapping[str, Command], *, strict: bool = False, resume: bool = False
) -> list[Step]:
    """Every job, checked. The first that is wrong is raised, named as `jobs[INDEX]`. With `resume`, jobs resume too."""
    steps: list[Step] = []
    for index, fields in enumerate(jobs):
        try:
            steps.append(_step(index, fields, commands, steps, strict=strict, resume=resume))
        except RequestError as error:
            raise _in_batch(error, index) from error
    return steps


def _step(
    index: int,
    fields: dict[str, Any],
    commands: Mapping[str, Command],
    earlier: Sequence[Step],
    *,
    strict: bool,
    resume: bool,
) -> Step:
    allowed = [name for name in commands if name not in REFUSED]
    if fields.get("cmd") in REFUSED:
        raise InvalidRequest(f"`{fields['cmd']}` cannot be part of a batch.", field="cmd")
    command = commands[messages.command_name(fields, allowed)]
    origin = _origin(fields.get("input"), earlier)
    if origin is not None:
        fields = {**fields, "input": f"the result of jobs[{origin.index}]"}
    if resume and issubclass(command.request, Separate):
        fields = {"resume": True, **fields}
    decoded = messages.decode(fields, command.request, strict=strict)
    if command.check is not None:
        command.check(decoded.request)
    return Step(index, command, decoded.request, messages.request_id(fields), origin, decoded.warnings)


def _origin(value: object, earlier: Sequence[Step]) -> Origin | None:
    if not isinstance(value, dict):
        return None
    index, stem = value.get("from"), value.get("stem")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(earlier):
        raise InvalidRequest("`input.from` must be the index of an earlier job of the batch.", field="input.from")
    if stem is not None and not isinstance(stem, str):
        raise InvalidRequest("`input.stem` must be the name of a stem.", field="input.stem")
    if not any(issubclass(reply, Done) for reply in earlier[index].command.replies):
        raise InvalidRequest(f"jobs[{index}] is no separation, so it has no stems.", field="input.from")
    return Origin(index, stem)


def _in_batch(error: RequestError, index: int) -> RequestError:
    field = f"jobs[{index}].{error.field}" if error.field else f"jobs[{index}]"
    message = f"jobs[{index}]: {error.message} Nothing of the batch was run."
    return type(error)(message, hint=error.hint, suggestions=error.suggestions, field=field)


# Order ------------------------------------------------------------------------------------------------------------


def grouped(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps so that those with one model follow each other, each after the one it takes its input from."""
    waiting, passed = list(steps), set[int]()
    model: str | None = None
    while waiting:
        ready = [step for step in waiting if step.origin is None or step.origin.index in passed]
        step = next((step for step in ready if _model(step) == model), ready[0])
        model = _model(step)
        waiting.remove(step)
        passed.add(step.index)
        yield step


def _model(step: Step) -> str | None:
    return step.request.model_key if isinstance(step.request, Separate) else getattr(step.request, "model", None)


# Running ----------------------------------------------------------------------------------------------------------


def run_batch(context: Context, request: Batch, steps: Sequence[Step], job: Job) -> BatchDone | BatchFailed:
    """Run the steps. Stops at the first error unless the request says to go on."""
    started = time.monotonic()
    results: dict[int, Reply] = {}
    failures: list[tuple[int, Error]] = []
    for position, step in enumerate(grouped(steps) if request.group_by_model else steps):
        part = part_of(job, "batch", position, len(steps), index=step.index)
        part.warnings = list(step.warnings)
        try:
            job.checkpoint()
            reply = _run_step(context, step, results, part)
        except JobCancelled as cancelled:
            raise _cancelled(step, cancelled, results) from cancelled
        part.finish()
        results[step.index] = hand_over_warnings(messages.addressed(reply, step.request_id), part, job)
        if isinstance(reply, Error):
            failures.append((step.index, reply))
            if not request.continue_on_error:
                break
    listed = [msgspec.to_builtins(reply) for reply in _in_asked_order(results)]
    elapsed = round(time.monotonic() - started, 3)
    if failures:
        index, first = min(failures, key=lambda failure: failure[0])
        message = _failure_message(index, first, len(failures), len(steps))
        return BatchFailed(results=listed, message=message, code=first.code, elapsed=elapsed)
    return BatchDone(results=listed, message=f"Jobs done: {len(steps)}.", elapsed=elapsed)


def _cancelled(step: Step, cancelled: JobCancelled, results: Mapping[int, Reply]) -> JobCancelled:
    """The end of the whole batch, with what its jobs have answered. The one at work may have had parts of its own."""
    if not results and not cancelled.results:
        return JobCancelled()
    last = messages.addressed(cancelled_reply(cancelled), step.request_id)
    return JobCancelled(_in_asked_order({**results, step.index: last}))


def _run_step(context: Context, step: Step, results: Mapping[int, Reply], job: Job) -> Reply:
    try:
        request = step.request
        if step.origin is not None:
            request = msgspec.structs.replace(request, input=_path_of(step.origin, results))
        return step.command.run(context, request, job)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - each job has its own result, whatever happens in it
        return error_reply(error, debug=step.request.debug or context.settings.debug)


def _path_of(origin: Origin, results: Mapping[int, Reply]) -> str:
    """The file that an earlier job wrote for this stem, whose name may be written in any case."""
    result = results[origin.index]
    if not isinstance(result, Done):
        raise InputNotFound(f"The input is a stem of jobs[{origin.index}], which wrote none.", field="input.from")
    if origin.stem is None and len(result.paths) == 1:
        return next(iter(result.paths.values()))
    wanted = (origin.stem or "").casefold()
    for stem, path in result.paths.items():
        if stem.casefold() == wanted:
            return path
    near = nearest(wanted, result.paths)
    raise InvalidRequest(
        f"jobs[{origin.index}] has no stem `{origin.stem or ''}`, but {', '.join(result.paths)}.{did_you_mean(near)}",
        field="input.stem",
        suggestions=near or list(result.paths),
    )


def _in_asked_order(results: Mapping[int, Reply]) -> list[Reply]:
    """As far as jobs were begun. One that was left out before the last of them keeps its place."""
    return [results.get(index, NOT_RUN) for index in range(max(results) + 1)]


def _failure_message(index: int, error: Error, failed: int, count: int) -> str:
    if failed == 1:
        return f"jobs[{index}] failed: {error.message}"
    return f"{failed} of {count} jobs failed; the first is jobs[{index}]: {error.message}"
