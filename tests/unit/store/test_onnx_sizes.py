"""How large the values in a network are, compared with what the runtime makes of the same file."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from tests.aids.onnx_writer import OPSET, end, model, node, untyped
from utils.store import onnx_sizes
from utils.store.onnx_graphs import Refused, read_graph
from utils.store.onnx_sizes import RULES, require_bounded

RANDOM = np.random.default_rng(0)
X = (2, 8, 12, 10)  # the shape of `x`


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def whole(*numbers):
    return np.array(numbers, np.int64)


def one(kind, inputs=("x",), outputs=1, opset=OPSET, attributes=None, **tensors):
    """A network with this operation: how many outputs it has, and its constants by name."""
    names = [f"out{number}" for number in range(outputs)]
    return names, model(
        [node(kind, inputs, names, **(attributes or {}))],
        inputs=[end("x", X)],
        outputs=[untyped(name) for name in names],
        opset=opset,
        **tensors,
    )


CASES = {
    **{
        kind: one(kind)
        for kind in ["Abs", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softmax", "Softplus", "Softsign", "Sqrt", "Tanh", "ThresholdedRelu", "Clip", "Dropout", "GlobalAveragePool", "Shape", "Size", "ReduceMean", "ReduceSum", "Flatten", "Transpose"]
    },
    "Mish": one("Mish", opset=18),
    "Cast": one("Cast", attributes={"to": 7}),
    "CastLike": one("CastLike", ("x", "like"), like=whole(1)),
    "Add": one("Add", ("x", "y"), y=floats(3, 2, 1, 12, 1)),
    "Sub to one": one("Sub", ("x", "y"), y=floats(1)),
    "Mul": one("Mul", ("x", "y"), y=floats(10)),
    "Div": one("Div", ("x", "y"), y=floats(12, 1)),
    "Pow": one("Pow", ("x", "y"), y=floats(1)),
    "Sum": one("Sum", ("x", "y", "x"), y=floats(1, 1, 1)),
    "Max": one("Max", ("x", "y"), y=floats(1)),
    "Min": one("Min", ("x", "y"), y=floats(1)),
    "Mod": one("Mod", ("x", "y"), attributes={"fmod": 1}, y=floats(10)),
    "PRelu": one("PRelu", ("x", "y"), y=floats(8, 1, 1)),
    "Equal": one("Equal", ("x", "y"), y=floats(4, 1, 1, 1, 1)),
    "Greater": one("Greater", ("x", "y"), y=floats(1)),
    "GreaterOrEqual": one("GreaterOrEqual", ("x", "y"), y=floats(1)),
    "Less": one("Less", ("x", "y"), y=floats(1)),
    "LessOrEqual": one("LessOrEqual", ("x", "y"), y=floats(1)),
    "Not": one("Not", ("y",), y=np.array([True, False])),
    "Where": one("Where", ("c", "x", "y"), c=np.ones((12, 1), bool), y=floats(1)),
    "BatchNormalization": one("BatchNormalization", ("x", *"abcd"), **{name: abs(floats(8)) for name in "abcd"}),
    "InstanceNormalization": one("InstanceNormalization", ("x", *"ab"), a=floats(8), b=floats(8)),
    "LayerNormalization": one("LayerNormalization", ("x", "a"), a=floats(10)),
    "QuantizeLinear": one("QuantizeLinear", ("x", "s"), s=np.float32(0.1)),
    "DequantizeLinear": one("DequantizeLinear", ("y", "s"), y=np.ones((3, 4), np.int32), s=np.float32(0.1)),
    "Conv": one("Conv", ("x", "w"), attributes={"pads": [1, 2, 3, 4], "strides": [2, 1]}, w=floats(5, 8, 3, 3)),
    "Conv in groups": one("Conv", ("x", "w"), attributes={"group": 4, "dilations": [2, 3]}, w=floats(8, 2, 3, 2)),
    "Conv of the same size": one("Conv", ("x", "w"), attributes={"auto_pad": "SAME_UPPER", "strides": [3, 3]}, w=floats(5, 8, 3, 3)),
    "Conv without padding": one("Conv", ("x", "w"), attributes={"auto_pad": "VALID"}, w=floats(5, 8, 12, 10)),
    "ConvTranspose": one("ConvTranspose", ("x", "w"), attributes={"strides": [2, 3], "output_padding": [1, 2]}, w=floats(8, 3, 4, 4)),
    "ConvTranspose in groups": one("ConvTranspose", ("x", "w"), attributes={"group": 2, "pads": [1, 1, 0, 0]}, w=floats(8, 3, 2, 2)),
    "ConvTranspose to a size": one("ConvTranspose", ("x", "w"), attributes={"output_shape": [25, 21], "strides": [2, 2]}, w=floats(8, 3, 3, 3)),
    "ConvTranspose of the same size": one("ConvTranspose", ("x", "w"), attributes={"auto_pad": "SAME_UPPER", "strides": [2, 2]}, w=floats(8, 3, 3, 3)),
    "MaxPool": one("MaxPool", outputs=2, attributes={"kernel_shape": [3, 2], "strides": [2, 2]}),
    "AveragePool up": one("AveragePool", attributes={"kernel_shape": [5, 3], "ceil_mode": 1, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "MatMul": one("MatMul", ("x", "w"), w=floats(10, 7)),
    "MatMul of many": one("MatMul", ("w", "x"), w=floats(3, 1, 1, 5, 12)),
    "MatMul of vectors": one("MatMul", ("a", "b"), a=floats(4), b=floats(4)),
    "MatMul with a vector": one("MatMul", ("x", "b"), b=floats(10)),
    "Gemm": one("Gemm", ("a", "b"), attributes={"transA": 1, "transB": 1}, a=floats(4, 3), b=floats(5, 4)),
    "Einsum": one("Einsum", ("x", "w"), attributes={"equation": "nchw, dw -> ndh"}, w=floats(9, 10)),
    "Reshape": one("Reshape", ("x", "s"), s=whole(0, -1, 5)),
    "Reshape to nothing": one("Reshape", ("x", "s"), s=whole(-1)),
    "Squeeze": one("Squeeze", ("y", "a"), y=floats(1, 4, 1, 5), a=whole(0)),
    "Squeeze from the end": one("Squeeze", ("y", "a"), y=floats(1, 4, 1, 5), a=whole(-2)),
    "Squeeze all": one("Squeeze", ("y",), y=floats(1, 4, 1, 5)),
    "Squeeze of old": one("Squeeze", ("y",), opset=11, attributes={"axes": [0]}, y=floats(1, 4, 1, 5)),
    "Unsqueeze": one("Unsqueeze", ("x", "a"), a=whole(-1, 0)),
    "Flatten from 2": one("Flatten", attributes={"axis": 2}),
    "Transpose in order": one("Transpose", attributes={"perm": [0, 2, 3, 1]}),
    "Concat": one("Concat", ("x", "y", "x"), attributes={"axis": 2}, y=floats(2, 8, 3, 10)),
    "Concat from the end": one("Concat", ("x", "x"), attributes={"axis": -1}),
    "Split": one("Split", outputs=4, attributes={"axis": 1}),
    "Split equally": one("Split", ("x", "s"), outputs=2, attributes={"axis": -1}, s=whole(5, 5)),
    "Slice": one("Slice", ("x", "s", "e", "a", "t"), s=whole(1, -5), e=whole(7, 1 << 40), a=whole(1, 3), t=whole(2, 1)),
    "Slice backwards": one("Slice", ("x", "s", "e", "a", "t"), s=whole(-1), e=whole(-(1 << 40)), a=whole(2), t=whole(-3)),
    "Slice of old": one("Slice", opset=9, attributes={"starts": [2], "ends": [-1], "axes": [2]}),
    "Gather": one("Gather", ("x", "i"), attributes={"axis": 1}, i=np.zeros((3, 4), np.int64)),
    "Gather one": one("Gather", ("x", "i"), attributes={"axis": 3}, i=np.int64(1)),
    "GatherElements": one("GatherElements", ("x", "i"), attributes={"axis": 2}, i=np.zeros((2, 8, 30, 10), np.int64)),
    "GatherND": one("GatherND", ("x", "i"), i=np.zeros((6, 5, 2), np.int64)),
    "GatherND in batches": one("GatherND", ("x", "i"), attributes={"batch_dims": 1}, i=np.zeros((2, 5, 2), np.int64)),
    "ReduceMean of axes": one("ReduceMean", attributes={"axes": [1, -1], "keepdims": 0}),
    "ReduceSum of axes": one("ReduceSum", ("x", "a"), attributes={"keepdims": 0}, a=whole(2)),
    "ReduceSum of none": one("ReduceSum", attributes={"noop_with_empty_axes": 1}),
    **{kind: one(kind, attributes={"axes": [1]}) for kind in ("ReduceL2", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSumSquare")},
    "ArgMax": one("ArgMax", attributes={"axis": 1}),
    "ArgMax without": one("ArgMax", attributes={"axis": -2, "keepdims": 0}),
    "ConstantOfShape": one("ConstantOfShape", ("s",), s=whole(3, 4)),
    "Expand": one("Expand", ("x", "s"), s=whole(3, 1, 1, 1, 10)),
    "Tile": one("Tile", ("x", "r"), r=whole(1, 2, 3, 1)),
    "Pad": one("Pad", ("x", "p"), p=whole(0, 1, 2, 3, 0, 0, 1, -2)),
    "Pad of axes": one("Pad", ("x", "p", "", "a"), opset=18, p=whole(1, 2), a=whole(2)),
    "Resize": one("Resize", ("x", "", "s"), s=np.array([1, 1, 2.5, 0.5], np.float32)),
    "Resize to a size": one("Resize", ("x", "", "", "s"), s=whole(2, 8, 30, 5)),
    "Resize of old": one("Resize", ("x", "s"), opset=10, s=np.array([1, 1, 2, 2], np.float32)),
    "Upsample": one("Upsample", ("x", "s"), opset=9, s=np.array([1, 1, 2, 3], np.float32)),
    "DepthToSpace": one("DepthToSpace", attributes={"blocksize": 2}),
    "SpaceToDepth": one("SpaceToDepth", attributes={"blocksize": 2}),
    "Shape of a part": one("Shape", attributes={"start": 1, "end": -1}),
    "Constant": one("Constant", (), attributes={"value": floats(3, 4)}),
    "Constant integers": one("Constant", (), attributes={"value_ints": [1, 2, 3]}),
    "Constant number": one("Constant", (), attributes={"value_float": 1.5}),
    "GRU": one("GRU", ("y", "w", "r"), outputs=2, attributes={"hidden_size": 6}, y=floats(5, 2, 4), w=floats(1, 18, 4), r=floats(1, 18, 6)),
    "LSTM": one("LSTM", ("y", "w", "r"), outputs=3, attributes={"hidden_size": 6, "direction": "bidirectional"}, y=floats(5, 2, 4), w=floats(2, 24, 4), r=floats(2, 24, 6)),
    "RNN": one("RNN", ("y", "w", "r"), attributes={"hidden_size": 6}, y=floats(5, 2, 4), w=floats(1, 6, 4), r=floats(1, 6, 6)),
}  # fmt: skip


def predicted(content):
    """The shapes of all values, by the rules."""
    graph = read_graph(content)
    values = {**graph.constants, "x": onnx_sizes.Value(X)}
    for each in graph.nodes:
        values.update(onnx_sizes._results(each, values))
    return {name: value.shape for name, value in values.items()}


def real(names, content):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, {"x": floats(*X)}), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_shapes_are_those_of_the_runtime(case):
    """Of the first output exactly; others are never larger."""
    names, content = CASES[case]
    shapes = predicted(content)
    for name, made in real(names, content).items():
        assert np.prod(shapes[name]) >= made.size
        if name == names[0]:
            assert shapes[name] == made.shape


def test_every_rule_is_compared():
    """But those of operations that this runtime has only in newer versions or in a domain of its own."""
    assert RULES.keys() - {case.split()[0] for case in CASES} == {"Gelu", "GroupNormalization"}


def chain(*nodes, **tensors):
    """Nodes that lead from `x` to `out`, as they compute shapes."""
    return ["out"], model(nodes, inputs=[end("x", X)], outputs=[untyped("out")], **tensors)


@pytest.mark.parametrize(
    "case",
    [
        chain(  # as torch exports `x.reshape(x.shape[0], -1, 2 * x.shape[3])`
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "zero"], ["n"], axis=0),
            node("Gather", ["s", "three"], ["w"], axis=0),
            node("Mul", ["w", "two"], ["ww"]),
            node("Unsqueeze", ["n", "axis"], ["n1"]),
            node("Unsqueeze", ["ww", "axis"], ["w1"]),
            node("Concat", ["n1", "minus", "w1"], ["shape"], axis=0),
            node("Reshape", ["x", "shape"]),
            zero=np.int64(0), three=np.int64(3), two=np.int64(2), axis=whole(0), minus=whole(-1),
        ),
        chain(  # as it exports `expand`
            node("ConstantOfShape", ["five"], ["ones"], value=whole(1)),
            node("Mul", ["ones", "minus"], ["less"]),
            node("Equal", ["wanted", "less"], ["same"]),
            node("Where", ["same", "ones", "wanted"], ["shape"]),
            node("Expand", ["x", "shape"]),
            five=whole(5), minus=whole(-1), wanted=whole(3, -1, -1, 12, 10),
        ),
        chain(  # as it exports `interpolate`
            node("Shape", ["x"], ["s"]),
            node("Slice", ["s", "two", "four", "axis"], ["spatial"]),
            node("Cast", ["spatial"], ["f"], to=1),
            node("Mul", ["f", "scale"], ["g"]),
            node("Floor", ["g"], ["h"]),
            node("Cast", ["h"], ["i"], to=7),
            node("Slice", ["s", "axis", "two", "axis"], ["batch"]),
            node("Concat", ["batch", "i"], ["sizes"], axis=0),
            node("Resize", ["x", "", "", "sizes"]),
            two=whole(2), four=whole(4), axis=whole(0), scale=np.array([1.5, 2.5], np.float32),
        ),
        chain(
            node("Size", ["x"], ["s"]),
            node("Sub", ["s", "six"], ["t"]),
            node("Div", ["t", "nine"], ["u"]),
            node("Ceil", ["half"], ["c"]),
            node("Cast", ["c"], ["d"], to=7),
            node("Add", ["u", "d"], ["v"]),
            node("Reshape", ["v", "minus"], ["shape"]),
            node("ConstantOfShape", ["shape"]),
            six=np.int64(6), nine=np.int64(9), half=np.float32(1.5), minus=whole(-1),
        ),
    ],
)  # fmt: skip
def test_shapes_that_are_computed(case):
    """As exporters write them where a size is not fixed."""
    names, content = case
    assert predicted(content)["out"] == real(names, content)["out"].shape


LONG = 1 << 14


@pytest.mark.parametrize(
    ("nodes", "tensors"),
    [
        ([node("ConstantOfShape", ["s"])], {"s": whole(1 << 31)}),
        ([node("Constant", [], ["s"], value_ints=[1 << 20, 1 << 20]), node("Expand", ["x", "s"])], {}),
        ([node("Tile", ["x", "r"])], {"r": whole(1 << 10, 1, 1, 1 << 12)}),
        ([node("Pad", ["x", "p"])], {"p": whole(0, 0, 0, 0, 0, 0, 0, 1 << 33)}),
        ([node("Resize", ["x", "", "s"])], {"s": np.array([1, 1, 1e6, 1], np.float32)}),
        ([node("Upsample", ["x", "s"])], {"s": np.array([1, 1, 1, 1e7], np.float32)}),
        ([node("ConvTranspose", ["x", "w"], strides=[1 << 20, 1 << 20])], {"w": floats(8, 1, 1, 1)}),
        ([node("ConvTranspose", ["x", "w"], output_shape=[1 << 20, 1 << 20])], {"w": floats(8, 1, 1, 1)}),
        ([node("Conv", ["x", "w"], pads=[1 << 20] * 4)], {"w": floats(1, 8, 1, 1)}),
        ([node("MaxPool", ["x"], kernel_shape=[1, 1], pads=[1 << 20] * 4)], {}),
        ([node("Add", ["a", "b"])], {"a": floats(LONG, 1), "b": floats(1, LONG)}),
        ([node("Where", ["c", "a", "b"])], {"c": np.ones(1, bool), "a": floats(LONG, 1), "b": floats(1, LONG)}),
        ([node("MatMul", ["a", "b"])], {"a": floats(LONG, 1), "b": floats(1, LONG)}),
        ([node("Gemm", ["a", "b"])], {"a": floats(LONG, 1), "b": floats(1, LONG)}),
        ([node("Einsum", ["a", "b"], equation="i,j->ij")], {"a": floats(LONG), "b": floats(LONG)}),
        ([node("Gather", ["a", "i"])], {"a": floats(1, LONG), "i": np.zeros(LONG, np.int64)}),
        ([node("GatherND", ["a", "i"])], {"a": floats(1, LONG), "i": np.zeros((LONG, 1), np.int64)}),
        ([node("RNN", ["y", "w", "r"], hidden_size=1 << 28)], {"y": floats(5, 2, 4), "w": floats(1, 6, 4), "r": floats(1, 6, 6)}),
        ([node("Concat", [f"v{n}"] * 2, [f"v{n + 1}"], axis=0) for n in range(40)], {"v0": floats(1)}),
        ([node("ConstantOfShape", ["s"], [f"v{n}"]) for n in range(4)] + [node("Sum", [f"v{n}" for n in range(4)])], {"s": whole(50 << 20)}),
        ([node("Mul", [f"v{n}"] * 2, [f"v{n + 1}"]) for n in range(200)], {"v0": whole(3)}),
    ],
)  # fmt: skip
def test_networks_that_would_take_all_memory(nodes, tensors):
    """They are refused, whatever the operation with which numbers are made out of few."""
    content = model(nodes, inputs=[end("x", X)], outputs=[untyped("out")], **tensors)
    with pytest.raises(Refused, match=r"numbers of an input|cannot be told"):
        require_bounded(read_graph(content), X)


def test_results_are_held_until_the_end():
    """Even if nothing in the network uses them."""
    nodes = [node("ConstantOfShape", ["s"], [f"out{number}"]) for number in range(4)]
    tensors = {"s": whole(50 << 20)}
    require_bounded(read_graph(model(nodes, **tensors)), X)
    with pytest.raises(Refused, match="numbers of an input"):
        require_bounded(read_graph(model(nodes, outputs=[untyped(f"out{n}") for n in range(4)], **tensors)), X)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (model([node("Loop", ["x"])]), "`Loop`"),
        (model([node("Range", ["x", "x", "x"])]), "`Range`"),
        (model([node("Reshape", ["x", "y"]), node("Relu", ["x"])], inputs=[end("x", X), end("y", (4,))]), "beforehand"),
        (model([node("Relu", ["nowhere"])]), "beforehand"),
        (model([node("Reshape", ["x", "s"])], inputs=[end("x", X)], s=whole(-2, 5)), "impossible shape"),
        (model([node("Reshape", ["x", "s"])], inputs=[end("x", X)], s=whole(*[1] * 20)), "impossible shape"),
        (model([node("Relu", ["x"]) + b"\x3a\x03own"]), "`Relu` of its own"),
        (model([node("Relu", ["x"]) + b"\x2a\x02\x32\x00"]), "contains a graph"),
        (model([], more=b"\xca\x01\x00"), "operations of its own"),
        (model([]) + b"\x3a\x04\x2a\x02\x6a\x00", "another file"),
        (model([]) + b"\x3a\x02\x7a\x00", "sparse"),
    ],
)
def test_what_no_network_needs_is_refused(content, said):
    """For the reason."""
    with pytest.raises(Refused, match=said):
        require_bounded(read_graph(content), X)


def test_many_operations_are_refused():
    """Before they are all kept."""
    with pytest.raises(Refused, match="20000 operations"):
        read_graph(model([node("Relu", ["x"])] * 20_001))
