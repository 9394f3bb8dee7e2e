"""JSON-RPC 2.0 as its specification has it, without any program behind it."""

import json

import msgspec
import pytest

from utils.commandline.jsonrpc import Method, RpcError, answer
from utils.core.errors import InputNotFound
from utils.core.job import JobCancelled


class Operands(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the methods below."""

    one: int
    other: int = 1


def fail(_):
    raise InputNotFound("There is no file.", hint="Name another.")


def refuse(_):
    raise RpcError(-32602, "no", {"why": "because"})


def cancel(_):
    raise JobCancelled


def leave(_):
    raise SystemExit(3)


CALLED = []
METHODS = {
    "subtract": Method(lambda asked: asked.one - asked.other, Operands),
    "note": Method(CALLED.append),
    "fail": Method(fail),
    "refuse": Method(refuse),
    "cancel": Method(cancel),
    "leave": Method(leave),
    "name": Method(lambda _: "na\udcefve"),
}


def call(message):
    """The answer to a message, which may be text that is no JSON."""
    line = message.encode() if isinstance(message, str) else json.dumps(message).encode()
    reply = answer(line, METHODS)
    assert reply is None or (reply.endswith(b"\n") and reply.count(b"\n") == 1)
    return None if reply is None else json.loads(reply)


def request(method, params=None, **fields):
    return {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params}), "id": 1, **fields}


@pytest.mark.parametrize("params", [[42, 23], {"one": 42, "other": 23}, {"other": 23, "one": 42}])
@pytest.mark.parametrize("number", [1, "a", 1.5, None])
def test_a_request_has_a_result(params, number):
    """By position or by name, with the id that it has."""
    reply = call(request("subtract", params, id=number))
    assert reply == {"jsonrpc": "2.0", "result": 19, "id": number}


def test_a_notification_has_no_answer():
    """Whether it succeeds or not."""
    CALLED.clear()
    assert call({"jsonrpc": "2.0", "method": "note"}) is None
    assert len(CALLED) == 1
    for method in ("fail", "nowhere", "refuse"):
        assert call({"jsonrpc": "2.0", "method": method}) is None


@pytest.mark.parametrize("line", ["{", '{"jsonrpc": "2.0", "method"', "[1,", "[" * 100_000, "nan"])
def test_what_is_no_json_is_a_parse_error(line):
    """Its id is null."""
    reply = call(line)
    assert (reply["error"]["code"], reply["id"]) == (-32700, None)


def test_bytes_that_are_no_text_are_a_parse_error():
    """As any other line that is no JSON."""
    assert json.loads(answer(b'{"jsonrpc":"2.0","method":"\xff"}', METHODS))["error"]["code"] == -32700


@pytest.mark.parametrize(
    ("message", "number"),
    [
        (1, None),
        ([], None),
        ({}, None),
        ({"method": "note", "id": 5}, 5),
        ({"jsonrpc": "1.0", "method": "note", "id": 5}, 5),
        (request(7), 1),
        (request("note", "text"), 1),
        (request("note", id={"a": 1}), None),
        (request("note", id=True), None),
    ],
)
def test_what_is_no_request_is_invalid(message, number):
    """With its id, if that can be told."""
    reply = call(message)
    assert (reply["error"]["code"], reply["id"]) == (-32600, number)


def test_an_unknown_method_is_named():
    """And so are those that there are."""
    error = call(request("nowhere"))["error"]
    assert error["code"] == -32601
    assert "`nowhere`" in error["message"]
    assert "subtract" in error["message"]


@pytest.mark.parametrize("params", [{}, [], {"one": "x"}, {"one": 1, "two": 2}, [1, 2, 3], [None]])
def test_wrong_parameters_are_an_error(params):
    """Those that are missing, of another type, unknown, or too many."""
    assert call(request("subtract", params))["error"]["code"] == -32602


def test_a_method_that_fails_is_an_error_with_a_hint():
    """A method may choose the error itself; a library cannot end the program."""
    assert call(request("fail"))["error"] == {
        "code": -32000,
        "message": "There is no file. Name another.",
        "data": {"code": "input_not_found", "hint": "Name another."},
    }
    assert call(request("refuse"))["error"] == {"code": -32602, "message": "no", "data": {"why": "because"}}
    assert call(request("cancel"))["error"]["message"] == "The request was cancelled. No file was written."
    assert call(request("leave"))["error"]["code"] == -32000
    assert call(request("leave"))["error"]["data"]["hint"] is None


def test_a_batch_is_answered_at_once():
    """In order, without the notifications; a batch of nothing else has no answer."""
    batch = [request("subtract", [3], id="a"), {"jsonrpc": "2.0", "method": "note"}, 1, request("nowhere", id="b")]
    replies = call(batch)
    assert [reply.get("result", reply.get("error", {}).get("code")) for reply in replies] == [2, -32600, -32601]
    assert [reply["id"] for reply in replies] == ["a", None, "b"]
    assert call([{"jsonrpc": "2.0", "method": "note"}]) is None


def test_names_that_are_no_text_arrive():
    """As escapes."""
    assert call(request("name"))["result"] == "na\udcefve"
