"""What the fields of a struct say about themselves, for command lines and documentation: types, defaults, descriptions."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T", bound=inspect.Type)

BY_COMMAS = {"by_commas": True}  # `extra` of a list's annotation: it may also be one string, with commas


class Field(NamedTuple):
    """One field of a struct. `types` are the alternatives that a value may have, without null."""

    name: str
    types: tuple[inspect.Type, ...]
    choices: tuple[str, ...]  # the values of a Literal, as written
    default: object  # None where there is none
    description: str
    by_commas: bool = False  # a list of names that may be written as one string

    @property
    def phrase(self) -> str:
        """The description within a line of help: without a capital and a full stop."""
        first, rest = self.description[:1], self.description[1:].rstrip(".")
        return (first if rest[:1].isupper() else first.lower()) + rest

    def type_of(self, kind: type[T]) -> T | None:
        """The alternative of this kind, if there is one."""
        return next((found for found in self.types if isinstance(found, kind)), None)


def fields_of(struct: type[msgspec.Struct]) -> list[Field]:
    """All fields of a struct, in its order."""
    info = inspect.type_info(struct)
    fields = info.fields if isinstance(info, inspect.StructType) else ()
    hints = {field.name: field.type for field in msgspec.structs.fields(struct)}
    return [
        Field(
            field.name,
            tuple(alternatives(field.type)),
            tuple(_choices(hints[field.name])),
            None if field.default is msgspec.NODEFAULT else field.default,
            next(_descriptions(field.type), ""),
            any(_marks(field.type)),
        )
        for field in fields
    ]


def alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    """The types that a value may have: unions flattened, bounds kept, null and annotations left out."""
    if isinstance(kind, inspect.Metadata):
        yield from alternatives(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from alternatives(one)
    elif not isinstance(kind, inspect.NoneType):
        yield kind


def _descriptions(kind: inspect.Type) -> Iterator[str]:
    """The outermost description first."""
    if isinstance(kind, inspect.Metadata):
        if text := (kind.extra_json_schema or {}).get("description"):
            yield str(text)
        yield from _descriptions(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _descriptions(one)


def _marks(kind: inspect.Type) -> Iterator[bool]:
    """For each annotation whether it has the mark `BY_COMMAS`."""
    if isinstance(kind, inspect.Metadata):
        yield kind.extra == BY_COMMAS
        yield from _marks(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _marks(one)


def _choices(hint: Any) -> Iterator[str]:
    """msgspec.inspect sorts them, so they come from the hint itself."""
    if typing.get_origin(hint) is Literal:
        yield from map(str, typing.get_args(hint))
    else:
        for part in typing.get_args(hint):
            yield from _choices(part)
