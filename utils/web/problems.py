"""What is wrong with a request, as an HTTP status and the error of the protocol that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from utils.core.errors import DsuError

# The statuses of the protocol's codes; any other code of a request that cannot be carried out is 422.
STATUSES = {
    "invalid_json": 400,
    "input_not_found": 404,
    "unknown_command": 404,
    "busy": 429,
    "disk_full": 507,
    "device_unavailable": 503,
    "out_of_memory": 503,
    "worker_died": 503,
    "internal": 500,
}


class Problem(Exception):
    """A request that gets an error. `more` are further fields of the answer, `headers` those of HTTP."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.field = field
        self.more = dict(more or {})
        self.headers = dict(headers or {})

    @property
    def error(self) -> dict[str, Any]:
        """The error as clients see it, and as jobs keep it."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "field": self.field}

    @classmethod
    def of(cls, error: DsuError) -> Problem:
        """An error of the core as one of HTTP."""
        return cls(STATUSES.get(error.code, 422), error.code, error.message, hint=error.hint, field=error.field)

    @classmethod
    def told(cls, line: Mapping[str, Any]) -> Problem:
        """An error that the worker or a child has told."""
        code = str(line.get("code") or "internal")
        message = str(line.get("message") or "The worker reported an error without a message.")
        return cls(STATUSES.get(code, 422), code, message, hint=line.get("hint"), field=line.get("field"))


def invalid(message: str, field: str, hint: str | None = None) -> Problem:
    return Problem(422, "invalid_request", message, field=field, hint=hint)


def not_found(what: str) -> Problem:
    return Problem(404, "not_found", f"There is no such {what}.")
