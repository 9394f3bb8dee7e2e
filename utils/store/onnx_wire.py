"""The bytes of ONNX files: messages of protocol buffers, and the one change that is made to them.

Public files fix the number of frames that their network takes, although most networks could process any number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

GRAPH = 7
NODE_INFO = 13  # shapes of intermediate values; they may repeat the number of frames and are not needed
ENDS = (11, 12)  # inputs and outputs
SHAPE_OF_END = (2, 1, 2)  # type, tensor type, shape
DIMENSION, VALUE, NAME = 1, 1, 2
FRAMES_AXIS = 3
LONGEST_NUMBER_BITS = 70
BYTES = 2  # the wire type of fields that hold bytes


class WireField(NamedTuple):
    """One field of a protocol buffer message: its number, its encoding, and its content if that is bytes."""

    number: int
    raw: bytes | memoryview
    content: bytes | memoryview | None


def without_fixed_frames(model: bytes) -> bytes:
    """The model with inputs and outputs of any number of frames. Raises `ValueError` or `IndexError` if it is none.

    The number is the value of the fourth dimension in their shapes.
    """
    parts = []
    for field in fields(model):
        if field.number != GRAPH:
            parts.append(field.raw)
            continue
        kept = [each for each in fields(field.content or b"") if each.number != NODE_INFO]
        freed = (_within(each, SHAPE_OF_END, _free_shape) if each.number in ENDS else each.raw for each in kept)
        parts.append(packed(GRAPH, b"".join(freed)))
    return b"".join(parts)


def _within(field: WireField, path: tuple[int, ...], change: Any) -> bytes:
    """The field, changed at a path of nested fields."""
    content = field.content or b""
    if not path:
        return packed(field.number, change(content))
    inner = (_within(each, path[1:], change) if each.number == path[0] else each.raw for each in fields(content))
    return packed(field.number, b"".join(inner))


def _free_shape(shape: bytes | memoryview) -> bytes:
    dimensions = [field.raw for field in fields(shape) if field.number == DIMENSION]
    if len(dimensions) > FRAMES_AXIS:
        dimensions[FRAMES_AXIS] = packed(DIMENSION, packed(NAME, b"frames"))
    return b"".join(dimensions)


def fields(message: bytes | memoryview) -> Iterator[WireField]:
    """The fields of a message, in order."""
    place = 0
    while place < len(message):
        start = place
        key, place = number_at(message, place)
        kind = key & 7
        content = None
        if kind == BYTES:
            length, place = number_at(message, place)
            if place + length > len(message):
                raise ValueError("a field is longer than its message")
            content = message[place : place + length]
            place += length
        elif kind == 0:
            _, place = number_at(message, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of wire type {kind}")
        yield WireField(key >> 3, message[start:place], content)


def integers(field: WireField) -> list[int]:
    """The integers in a field, which may be packed."""
    message: bytes | memoryview = field.raw if field.content is None else field.content
    place = number_at(message, 0)[1] if field.content is None else 0
    values = []
    while place < len(message):
        value, place = number_at(message, place)
        values.append(value - (1 << 64) if value >> 63 else value)
    return values


def packed(number: int, content: bytes | memoryview) -> bytes:
    """A field that holds bytes."""
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A number as seven bits per byte, lowest first."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def number_at(message: bytes | memoryview, place: int) -> tuple[int, int]:
    """The number at a place, and the place after it."""
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if shift > LONGEST_NUMBER_BITS:
            raise ValueError("a number has no end")
        if byte < 0x80:
            return value, place
