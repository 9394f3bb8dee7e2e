"""What an ONNX file would have the runtime do, as far as that is needed to tell its cost. Reads the file's bytes only.

Nothing but graphs of plain operations is read: no functions, no graphs within operations, no tensors in other files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from utils.store.onnx_wire import ENDS, GRAPH, VALUE, WireField, fields, integers

MOST_NODES = 20_000
MOST_NUMBERS = 64  # of a tensor that may be a shape
DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})

# Numbers of fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
FUNCTIONS = 25
NODE, TENSOR, SPARSE_TENSOR = 1, 5, 15
NODE_INPUT, NODE_OUTPUT, NODE_KIND, NODE_ATTRIBUTE, NODE_DOMAIN = 1, 2, 4, 5, 7
ATTRIBUTE_NAME, ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPHS = 1, 5, (6, 11)
ATTRIBUTE_FLOAT, ATTRIBUTE_INTEGER, ATTRIBUTE_TEXT, ATTRIBUTE_FLOATS, ATTRIBUTE_INTEGERS = 2, 3, 4, 7, 8
TENSOR_SHAPE, TENSOR_KIND, TENSOR_FLOATS, TENSOR_INT32, TENSOR_INT64 = 1, 2, 4, 5, 7
TENSOR_NAME, TENSOR_RAW, TENSOR_OUTSIDE = 8, 9, 13
RAW_FORMATS = {1: "f", 6: "i", 7: "q", 9: "?", 11: "d"}
END_NAME, END_SHAPE = 1, (2, 1, 2)

Shape = tuple[int, ...]
Numbers = tuple[float, ...]


class Refused(Exception):
    """Why a network is not opened. The text goes on after its name."""


class Value(NamedTuple):
    """A tensor: its shape, and what is in it if that may be a shape itself."""

    shape: Shape
    numbers: Numbers | None = None

    @property
    def elements(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Node:
    """One operation. An input that is left out has no name."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, int | float | str | Numbers | Value]


@dataclass(frozen=True)
class Graph:
    """A network. The sizes of its inputs are None where the file leaves them open."""

    inputs: dict[str, tuple[int | None, ...]]
    outputs: frozenset[str]
    constants: dict[str, Value]
    nodes: Sequence[Node]


def read_graph(model: bytes | memoryview) -> Graph:
    """The graph of a file. Raises `Refused`, and for what is no such file other exceptions."""
    inputs: dict[str, tuple[int | None, ...]] = {}
    constants: dict[str, Value] = {}
    outputs: set[str] = set()
    nodes: list[Node] = []
    for field in fields(memoryview(model)):
        if field.number == FUNCTIONS:
            raise Refused("it defines operations of its own")
        for part in fields(field.content or b"") if field.number == GRAPH else ():
            content = part.content or b""
            if part.number == NODE:
                nodes.append(_node(content))
            elif part.number == TENSOR:
                name, value = _tensor(content)
                constants[name] = value
            elif part.number == ENDS[0]:
                inputs[_text(content, END_NAME)] = tuple(_sizes(content))
            elif part.number == ENDS[1]:
                outputs.add(_text(content, END_NAME))
            elif part.number == SPARSE_TENSOR:
                raise Refused("it has sparse tensors")
            if len(nodes) > MOST_NODES:
                raise Refused(f"it has more than {MOST_NODES} operations")
    own = {name: sizes for name, sizes in inputs.items() if name not in constants}
    return Graph(own, frozenset(outputs), constants, nodes)


def _node(message: bytes | memoryview) -> Node:
    parts = list(fields(message))
    kind = "".join(_texts(parts, NODE_KIND))
    if not DOMAINS.issuperset(_texts(parts, NODE_DOMAIN)):
        raise Refused(f"it has the operation `{kind[:40]}` of its own")
    attributes = dict(_attribute(kind, part.content or b"") for part in parts if part.number == NODE_ATTRIBUTE)
    return Node(kind, _texts(parts, NODE_INPUT), _texts(parts, NODE_OUTPUT), attributes)


def _attribute(kind: str, message: bytes | memoryview) -> tuple[str, int | float | str | Numbers | Value]:
    floats: list[float] = []
    whole: list[float] = []
    value: int | float | str | Numbers | Value | None = None
    for field in fields(message):
        if field.number in ATTRIBUTE_GRAPHS:
            raise Refused(f"its operation `{kind[:40]}` contains a graph")
        if field.number == ATTRIBUTE_TENSOR:
            value = _tensor(field.content or b"")[1]
        elif field.number == ATTRIBUTE_INTEGER:
            (value,) = integers(field)
        elif field.number == ATTRIBUTE_FLOAT:
            (value,) = _floats(field)
        elif field.number == ATTRIBUTE_TEXT:
            value = bytes(field.content or b"").decode("utf-8", "replace")
        elif field.number == ATTRIBUTE_FLOATS:
            floats += _floats(field)
        elif field.number == ATTRIBUTE_INTEGERS:
            whole += integers(field)
    return _text(message, ATTRIBUTE_NAME), value if value is not None else tuple(whole or floats)


def _tensor(message: bytes | memoryview) -> tuple[str, Value]:
    parts = list(fields(message))
    if any(part.number == TENSOR_OUTSIDE for part in parts):
        raise Refused("its tensors are in another file")
    shape = tuple(size for part in parts if part.number == TENSOR_SHAPE for size in integers(part))
    if any(size < 0 for size in shape):
        raise ValueError("a tensor has an impossible shape")
    numbers = tuple(_numbers(parts)) if prod(shape) <= MOST_NUMBERS else None
    return _text(message, TENSOR_NAME), Value(shape, numbers)


def _numbers(tensor: list[WireField]) -> Iterator[float]:
    kind = next((integers(part)[0] for part in tensor if part.number == TENSOR_KIND), 0)
    for part in tensor:
        if part.number == TENSOR_RAW and kind in RAW_FORMATS:
            content = bytes(part.content or b"")
            size = struct.calcsize(RAW_FORMATS[kind])
            yield from struct.unpack(f"<{len(content) // size}{RAW_FORMATS[kind]}", content)
        elif part.number in (TENSOR_INT32, TENSOR_INT64):
            yield from integers(part)
        elif part.number == TENSOR_FLOATS:
            yield from _floats(part)


def _floats(field: WireField) -> Iterable[float]:
    content = bytes(field.content if field.content is not None else field.raw[-4:])
    return struct.unpack(f"<{len(content) // 4}f", content)


def _sizes(message: bytes | memoryview, path: tuple[int, ...] = END_SHAPE) -> Iterator[int | None]:
    """The sizes in the type of an input."""
    for field in fields(message):
        if not path:
            yield next((integers(each)[0] for each in fields(field.content or b"") if each.number == VALUE), None)
        elif field.number == path[0]:
            yield from _sizes(field.content or b"", path[1:])


def _texts(parts: Iterable[WireField], number: int) -> tuple[str, ...]:
    return tuple(bytes(part.content or b"").decode("utf-8", "replace") for part in parts if part.number == number)


def _text(message: bytes | memoryview, number: int) -> str:
    return "".join(_texts(fields(message), number))
