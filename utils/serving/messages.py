"""From a line to a typed request, and from an engine's reply to the one that is sent.

The errors here are read by programmers whose request does not work: every message names the field, says what it should
be, and suggests the nearest known name.
"""

from __future__ import annotations

import functools
import itertools
import re
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, inspect

from utils.core.errors import InvalidJson, InvalidRequest, UnknownCommand, did_you_mean, nearest
from utils.core.field_errors import LIST_COMMANDS, WORDS, explain, with_whole_numbers
from utils.core.fields import alternatives, fields_of
from utils.core.replies import Reply
from utils.core.requests import Request, RequestId
from utils.core.typed import convert

Fields = dict[str, Any]
R = TypeVar("R", bound=Reply)
# Of a request's unknown fields, so many are named: what it costs to look for the nearest known ones is bounded by this.
MOST_UNKNOWN = 20
DEEPEST = 100
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class Decoded(NamedTuple):
    """A request, and warnings for its sender."""

    request: Request
    warnings: list[str]


# Reading ----------------------------------------------------------------------------------------------------------


def parse(line: bytes) -> Fields:
    """The object on a line, without fields that are null or an empty string: clients mean "not given" by both."""
    try:
        fields = msgspec.json.decode(line)
    except UnicodeDecodeError as error:
        raise InvalidJson(f"The line is not UTF-8: byte {error.start} cannot be read.") from error
    except RecursionError as error:
        raise InvalidJson("The line is nested too deeply.") from error
    except msgspec.DecodeError as error:
        raise InvalidJson(f"The line is not valid JSON: {error}.") from error
    if _is_deep(fields):
        raise InvalidJson(f"The line is nested too deeply: more than {DEEPEST} levels.")
    if not isinstance(fields, dict):
        raise InvalidJson(
            f'The line holds {WORDS[type(fields).__name__]}, but must hold an object such as {{"cmd":"ping"}}.'
        )
    return _given(fields)


def _is_deep(value: Any) -> bool:
    """Whether a value is nested more deeply than any request; what follows may then walk through it by recursion."""
    level = [value]
    for _ in range(DEEPEST + 1):
        if not level:
            return False
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level = [item for items in inner for item in items]
    return bool(level)


def _given(fields: Fields) -> Fields:
    """These fields and those of the objects in them, without what is not given."""
    return {
        name: _given(value)
        if isinstance(value, dict)
        else [_given(item) if isinstance(item, dict) else item for item in value]
        if isinstance(value, list)
        else value
        for name, value in fields.items()
        if value is not None and (value != "" or name == "id")
    }


def request_id(fields: Fields) -> RequestId | None:
    """The id to repeat, if there is a usable one, however wrong the rest may be."""
    found = fields.get("id")
    return found if isinstance(found, (str, int, float)) and not isinstance(found, bool) else None


def command_name(fields: Fields, known: Collection[str]) -> str:
    """The command of a request."""
    name = fields.get("cmd")
    if not isinstance(name, str):
        raise InvalidRequest("A request needs the name of a command in `cmd`.", hint=LIST_COMMANDS, field="cmd")
    if name not in known:
        near = nearest(name, known)
        raise UnknownCommand(
            f"This worker has no command `{name}`.{did_you_mean(near)}", hint=LIST_COMMANDS, suggestions=near
        )
    return name


def decode(fields: Fields, request: type[Request], *, strict: bool = False) -> Decoded:
    """The typed request. Fields of the wrong type are errors; unknown fields are warnings, or errors if strict."""
    try:
        typed = convert(with_whole_numbers(_with_values(fields, request)), request)
    except msgspec.ValidationError as error:
        raise explain(str(error), request) from error
    found = unknown_fields(fields, request)
    unknown = list(itertools.islice(found, MOST_UNKNOWN))
    if unknown and (strict or typed.strict):
        name, near = unknown[0].path, unknown[0].nearest()
        raise InvalidRequest(_unknown_sentence(name, near), field=name, suggestions=near, hint=LIST_COMMANDS)
    warnings = [_unknown_sentence(field.path, field.nearest()) for field in unknown]
    if more := sum(1 for _ in found):
        warnings.append(f"{more} more unknown fields")
    return Decoded(typed, warnings)


def _with_values(fields: Fields, request: type[Request]) -> Fields:
    """With numbers, truth values and lists for the strings that some clients write them as: `"1"`, `"true"`, `"a,b"`."""
    if not any(isinstance(value, str) for value in fields.values()):
        return fields
    kinds = _kinds_of(request)
    return {
        name: _value_of(value, kinds[name]) if isinstance(value, str) and name in kinds else value
        for name, value in fields.items()
    }


@functools.cache
def _kinds_of(request: type[Request]) -> dict[str, tuple[inspect.Type, ...]]:
    """The types of those fields that may be written as strings without being strings."""
    return {
        field.name: field.types
        for field in fields_of(request)
        if not field.type_of(inspect.StrType) and (field.by_commas or not field.type_of(inspect.ListType))
    }


def _value_of(text: str, kinds: Iterable[inspect.Type]) -> Any:
    """What a string stands for in a field of these types; the string itself where that is none of them."""
    for kind in kinds:
        if isinstance(kind, inspect.ListType):
            items = list(alternatives(kind.item_type))
            return [_value_of(part.strip(), items) for part in text.split(",")]
        if isinstance(kind, inspect.StrType):
            return text
        if isinstance(kind, inspect.BoolType) and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if isinstance(kind, inspect.IntType | inspect.FloatType) and NUMBER.fullmatch(text):
            return float(text)
    return text


# Unknown fields ---------------------------------------------------------------------------------------------------


class UnknownField(NamedTuple):
    """A field that a struct does not have: where it is in the request, its name, and the names that are known there."""

    path: str
    name: str
    known: Collection[str]

    def nearest(self) -> list[str]:
        return nearest(self.name, self.known)


def unknown_fields(fields: Mapping[str, Any], struct: type[msgspec.Struct]) -> Iterator[UnknownField]:
    """Each field that `struct` does not have; also inside nested objects."""
    known = _inner_structs(struct)
    tag_field = struct.__struct_config__.tag_field
    for name, value in fields.items():
        if name in known:
            inner = known[name]
            if inner is not None and isinstance(value, dict):
                for deeper in unknown_fields(value, inner):
                    yield deeper._replace(path=f"{name}.{deeper.path}")
        elif name != tag_field:
            yield UnknownField(name, name, known)


@functools.cache
def _inner_structs(struct: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct] | None]:
    """The fields of a struct, each with the struct that may be in it."""
    hints = typing.get_type_hints(struct)
    return {field.encode_name: _struct_in(hints[field.name]) for field in msgspec.structs.fields(struct)}


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    """The struct that a hint such as `Preview | None` allows."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next((found for part in typing.get_args(hint) if (found := _struct_in(part))), None)


def _unknown_sentence(name: str, near: Sequence[str]) -> str:
    return f"unknown field `{name}`" + (f"; did you mean `{near[0]}`?" if near else "")


# Answering --------------------------------------------------------------------------------------------------------


def addressed(reply: R, to: RequestId | None, warnings: Sequence[str] = ()) -> R:
    """The reply as it is sent: with the request's id, if it had one, and with the warnings.

    Most replies have `warnings` only if there are any; those that set the field, even to an empty list, keep it.
    """
    every = [] if reply.warnings is UNSET else list(reply.warnings)
    every += [warning for warning in warnings if warning not in every]
    return msgspec.structs.replace(
        reply, id=UNSET if to is None else to, warnings=UNSET if reply.warnings is UNSET and not every else every
    )
