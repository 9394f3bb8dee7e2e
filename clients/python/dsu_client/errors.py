"""Every error of this client, as a tree.

    DSUError
      RequestError InputError OutputError ModelError DeviceError    what the worker says about a request
      JobCancelled                                                  the job was cancelled
      WorkerError                                                   the process: not found, not started, dead, silent, closed

`code` is one of the protocol's, or one of the client's own in `CLIENT_CODES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .protocol import FAMILIES

CLIENT_CODES = (
    "cancelled",  # the job was cancelled
    "audio_invalid",  # the samples that were given cannot be written
    "request_too_long",  # the request does not fit into one line of the protocol
    "spawn_failed",  # the program could not be started
    "start_timeout",  # the worker was not ready in time
    "worker_closed",  # the worker was closed
    "worker_died",  # the process ended unexpectedly
    "worker_not_found",  # there is no program for this worker
    "worker_silent",  # the worker did not cancel a job in time
)


class DSUError(Exception):
    """An error from a worker or from this client. `reply` is the line that reported it, if any."""

    default_code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        field: str | None = None,
        suggestions: Sequence[str] = (),
        reply: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.field = field
        self.suggestions = tuple(suggestions)
        self.reply = reply

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class RequestError(DSUError):
    """The request itself is wrong."""

    default_code = "invalid_request"


class ModelError(DSUError):
    """A model does not exist, is not installed, or its files are wrong."""

    default_code = "unknown_model"


class InputError(DSUError):
    """The song cannot be read."""

    default_code = "input_unreadable"


class OutputError(DSUError):
    """The results cannot be written."""

    default_code = "output_not_writable"


class DeviceError(DSUError):
    """The device is not there, or its memory ran out."""

    default_code = "device_unavailable"


class JobCancelled(DSUError):
    """The job was cancelled; it left no files except parts that were complete."""

    default_code = "cancelled"


class WorkerError(DSUError):
    """The worker's process cannot be found, started or used any more. `stderr` is the end of what it printed."""

    default_code = "worker_died"

    def __init__(self, message: str, *, code: str, exit_code: int | None = None, stderr: str = "") -> None:
        super().__init__(message, code=code)
        self.exit_code = exit_code
        self.stderr = stderr


CLASSES: dict[str, type[DSUError]] = {
    kind.__name__: kind for kind in (DSUError, RequestError, ModelError, InputError, OutputError, DeviceError)
}


def error_of(reply: Mapping[str, Any]) -> DSUError:
    """The exception for a line with the status `error` or `cancelled`."""
    if reply["status"] == "cancelled":
        return JobCancelled(reply.get("message", "The job was cancelled."), reply=reply)
    code = reply.get("code", "internal")
    return CLASSES[FAMILIES.get(code, "DSUError")](
        reply.get("message") or "The worker reported an error without a message.",
        code=code,
        hint=reply.get("hint"),
        field=reply.get("field"),
        suggestions=reply.get("suggestions") or (),
        reply=reply,
    )
