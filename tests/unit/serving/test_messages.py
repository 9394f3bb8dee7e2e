"""From lines to typed requests, and what is said of wrong ones."""

import json

import pytest

from utils.core.errors import InvalidJson, InvalidRequest, UnknownCommand
from utils.core.replies import Pong
from utils.core.requests import (
    AudioSeparatorSeparate,
    Batch,
    DemucsSeparate,
    NetworkSeparate,
    Ping,
    SetCacheSize,
    SetStorageType,
)
from utils.serving import messages


def refusal(request, **fields):
    with pytest.raises(InvalidRequest) as caught:
        messages.decode({"cmd": request.__struct_config__.tag, **fields}, request)
    return caught.value


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"shifts": "two"}, "shifts", "`shifts` must be a whole number, not a string."),
        ({"shifts": 1.5}, "shifts", "`shifts` must be a whole number, not a number."),
        ({"shifts": True}, "shifts", "`shifts` must be a whole number, not true or false."),
        ({"shifts": 500}, "shifts", "`shifts` must be at most 100."),
        ({"overlap": 1}, "overlap", "`overlap` must be less than 1."),
        ({"segment": 0}, "segment", "`segment` must be at least 0.001."),
        ({"progress": "yes"}, "progress", "`progress` must be true or false, not a string."),
        ({"segment": "nan"}, "segment", "`segment` must be a number, not a string."),
        ({"inputs": "a.wav,b.wav"}, "inputs", "`inputs` must be a list, not a string."),
        ({"stems": ["vocals", 3]}, "stems[1]", "`stems[1]` must be a string, not a whole number."),
        ({"preview": {"start": -1}}, "preview.start", "`preview.start` must be at least 0."),
        ({"preview": [1, 2]}, "preview", "`preview` must be an object, not a list."),
        ({"input": {"from": 0}}, "input.pipe", "The field `input.pipe` is missing."),
        ({"input": ["a"]}, "input", "`input` must be a string or an object, not a list."),
        ({"id": ["a"]}, "id", "`id` must be a whole number or a number or a string, not a list."),
    ],
)
def test_wrong_fields_are_named(fields, field, sentence):
    """The message is a sentence with the field and what it should be; `field` repeats the name."""
    error = refusal(DemucsSeparate, **fields)
    assert (error.message, error.field) == (sentence, field)


def test_wrong_choices_are_listed():
    """With the nearest one, if there is one."""
    error = refusal(DemucsSeparate, format="mp4")
    assert error.message.startswith("`format` must be one of ")
    assert "not `mp4`" in error.message
    assert "mp3" in error.suggestions
    assert set(refusal(SetStorageType, type="tape").suggestions) == {"ssd", "hdd"}


def test_missing_fields_are_named():
    """A required field that is not there is an error of its own."""
    error = refusal(SetStorageType)
    assert (error.message, error.field) == ("The field `type` is missing.", "type")


def test_empty_lists_are_refused_where_something_is_needed():
    """A batch holds at least one job."""
    assert refusal(Batch, jobs=[]).message == "`jobs` must be a list of at least 1."


def test_whole_numbers_may_be_written_with_a_point():
    """`2.0` is a whole number in JSON; `1e300` stays a number that is too large."""
    assert messages.decode({"cmd": "separate", "shifts": 2.0}, DemucsSeparate).request.shifts == 2
    assert messages.decode({"cmd": "separate", "segment": 7.0}, DemucsSeparate).request.segment_s == 7
    assert "whole number" in refusal(SetCacheSize, n=1e300).message


@pytest.mark.parametrize(
    ("request_type", "given", "meant"),
    [
        (
            DemucsSeparate,
            {"segment": "1", "shifts": "2", "overlap": ".5"},
            {"segment": 1.0, "shifts": 2, "overlap": 0.5},
        ),
        (DemucsSeparate, {"overwrite": "False", "seed": "3"}, {"overwrite": False, "seed": 3}),
        (DemucsSeparate, {"output_sample_rate": "source"}, {"output_sample_rate": "source"}),
        (DemucsSeparate, {"output_sample_rate": "22050"}, {"output_sample_rate": 22050}),
        (DemucsSeparate, {"model": "1", "id": "7"}, {"model": "1", "id": "7"}),
        (AudioSeparatorSeparate, {"vr_aggression": "10"}, {"vr_aggression": 10}),
        (
            NetworkSeparate,
            {"ensemble": "a, b", "ensemble_weights": "1.0,0.5", "stems": "vocals"},
            {"ensemble": ["a", "b"], "ensemble_weights": [1.0, 0.5], "stems": ["vocals"]},
        ),
    ],
)
def test_strings_stand_for_numbers_and_lists(request_type, given, meant):
    """Where a field has another type than a string, as old clients write it."""
    typed = messages.decode({"cmd": "separate", **given}, request_type).request
    assert {name: getattr(typed, name) for name in meant} == meant


def test_null_and_empty_strings_are_not_given():
    """In each field of each command, also within objects and lists; an id is an id."""
    line = b'{"cmd":"batch","id":"","stop_on_error":null,"jobs":[{"cmd":"separate","format":null,"preview":{"start":null}}]}'
    job = {"cmd": "separate", "preview": {}}
    assert messages.parse(line) == {"cmd": "batch", "id": "", "jobs": [job]}


def test_unknown_fields_are_warnings_with_the_nearest_known_one():
    """Also within objects."""
    fields = {"cmd": "separate", "modle": "x", "qqq": 1, "preview": {"strat": 1}}
    assert messages.decode(fields, DemucsSeparate).warnings == [
        "unknown field `modle`; did you mean `model`?",
        "unknown field `qqq`",
        "unknown field `preview.strat`; did you mean `start`?",
    ]


def test_a_flood_of_unknown_fields_costs_a_few_suggestions(monkeypatch):
    """The first ones are named, with the nearest known ones; the others are only counted."""
    asked = []
    monkeypatch.setattr(messages, "nearest", lambda name, known: asked.append(name) or [])
    fields = {"cmd": "ping", **{f"field{index}": 1 for index in range(15_000)}}
    warnings = messages.decode(fields, Ping).warnings
    assert len(asked) == messages.MOST_UNKNOWN
    assert warnings[0] == "unknown field `field0`"
    assert warnings[-1] == f"{15_000 - messages.MOST_UNKNOWN} more unknown fields"


def test_the_types_of_a_request_are_worked_out_once(monkeypatch):
    """The second request of a kind asks Python for no type hints."""
    messages.decode({"cmd": "ping", "x": 1}, Ping)
    monkeypatch.setattr(messages.typing, "get_type_hints", pytest.fail)
    assert messages.decode({"cmd": "ping", "x": 1}, Ping).warnings == ["unknown field `x`"]


@pytest.mark.parametrize("in_request", [True, False])
def test_unknown_fields_are_errors_when_strict(in_request):
    """By the worker's setting or the request's own."""
    with pytest.raises(InvalidRequest) as caught:
        messages.decode({"cmd": "ping", "idd": 1, "strict": in_request}, Ping, strict=not in_request)
    assert (caught.value.field, caught.value.suggestions) == ("idd", ("id",))


def test_unknown_commands_name_the_nearest():
    """And say how to list all."""
    with pytest.raises(UnknownCommand) as caught:
        messages.command_name({"cmd": "separte"}, ["separate", "ping"])
    assert "Did you mean: separate?" in caught.value.message
    assert caught.value.suggestions == ("separate",)
    assert "describe" in caught.value.hint


@pytest.mark.parametrize("fields", [{}, {"cmd": None}, {"cmd": 3}, {"command": "ping"}])
def test_a_request_needs_a_command(fields):
    """Its name must be a string in `cmd`."""
    with pytest.raises(InvalidRequest) as caught:
        messages.command_name(fields, ["ping"])
    assert caught.value.field == "cmd"


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "holds a list"),
        (b"null", "holds null"),
        (b"true", "holds true or false"),
        (b"5", "holds a whole number"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' + b"9" * 5000 + b"}", "out of range"),
    ],
)
def test_lines_that_are_no_objects_are_explained(line, part):
    """One sentence says what the line is."""
    with pytest.raises(InvalidJson, match=part):
        messages.parse(line)


@pytest.mark.parametrize(("given", "found"), [("a", "a"), (3, 3), (1.5, 1.5), (True, None), ([1], None), (None, None)])
def test_only_strings_and_numbers_are_ids(given, found):
    """What cannot be an id is not repeated."""
    assert messages.request_id({"id": given}) == found


def test_a_reply_is_addressed_to_its_request():
    """With id and warnings, each once; without them nothing is added."""
    reply = messages.addressed(Pong(model_loaded=None, warnings=["a"]), "x", ["a", "b"])
    assert (reply.id, reply.warnings) == ("x", ["a", "b"])
    assert messages.addressed(Pong(model_loaded=None), None) == Pong(model_loaded=None)


def test_explanations_never_lose_what_is_not_understood():
    """A finding of an unknown form is passed on."""
    assert json.dumps("Object is too funny")[1:-1] in messages.explain("Object is too funny - at `$.x`", Ping).message
