"""JSON-RPC 2.0, one message a line: from a line to the line that answers it. Knows nothing of what the methods do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from utils.commandline.model_list import INSTEAD
from utils.commandline.wording import Wording
from utils.core.failures import error_reply
from utils.core.job import JobCancelled
from utils.core.typed import convert

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVER_ERROR = -32000  # whatever goes wrong in a method

WORDING = Wording((), INSTEAD)  # hints are read by people, who cannot send commands to a worker


class RpcError(Exception):
    """What answers a request that cannot be served."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of methods that take nothing."""


@dataclass(frozen=True)
class Method:
    """What a method takes, and what it does with it. It may raise `RpcError`; other errors are put into one."""

    run: Callable[[Any], object]
    params: type[msgspec.Struct] = NoParams


def answer(line: bytes, methods: Mapping[str, Method]) -> bytes | None:
    """The line that answers a line: one request, or a batch. None if only notifications came, which have no answer."""
    try:
        message = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _encoded(
            _error(None, RpcError(PARSE_ERROR, "The line is not JSON. Send one JSON-RPC message per line."))
        )
    if not isinstance(message, list):
        reply = _answer_one(message, methods)
        return None if reply is None else _encoded(reply)
    if not message:
        return _encoded(_error(None, RpcError(INVALID_REQUEST, "The batch is empty.")))
    replies = [reply for one in message if (reply := _answer_one(one, methods)) is not None]
    return _encoded(replies) if replies else None


def _answer_one(message: object, methods: Mapping[str, Method]) -> dict[str, object] | None:
    fields = message if isinstance(message, dict) else {}
    number = fields.get("id")
    if isinstance(number, bool) or not isinstance(number, str | int | float | None):
        number, fields = None, {}
    name, params = fields.get("method"), fields.get("params")
    if fields.get("jsonrpc") != "2.0" or not isinstance(name, str) or not isinstance(params, dict | list | None):
        wrong = RpcError(
            INVALID_REQUEST, 'A request is an object with "jsonrpc":"2.0", a "method" and perhaps "params".'
        )
        return _error(number, wrong)
    try:
        result = _called(name, params, methods)
    except RpcError as error:
        return _error(number, error) if "id" in fields else None
    return {"jsonrpc": "2.0", "result": result, "id": number} if "id" in fields else None


def _called(name: str, params: dict[str, Any] | list[Any] | None, methods: Mapping[str, Method]) -> object:
    method = methods.get(name)
    if method is None:
        raise RpcError(METHOD_NOT_FOUND, f"There is no method `{name}`. There are {', '.join(methods)}.")
    names = method.params.__struct_fields__
    if isinstance(params, list):
        if len(params) > len(names):
            raise RpcError(INVALID_PARAMS, f"`{name}` takes {len(names)} parameters, not {len(params)}.")
        params = dict(zip(names, params, strict=False))
    try:
        typed = convert(params or {}, method.params)
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_PARAMS, f"The parameters of `{name}` are wrong: {error}.") from error
    try:
        return method.run(typed)
    except RpcError:
        raise
    except JobCancelled as cancelled:
        raise RpcError(SERVER_ERROR, "The request was cancelled. No file was written.") from cancelled
    except (Exception, SystemExit) as error:
        found = error_reply(error)
        hint = (WORDING.of_hint(found.hint) or None) if isinstance(found.hint, str) else None
        message = found.message if hint is None else f"{found.message} {hint}"
        raise RpcError(SERVER_ERROR, message, {"code": found.code, "hint": hint}) from error


def _error(number: object, error: RpcError) -> dict[str, object]:
    content = {"code": error.code, "message": error.message}
    return {
        "jsonrpc": "2.0",
        "error": content if error.data is None else {**content, "data": error.data},
        "id": number,
    }


def _encoded(reply: object) -> bytes:
    """In ASCII, which also holds names of files that are not valid text."""
    return json.dumps(reply).encode("ascii") + b"\n"
