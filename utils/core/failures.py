"""From an exception to a reply: the one place that decides what a client reads about a failed or cancelled job."""

from __future__ import annotations

import traceback

import msgspec
from msgspec import UNSET

from utils.core.errors import DsuError, OutOfMemory
from utils.core.job import JobCancelled
from utils.core.replies import Cancelled, Error

TRACEBACK_HINT = 'Start the worker with `--debug`, or send the request with `"debug": true`, for a traceback to report.'


def error_reply(error: BaseException, *, debug: bool = False) -> Error:
    """The reply for `error`. An exception that is not a `DsuError` was not foreseen; it is named in one line."""
    if isinstance(error, DsuError):
        known = error
    elif is_out_of_memory(error):
        known = OutOfMemory(
            "There is not enough memory for this job. Close other programs, or use a smaller model or batch size."
        )
    else:
        text = " ".join(str(error).split())
        known = DsuError(
            f"An unexpected error occurred: {type(error).__name__}{': ' if text else ''}{text.removesuffix('.')}.",
            hint=TRACEBACK_HINT,
        )
    return Error(
        message=known.message,
        code=known.code,
        hint=known.hint or UNSET,
        suggestions=list(known.suggestions) or UNSET,
        field=known.field or UNSET,
        step=known.step or UNSET,
        traceback="".join(traceback.format_exception(error)) if debug else UNSET,
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the host or of a device. torch says so in words only, on the CPU."""
    if isinstance(error, MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def cancelled_reply(cancelled: JobCancelled) -> Cancelled:
    """The reply for a job that was cancelled."""
    why = cancelled.message or "The job was cancelled."
    if not cancelled.results:
        return Cancelled(message=f"{why} No file was written.")
    results = [msgspec.to_builtins(result) for result in cancelled.results]
    return Cancelled(message=f"{why} Results that were already complete are kept.", results=results)
