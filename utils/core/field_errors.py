"""What is wrong with a field, in words: the sentences for people whose request, or recipe, does not have the types it should."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from utils.core.errors import InvalidRequest, did_you_mean, nearest

LIST_COMMANDS = '`{"cmd":"describe"}` lists the commands and their fields.'
# Larger integers are not exact in JavaScript, nor as a float here, so `1e300` stays a float.
LARGEST_EXACT = 2**53
# The types of JSON in words, by msgspec's name or by that of the Python type.
WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "array": "a list",
    "list": "a list",
    "object": "an object",
    "null": "null",
    "NoneType": "null",
}
TYPE_ERROR = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>\w+)`")
RANGE_ERROR = re.compile(r"Expected `(?P<expected>\w+)` (?P<sign>[<>]=?) (?P<limit>\S+)")
LENGTH_ERROR = re.compile(r"Expected `(?P<expected>\w+)` of length (?P<sign>[<>]=?) (?P<limit>\d+)")
CHOICE_ERROR = re.compile(r"Invalid enum value (?P<value>.+?)(?: - at|$)")
MISSING_ERROR = re.compile(r"missing required field `(?P<name>[^`]+)`")
PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")
SIGNS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


def explain(problem: str, request: type[msgspec.Struct]) -> InvalidRequest:
    """msgspec's message as a sentence for the sender, with the field's name."""
    place = PLACE.search(problem)
    field = place["path"] if place else ""
    if missing := MISSING_ERROR.search(problem):
        field = f"{field}.{missing['name']}" if field else missing["name"]
        return InvalidRequest(f"The field `{field}` is missing.", field=field, hint=LIST_COMMANDS)
    if wrong := CHOICE_ERROR.search(problem):
        value = wrong["value"].strip("'\"")
        choices = list(_literals(typing.get_type_hints(request).get(re.split(r"[.\[]", field)[0])))
        near = nearest(value, choices)
        return InvalidRequest(
            f"`{field}` must be one of {', '.join(choices)}, not `{value}`.{did_you_mean(near)}",
            field=field,
            suggestions=near or choices,
        )
    return InvalidRequest(f"`{field}` must be {_expectation(problem)}.", field=field, hint=LIST_COMMANDS)


def _expectation(problem: str) -> str:
    if wrong := TYPE_ERROR.search(problem):
        expected = [WORDS.get(kind, kind) for kind in wrong["expected"].split(" | ") if kind != "null"]
        return f"{' or '.join(expected)}, not {WORDS.get(wrong['got'], wrong['got'])}"
    if wrong := LENGTH_ERROR.search(problem):
        return f"{WORDS[wrong['expected']]} of {SIGNS[wrong['sign']]} {wrong['limit']}"
    if wrong := RANGE_ERROR.search(problem):
        return f"{SIGNS[wrong['sign']]} {wrong['limit'].removesuffix('.0')}"
    return f"something else ({problem})"


def _literals(hint: Any) -> Iterator[str]:
    """The choices of a field, however deep its hint holds them."""
    if typing.get_origin(hint) is typing.Literal:
        yield from map(str, typing.get_args(hint))
    else:
        for part in typing.get_args(hint):
            yield from _literals(part)


def with_whole_numbers(value: Any) -> Any:
    """`1.0` is a whole number in JSON, and some clients write every number that way."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: with_whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_whole_numbers(item) for item in value]
    return value
