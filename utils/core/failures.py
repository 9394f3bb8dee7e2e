"""From an exception to the reply: the one place that knows what a client is told of a failure, or of a cancelled job."""

from __future__ import annotations

import traceback

import msgspec
from msgspec import UNSET

from utils.core.errors import DsuError, OutOfMemory
from utils.core.job import JobCancelled
from utils.core.replies import Cancelled, Error


def error_reply(error: BaseException, *, debug: bool = False) -> Error:
    """What is sent for `error`. What is no `DsuError` was not foreseen: it is named, but its details are for debugging."""
    known = error if isinstance(error, DsuError) else _unforeseen(error)
    return Error(
        message=known.message,
        code=known.code,
        hint=known.hint or UNSET,
        suggestions=list(known.suggestions) or UNSET,
        field=known.field or UNSET,
        traceback="".join(traceback.format_exception(error)) if debug else UNSET,
    )


def cancelled_reply(cancelled: JobCancelled) -> Cancelled:
    """What is sent for a job that was cancelled."""
    if not cancelled.results:
        return Cancelled()
    results = [msgspec.to_builtins(result) for result in cancelled.results]
    return Cancelled(message="The job was cancelled. What was finished before is whole and stays.", results=results)


def _unforeseen(error: BaseException) -> DsuError:
    if isinstance(error, MemoryError):
        return OutOfMemory(
            "There was not enough memory for this job. Close other programs, or use a smaller model or batch size."
        )
    text = " ".join(str(error).split())
    return DsuError(
        f"Something went wrong that should not have: {type(error).__name__}{': ' if text else ''}{text}",
        hint='Start the worker with `--debug`, or send the request with `"debug": true`, for a traceback to report.',
    )
