"""Writes small ONNX files of any operations, for tests."""

from __future__ import annotations

import struct

import numpy as np

from utils.store.onnx_wire import packed, varint

KINDS = {"float32": 1, "int32": 6, "int64": 7, "bool": 9}
OPSET = 17


def number(field, value):
    return varint(field << 3) + varint(value & (1 << 64) - 1)


def tensor(values, name=""):
    values = np.asarray(values)
    shape = b"".join(number(1, size) for size in values.shape)
    kind = number(2, KINDS[values.dtype.name])
    return shape + kind + packed(8, name.encode()) + packed(9, np.ascontiguousarray(values).tobytes())


def attribute(name, value):
    head = packed(1, name.encode())
    match value:
        case int():
            return head + number(3, value) + number(20, 2)
        case float():
            return head + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
        case str():
            return head + packed(4, value.encode()) + number(20, 3)
        case np.ndarray():
            return head + packed(5, tensor(value)) + number(20, 4)
        case [float(), *_]:
            return head + b"".join(varint(7 << 3 | 5) + struct.pack("<f", each) for each in value) + number(20, 6)
    return head + b"".join(number(8, each) for each in value) + number(20, 7)


def node(kind, inputs, outputs=("out",), **attributes):
    names = b"".join(packed(1, name.encode()) for name in inputs)
    made = b"".join(packed(2, name.encode()) for name in outputs)
    return (
        names + made + packed(4, kind.encode()) + b"".join(packed(5, attribute(*item)) for item in attributes.items())
    )


def end(name, shape, kind="float32"):
    """An input or output; a size that is no number is open."""
    sizes = b"".join(
        packed(1, number(1, size) if isinstance(size, int) else packed(2, str(size).encode())) for size in shape
    )
    return packed(1, name.encode()) + packed(2, packed(1, number(1, KINDS[kind]) + packed(2, sizes)))


def untyped(name):
    """An output whose shape is not stated."""
    return packed(1, name.encode())


def model(nodes, *, inputs=(), outputs=(), opset=OPSET, more=b"", **tensors):
    parts = [
        *(packed(1, each) for each in nodes),
        packed(2, b"graph"),
        *(packed(5, tensor(values, name)) for name, values in tensors.items()),
        *(packed(11, each) for each in inputs),
        *(packed(12, each) for each in outputs),
    ]
    return number(1, 8) + packed(7, b"".join(parts)) + packed(8, number(2, opset)) + more
