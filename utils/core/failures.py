"""From an exception to a reply: the one place that decides what a client reads about a failed or cancelled job."""

from __future__ import annotations

import traceback

import msgspec
from msgspec import UNSET

from utils.core.errors import DeviceLost, DsuError, OutOfMemory
from utils.core.job import JobCancelled
from utils.core.replies import Cancelled, Error

# What drivers and their libraries say, in the words of torch and onnxruntime, where a process can no longer use the device.
LOST = (
    "illegal memory access",
    "illegal instruction",
    "misaligned address",
    "invalid program counter",
    "hardware stack error",
    "unspecified launch failure",
    "launch timed out",
    "device-side assert",
    "uncorrectable ECC error",
    "uncorrectable NVLink error",
    "GPU is lost",
    "DEVICE_LOST",
    "CUDA error: unknown error",
    "HIP error: unknown error",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_EXECUTION_FAILED",
)
FULL = (
    "out of memory",
    "can't allocate memory",
    "OUT_OF_DEVICE_MEMORY",
    "OUT_OF_HOST_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)

TRACEBACK_HINT = 'Start the worker with `--debug`, or send the request with `"debug": true`, for a traceback to report.'


def error_reply(error: BaseException, *, debug: bool = False) -> Error:
    """The reply for `error`. An exception that is not a `DsuError` was not foreseen; it is named in one line."""
    if isinstance(error, DsuError):
        known = error
    elif is_out_of_memory(error):
        known = OutOfMemory(
            "There is not enough memory for this job. Close other programs, or use a smaller model or batch size."
        )
    elif is_device_lost(error):
        known = device_lost(str(error))
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
    return isinstance(error, RuntimeError) and any(words in str(error) for words in FULL)


def is_device_lost(error: BaseException) -> bool:
    """Whether the device is gone for this process: a driver refuses everything after some errors, or the card itself is gone.

    torch says so in words only, in those of the driver.
    """
    return isinstance(error, DeviceLost) or (
        isinstance(error, RuntimeError) and not is_out_of_memory(error) and any(words in str(error) for words in LOST)
    )


def device_lost(text: str) -> DeviceLost:
    """The error for what a driver said."""
    reason = text.strip().partition("\n")[0].removesuffix(".")
    return DeviceLost(
        f"The graphics card was lost during the job: {reason}. Only a new process can use it again, so a worker ends now.",
        hint="Send the job to a new worker. If this happens often: update the driver, stop overclocking, or use `--device cpu`.",
    )


def cancelled_reply(cancelled: JobCancelled) -> Cancelled:
    """The reply for a job that was cancelled."""
    why = cancelled.message or "The job was cancelled."
    if not cancelled.results:
        return Cancelled(message=f"{why} No file was written.")
    results = [msgspec.to_builtins(result) for result in cancelled.results]
    return Cancelled(message=f"{why} Results that were already complete are kept.", results=results)
