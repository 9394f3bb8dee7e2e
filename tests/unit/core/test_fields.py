"""What the fields of a struct say about themselves."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta, inspect

from utils.core.fields import fields_of


class Song(msgspec.Struct):
    """A struct with a field of each kind."""

    title: Annotated[str, Meta(description="Its name.")]
    year: Annotated[int, Meta(ge=0, description="CPU time.")] | None = None
    rate: Annotated[
        Annotated[int, Meta(ge=8000, description="Inner.")] | Literal["source"] | None, Meta(description="A rate.")
    ] = None
    mood: Literal["slow", "fast"] = "slow"
    tags: list[str] = []


FIELDS = {field.name: field for field in fields_of(Song)}


def test_fields_come_in_order():
    """All of them, as the struct has them."""
    assert list(FIELDS) == ["title", "year", "rate", "mood", "tags"]


def test_alternatives_are_told_apart():
    """Without null, and with the bounds that each has."""
    assert [type(kind) for kind in FIELDS["rate"].types] == [inspect.IntType, inspect.LiteralType]
    rate = FIELDS["rate"].type_of(inspect.IntType)
    assert rate is not None
    assert rate.ge == 8000
    assert FIELDS["title"].type_of(inspect.IntType) is None


def test_choices_keep_their_order():
    """Which is by meaning, not by the alphabet."""
    assert FIELDS["mood"].choices == ("slow", "fast")
    assert FIELDS["title"].choices == ()


@pytest.mark.parametrize(("name", "default"), [("title", None), ("year", None), ("mood", "slow"), ("tags", None)])
def test_defaults_are_plain_values(name, default):
    """A required field, and one that is made anew each time, has none to show."""
    assert FIELDS[name].default == default


def test_the_outermost_description_counts():
    """Also one that stands within `| None`."""
    assert [field.description for field in FIELDS.values()] == ["Its name.", "CPU time.", "A rate.", "", ""]


def test_a_description_becomes_a_phrase():
    """Without its full stop and its capital, unless that is an abbreviation's."""
    assert [FIELDS[name].phrase for name in ("title", "year", "rate", "mood")] == ["its name", "CPU time", "a rate", ""]
