"""How much memory an ONNX network takes at once, from the constants and the shapes in its file: nothing of it is run.

The runtime computes what is constant while it reads a file, and believes all sizes, so that a tiny file could take all memory.
Every operation that is allowed has its rule here. A size that cannot be told before the network runs is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, prod, trunc
from typing import Any

from utils.store.onnx_graphs import MOST_NUMBERS, Graph, Node, Numbers, Refused, Shape, Value

LEAST_LIMIT = 1 << 27  # elements
MOST_PER_INPUT = (
    256  # elements at once for each one of the input; a layer of 48 channels, as public networks have, takes 12
)
LONGEST_SHAPE = 16
LARGEST_NUMBER = 1 << 53

WHOLE = frozenset({2, 3, 4, 5, 6, 7, 12, 13})  # the types of whole numbers

Inputs = Sequence[Value | None]
Rule = Callable[[Node, Inputs], Value]


def require_bounded(graph: Graph, given: Shape) -> None:
    """Raise `Refused` if a network that is given this shape takes far more memory than any that is made for it."""
    limit = max(LEAST_LIMIT, MOST_PER_INPUT * prod(given))
    last_use = {name: index for index, node in enumerate(graph.nodes) for name in node.inputs}
    values = {**graph.constants}
    for name, sizes in graph.inputs.items():
        values[name] = Value(
            given if len(sizes) == len(given) else tuple(1 if size is None else size for size in sizes)
        )
    alive = sum(value.elements for value in values.values())
    for index, node in enumerate(graph.nodes):
        for name, value in _results(node, values):
            _require_shape(node, value.shape)
            alive += value.elements
            if alive > limit:
                raise Refused(f"its operation `{node.kind}` makes {alive} numbers of an input of {prod(given)}")
            values[name] = value
        for name in dict.fromkeys((*node.inputs, *node.outputs)):
            if name in values and name not in graph.outputs and last_use.get(name, -1) <= index:
                alive -= values.pop(name).elements


def _results(node: Node, values: dict[str, Value]) -> list[tuple[str, Value]]:
    rule = RULES.get(node.kind)
    if rule is None:
        raise Refused(f"it has the operation `{node.kind[:40]}`")
    inputs = [values.get(name) if name else None for name in node.inputs]
    try:
        result = rule(node, inputs)
    except (TypeError, AttributeError, LookupError, ValueError, ArithmeticError) as error:
        raise Refused(f"what its operation `{node.kind}` makes cannot be told beforehand") from error
    return [(name, result) for name in node.outputs if name]


def _require_shape(node: Node, shape: Shape) -> None:
    if len(shape) > LONGEST_SHAPE or any(size < 0 for size in shape):
        raise Refused(f"its operation `{node.kind}` has an impossible shape")


# Parts of rules -----------------------------------------------------------------------------------------------------


def _shape(value: Value | None) -> Shape:
    return value.shape  # type: ignore[union-attr]  # what is missing cannot be told, as `_results` says


def _whole(value: Value | None) -> tuple[int, ...]:
    """The numbers of an input that is known beforehand."""
    return tuple(int(number) for number in value.numbers)  # type: ignore[union-attr]  # as above


def _optional(node: Node, inputs: Inputs, place: int, name: str) -> tuple[int, ...] | None:
    """What earlier versions had as an attribute and later ones as an input."""
    if name in node.attributes:
        given: Any = node.attributes[name]
        return tuple(int(number) for number in (given if isinstance(given, tuple) else (given,)))
    return _whole(inputs[place]) if place < len(inputs) and inputs[place] is not None else None


def _number(node: Node, name: str, default: int) -> int:
    value: Any = node.attributes.get(name, default)
    return int(value)


def _numbers(node: Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value: Any = node.attributes.get(name, default)
    return tuple(int(number) for number in value)


def _broadcast(*shapes: Shape) -> Shape:
    rank = max(map(len, shapes))
    rows = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(0 if 0 in sizes else max(sizes) for sizes in zip(*rows, strict=True))


def _replaced(shape: Shape, axis: int, *sizes: int) -> Shape:
    axis = axis % len(shape)
    return (*shape[:axis], *sizes, *shape[axis + 1 :])


def _few(numbers: Sequence[float] | None) -> Numbers | None:
    return tuple(numbers) if numbers is not None and len(numbers) <= MOST_NUMBERS else None


# Rules --------------------------------------------------------------------------------------------------------------


def _same(_: Node, inputs: Inputs) -> Value:
    """As large as the first input."""
    return Value(_shape(inputs[0]))


def _kept(node: Node, inputs: Inputs) -> Value:
    numbers = inputs[0].numbers if inputs[0] is not None else None
    if numbers is not None and node.attributes.get("to") in WHOLE:
        numbers = tuple(map(trunc, numbers))
    return Value(_shape(inputs[0]), numbers)


def _elementwise(compute: Callable[..., float] | None = None) -> Rule:
    """Inputs that are broadcast to one shape. `compute` works on shapes that are computed from others."""

    def rule(_: Node, inputs: Inputs) -> Value:
        shape = _broadcast(*map(_shape, inputs))
        known = [value.numbers for value in inputs if value is not None and value.numbers is not None]
        count = prod(shape)
        if compute is None or len(known) < len(inputs) or count > MOST_NUMBERS or len(shape) > 1:
            return Value(shape)
        columns = [numbers * count if len(numbers) == 1 else numbers for numbers in known]
        made = tuple(compute(*row) for row in zip(*columns, strict=True))
        if any(abs(number) > LARGEST_NUMBER for number in made):
            raise OverflowError
        return Value(shape, made)

    return rule


def _constant(node: Node, _: Inputs) -> Value:
    name: str
    given: Any
    ((name, given),) = node.attributes.items()
    if isinstance(given, Value):
        return given
    if isinstance(given, str):
        return Value(())
    numbers = given if isinstance(given, tuple) else (given,)
    return Value((len(numbers),) if name.endswith("s") else (), _few(numbers))


def _constant_of_shape(node: Node, inputs: Inputs) -> Value:
    shape = _whole(inputs[0])
    given = node.attributes.get("value")
    number = (given.numbers or (0.0,))[0] if isinstance(given, Value) else 0
    return Value(shape, (number,) * prod(shape) if 0 <= prod(shape) <= MOST_NUMBERS else None)


def _shape_of(node: Node, inputs: Inputs) -> Value:
    end: Any = node.attributes.get("end")
    sizes = _shape(inputs[0])[_number(node, "start", 0) : end]
    return Value((len(sizes),), sizes)


def _size(_: Node, inputs: Inputs) -> Value:
    return Value((), (prod(_shape(inputs[0])),))


def _expand(_: Node, inputs: Inputs) -> Value:
    return Value(_broadcast(_shape(inputs[0]), _whole(inputs[1])))


def _tile(_: Node, inputs: Inputs) -> Value:
    return Value(tuple(size * count for size, count in zip(_shape(inputs[0]), _whole(inputs[1]), strict=True)))


def _pad(node: Node, inputs: Inputs) -> Value:
    shape, pads = list(_shape(inputs[0])), _optional(node, inputs, 1, "pads") or ()
    axes = _whole(inputs[3]) if len(inputs) > 3 else range(len(shape))
    for place, axis in enumerate(axes):
        shape[axis] += pads[place] + pads[place + len(pads) // 2]
    return Value(tuple(shape))


def _resize(node: Node, inputs: Inputs) -> Value:
    shape = _shape(inputs[0])
    if "axes" in node.attributes:
        raise ValueError
    if len(inputs) > 3 and inputs[3] is not None and inputs[3].shape != (0,):
        return Value(_whole(inputs[3]))
    given: Any = node.attributes.get("scales") or inputs[1 if len(inputs) == 2 else 2].numbers  # type: ignore[union-attr]
    return Value(tuple(ceil(size * scale) for size, scale in zip(shape, given, strict=True)))


def _reshape(node: Node, inputs: Inputs) -> Value:
    shape, wanted = _shape(inputs[0]), _optional(node, inputs, 1, "shape") or ()
    copies = not _number(node, "allowzero", 0)
    sizes = [shape[axis] if size == 0 and copies else size for axis, size in enumerate(wanted)]
    if -1 in sizes:
        rest = prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = prod(shape) // rest if rest else 0
    return Value(tuple(sizes), _kept(node, inputs).numbers)


def _flatten(node: Node, inputs: Inputs) -> Value:
    shape, axis = _shape(inputs[0]), _number(node, "axis", 1)
    return Value((prod(shape[:axis]), prod(shape[axis:])))


def _squeeze(node: Node, inputs: Inputs) -> Value:
    shape, axes = _shape(inputs[0]), _optional(node, inputs, 1, "axes")
    gone = (
        {axis % len(shape) for axis in axes} if axes is not None else {i for i, size in enumerate(shape) if size == 1}
    )
    return Value(tuple(size for axis, size in enumerate(shape) if axis not in gone), _kept(node, inputs).numbers)


def _unsqueeze(node: Node, inputs: Inputs) -> Value:
    axes = _optional(node, inputs, 1, "axes") or ()
    shape, rank = list(_shape(inputs[0])), len(_shape(inputs[0])) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    return Value(tuple(shape), _kept(node, inputs).numbers)


def _transpose(node: Node, inputs: Inputs) -> Value:
    shape = _shape(inputs[0])
    order = _numbers(node, "perm", tuple(reversed(range(len(shape)))))
    return Value(tuple(shape[axis] for axis in order))


def _concat(node: Node, inputs: Inputs) -> Value:
    shapes, axis = [_shape(value) for value in inputs], _number(node, "axis", 1)
    known = [value.numbers for value in inputs if value is not None and value.numbers is not None]
    numbers = (
        [number for each in known for number in each] if len(known) == len(inputs) and len(shapes[0]) == 1 else None
    )
    return Value(_replaced(shapes[0], axis, sum(shape[axis] for shape in shapes)), _few(numbers))


def _split(node: Node, inputs: Inputs) -> Value:
    """The largest part stands for all."""
    shape, axis = _shape(inputs[0]), _number(node, "axis", 0)
    parts = _optional(node, inputs, 1, "split") or (ceil(shape[axis] / len(node.outputs)),)
    return Value(_replaced(shape, axis, max(parts)))


def _slice(node: Node, inputs: Inputs) -> Value:
    """At most what there was; of a shape that is computed, and of sizes that are known, just that."""
    shape, value = _shape(inputs[0]), inputs[0]
    starts, ends = _optional(node, inputs, 1, "starts"), _optional(node, inputs, 2, "ends")
    if starts is None or ends is None:
        return Value(shape)
    axes = _optional(node, inputs, 3, "axes") or tuple(range(len(starts)))
    steps = _optional(node, inputs, 4, "steps") or (1,) * len(starts)
    sizes = list(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        sizes[axis] = len(range(*slice(start, end, step).indices(shape[axis])))
    numbers = value.numbers[starts[0] : ends[0] : steps[0]] if value and value.numbers and len(shape) == 1 else None
    return Value(tuple(sizes), numbers)


def _gather(node: Node, inputs: Inputs) -> Value:
    shape, indices, value = _shape(inputs[0]), inputs[1], inputs[0]
    numbers = None
    if value is not None and value.numbers is not None and indices is not None and indices.numbers is not None:
        numbers = tuple(value.numbers[int(index)] for index in indices.numbers) if len(shape) == 1 else None
    return Value(_replaced(shape, _number(node, "axis", 0), *_shape(indices)), numbers)


def _gather_elements(_: Node, inputs: Inputs) -> Value:
    return Value(_shape(inputs[1]))


def _gather_nd(node: Node, inputs: Inputs) -> Value:
    shape, indices = _shape(inputs[0]), _shape(inputs[1])
    return Value(indices[:-1] + shape[_number(node, "batch_dims", 0) + indices[-1] :])


def _reduce(node: Node, inputs: Inputs) -> Value:
    shape = _shape(inputs[0])
    axes = _optional(node, inputs, 1, "axes")
    if not axes:
        axes = () if _number(node, "noop_with_empty_axes", 0) else tuple(range(len(shape)))
    gone = {axis % len(shape) for axis in axes}
    return Value(_reduced(shape, gone, keep=bool(_number(node, "keepdims", 1))))


def _arg(node: Node, inputs: Inputs) -> Value:
    shape = _shape(inputs[0])
    gone = {_number(node, "axis", 0) % len(shape)}
    return Value(_reduced(shape, gone, keep=bool(_number(node, "keepdims", 1))))


def _reduced(shape: Shape, gone: set[int], *, keep: bool) -> Shape:
    return tuple(1 if axis in gone else size for axis, size in enumerate(shape) if keep or axis not in gone)


def _global_pool(_: Node, inputs: Inputs) -> Value:
    shape = _shape(inputs[0])
    return Value(shape[:2] + (1,) * (len(shape) - 2))


def _window(node: Node, inputs: Inputs, kernel: Shape) -> list[tuple[int, int, int, int]]:
    """Along each axis that a kernel moves over: the input, the reach of the kernel, the step and the padding."""
    spatial = _shape(inputs[0])[2:]
    ones, none = (1,) * len(spatial), (0,) * 2 * len(spatial)
    steps, gaps, pads = _numbers(node, "strides", ones), _numbers(node, "dilations", ones), _numbers(node, "pads", none)
    reach = [(size - 1) * gap + 1 for size, gap in zip(kernel, gaps, strict=True)]
    around = [before + after for before, after in zip(pads[: len(spatial)], pads[len(spatial) :], strict=True)]
    if any(step < 1 for step in steps) or min(reach, default=1) < 1:
        raise ValueError
    return list(zip(spatial, reach, steps, around, strict=True))


def _is_padded_to_same(node: Node) -> bool:
    return str(node.attributes.get("auto_pad", "")).startswith("SAME")


def _moved(node: Node, inputs: Inputs, kernel: Shape) -> Shape:
    same, rounded = _is_padded_to_same(node), ceil if _number(node, "ceil_mode", 0) else floor
    return tuple(
        ceil(size / step) if same else max(0, rounded((size + around - reach) / step) + 1)
        for size, reach, step, around in _window(node, inputs, kernel)
    )


def _convolution(node: Node, inputs: Inputs) -> Value:
    weights = _shape(inputs[1])
    return Value((_shape(inputs[0])[0], weights[0], *_moved(node, inputs, weights[2:])))


def _transposed_convolution(node: Node, inputs: Inputs) -> Value:
    weights = _shape(inputs[1])
    channels = weights[1] * _number(node, "group", 1)
    sizes = _numbers(node, "output_shape", ())
    if not sizes:
        more = _numbers(node, "output_padding", (0,) * (len(weights) - 2))
        windows = zip(_window(node, inputs, weights[2:]), more, strict=True)
        same = _is_padded_to_same(node)
        sizes = tuple(
            size * step if same else step * (size - 1) + reach + extra - around
            for (size, reach, step, around), extra in windows
        )
    return Value((_shape(inputs[0])[0], channels, *sizes[2 - len(weights) :]))


def _pool(node: Node, inputs: Inputs) -> Value:
    return Value((*_shape(inputs[0])[:2], *_moved(node, inputs, _numbers(node, "kernel_shape", ()))))


def _product(_: Node, inputs: Inputs) -> Value:
    left, right = _shape(inputs[0]), _shape(inputs[1])
    rows = left[-2:-1] if len(left) > 1 else ()
    columns = right[-1:] if len(right) > 1 else ()
    return Value((*_broadcast(left[:-2], right[:-2]), *rows, *columns))


def _gemm(node: Node, inputs: Inputs) -> Value:
    rows = _shape(inputs[0])[1 if _number(node, "transA", 0) else 0]
    return Value((rows, _shape(inputs[1])[0 if _number(node, "transB", 0) else 1]))


def _einsum(node: Node, inputs: Inputs) -> Value:
    terms, _, result = str(node.attributes["equation"]).replace(" ", "").partition("->")
    sizes = {
        letter: size
        for term, value in zip(terms.split(","), inputs, strict=True)
        for letter, size in zip(term, _shape(value), strict=True)
    }
    return Value(tuple(sizes[letter] for letter in result))


def _depth_to_space(node: Node, inputs: Inputs) -> Value:
    count, channels, *spatial = _shape(inputs[0])
    block = _number(node, "blocksize", 1)
    return Value((count, channels // block**2, *(size * block for size in spatial)))


def _space_to_depth(node: Node, inputs: Inputs) -> Value:
    count, channels, *spatial = _shape(inputs[0])
    block = _number(node, "blocksize", 1)
    return Value((count, channels * block**2, *(size // block for size in spatial)))


def _recurrent(node: Node, inputs: Inputs) -> Value:
    length, count = _shape(inputs[0])[:2]
    return Value((length, _shape(inputs[1])[0], count, _number(node, "hidden_size", _shape(inputs[2])[-1])))


def _named(rule: Rule, words: str) -> dict[str, Rule]:
    return dict.fromkeys(words.split(), rule)


# The operations that networks are made of. Others could run for ever, or make numbers out of nothing.
RULES: dict[str, Rule] = {
    **_named(
        _same,
        """
        Abs BatchNormalization Clip Cos DequantizeLinear Dropout Elu Erf Exp Gelu GroupNormalization HardSigmoid
        HardSwish InstanceNormalization LayerNormalization LeakyRelu Log LogSoftmax LpNormalization Mish Neg Not
        QuantizeLinear Reciprocal Relu Round Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Tanh ThresholdedRelu
        """,
    ),
    **_named(_kept, "Cast CastLike Identity"),
    **_named(_elementwise(), "Greater GreaterOrEqual Less LessOrEqual Max Min Mod PRelu Pow Sum"),
    "Add": _elementwise(lambda left, right: left + right),
    "Sub": _elementwise(lambda left, right: left - right),
    "Mul": _elementwise(lambda left, right: left * right),
    "Div": _elementwise(lambda left, right: left / right if isinstance(left, float) else trunc(left / right)),
    "Floor": _elementwise(floor),
    "Ceil": _elementwise(ceil),
    "Equal": _elementwise(lambda left, right: left == right),
    "Where": _elementwise(lambda condition, left, right: left if condition else right),
    **_named(_reduce, "ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"),
    **_named(_pool, "AveragePool MaxPool"),
    **_named(_recurrent, "GRU LSTM RNN"),
    **_named(_resize, "Resize Upsample"),
    "ArgMax": _arg,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "DepthToSpace": _depth_to_space,
    "Einsum": _einsum,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "MatMul": _product,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape_of,
    "Size": _size,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
