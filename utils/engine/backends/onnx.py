"""The only file that touches onnxruntime: an MDX network as a function of spectra, on the available device.

Public files fix the number of frames that their network takes, although most networks could process any number. To run
another number, the fixed dimension is removed from the file's bytes, and the runtime finds out whether the network copes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from utils.core.errors import CheckpointInvalid, CheckpointMismatch, InvalidRequest, ModelNotInstalled
from utils.core.job import current_job
from utils.core.settings import Arithmetic

SpectrumBatch = npt.NDArray[
    np.float32
]  # (batch, 4, bins, frames): left real, left imaginary, right real, right imaginary

PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
ON_CPU = "CPUExecutionProvider"
QUIET = 3  # errors only
PARTS = 4


class OnnxBackend:
    """An MDX network in the runtime, for spectra of one shape. The runtime cannot move it, so `move` reads it again."""

    halves = False

    def __init__(self, path: Path, *, bins: int, frames: int, own_frames: int, device: str, threads: int) -> None:
        self._path = path
        self._bins = bins
        self._frames = frames
        self._changed = frames != own_frames
        self._device = device
        self._threads = threads
        self._session: Any = None
        self._open()

    @property
    def on_cpu(self) -> bool:
        """Does the network run on the CPU, by choice or because the runtime supports nothing else?"""
        return bool(self._open().get_providers()[0] == ON_CPU)

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """The output for spectra (batch, 4, bins, frames), which run one by one if the file allows no larger batch."""
        (spectra,) = inputs
        output = torch.from_numpy(self._run(np.ascontiguousarray(spectra.cpu().numpy())))
        return output.to(spectra.device, **options)

    def size_bytes(self) -> int:
        """The size of the file, which is mostly weights: the runtime does not report its memory."""
        return self._path.stat().st_size

    def move(self, device: str) -> None:
        self._device = device
        self._session = None

    def prepare(self, precision: Arithmetic) -> None:
        """Nothing: the file decides."""

    def _open(self) -> Any:
        if self._session is None:
            content = self._path.read_bytes()
            require_bounded(content, self._path)
            model: str | bytes = without_fixed_frames(content) if self._changed else str(self._path)
            del content
            session = _new_session(model, self._path, self._device, self._threads)
            expected, found = (PARTS, self._bins, self._frames), session.get_inputs()[0].shape[1:]
            if len(found) != len(expected) or any(
                isinstance(size, int) and size != other for size, other in zip(found, expected, strict=True)
            ):
                raise CheckpointMismatch(
                    f"`{self._path.name}` takes spectra of {found[-2:]} bins and frames, not of {list(expected[-2:])}.",
                    hint="`mdx_dim_f_set` and `mdx_dim_t_set` (a power of two) probably belong to another model.",
                )
            self._session = session
        return self._session

    def _run(self, spectra: SpectrumBatch) -> SpectrumBatch:
        session = self._open()
        node = session.get_inputs()[0]
        if isinstance(node.shape[0], int) and len(spectra) > 1:
            return np.concatenate([self._run(spectra[index : index + 1]) for index in range(len(spectra))])
        import onnxruntime

        options = onnxruntime.RunOptions()

        def stop() -> None:
            options.terminate = True

        try:
            with current_job().stopped_by(stop):
                output: SpectrumBatch = session.run(None, {node.name: spectra}, options)[0]
        except Exception as error:
            text = str(error)
            if "allocate memory" in text or "out of memory" in text:
                raise MemoryError(text) from error
            raise self._failure(text.splitlines()[0][:200]) from error
        if output.shape != spectra.shape:
            raise self._failure(f"its output has shape {output.shape}, its input {spectra.shape}")
        return output

    def _failure(self, reason: str) -> Exception:
        if self._changed:
            return InvalidRequest(
                f"`{self._path.name}` cannot process {self._frames} frames at once: {reason}.",
                hint="Leave out `mdx_segment_size`; the network's own size always works.",
                field="mdx_segment_size",
            )
        return CheckpointInvalid(f"`{self._path.name}` cannot be run: {reason}.")


def _new_session(model: str | bytes, path: Path, device: str, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelNotInstalled(
            "MDX networks (`.onnx`) need the package onnxruntime, which is not installed here.",
            hint="pip install onnxruntime, or onnxruntime-gpu for NVIDIA graphics cards.",
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = threads
    # Threads that spin between two chunks take CPU time away from transforms and files.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if device.startswith("cuda") and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # the CUDA libraries that came with torch
    providers = _providers(device, onnxruntime.get_available_providers())
    try:
        with current_job().stopped_by(lambda: options.set_load_cancellation_flag(True)):
            return onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:
        reason = str(error).splitlines()[0][:200]
        raise CheckpointInvalid(
            f"onnxruntime cannot read the network `{path.name}`: {reason}.",
            hint="Delete it and download the model again.",
        ) from error


def _providers(device: str, available: Sequence[str]) -> list[Any]:
    """The execution providers to use, best first."""
    kind, _, index = device.partition(":")
    provider = PROVIDERS.get(kind)
    if provider is None or provider not in available:
        return [ON_CPU]
    return [(provider, {"device_id": index} if kind == "cuda" and index else {}), ON_CPU]


# Bytes of ONNX files ------------------------------------------------------------------------------------------------

# The number of frames is the value of the fourth dimension in the shapes of the graph's inputs and outputs.
GRAPH = 7
NODE_INFO = 13  # shapes of intermediate values; they may repeat the number and are not needed
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
    """The model with inputs and outputs of any number of frames. Raises `CheckpointInvalid`."""
    parts = []
    try:
        for field in fields(model):
            if field.number != GRAPH:
                parts.append(field.raw)
                continue
            kept = [each for each in fields(field.content or b"") if each.number != NODE_INFO]
            freed = (_within(each, SHAPE_OF_END, _free_shape) if each.number in ENDS else each.raw for each in kept)
            parts.append(packed(GRAPH, b"".join(freed)))
    except (IndexError, ValueError) as error:
        raise CheckpointInvalid("The file is not an ONNX model: it cannot be parsed.") from error
    return b"".join(parts)


# What networks are made of. Others could run for ever, make numbers out of nothing, or read other files.
OPERATIONS = frozenset(
    """
    Abs Add ArgMax AveragePool BatchNormalization Cast CastLike Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose
    Cos DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements
    GatherND Gelu Gemm GlobalAveragePool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity
    InstanceNormalization LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul Max MaxPool
    Min Mish Mod Mul Neg Not PRelu Pad Pow QuantizeLinear RNN Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape Resize Round Selu Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile Transpose Unsqueeze Upsample Where
    """.split()  # noqa: SIM905 - a list with a line for each word would be a page long
)
DOMAINS = frozenset({b"", b"ai.onnx", b"com.microsoft"})
SIZED_BY = {
    "ConstantOfShape": slice(0, 1),
    "Expand": slice(1, 2),
    "Tile": slice(1, 2),
    "Resize": slice(1, 4),
    "Upsample": slice(1, 2),
}
STRETCHED_BY = frozenset({"Conv", "ConvTranspose", "Pad", "Upsample", "AveragePool", "MaxPool"})
MOST_NODES = 20_000
MOST_ELEMENTS = 1 << 26
LONGEST_STEP = 1 << 16

# Numbers of fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
FUNCTIONS = 25
NODE, TENSOR, SPARSE_TENSOR = 1, 5, 15
NODE_INPUT, NODE_OUTPUT, NODE_KIND, NODE_ATTRIBUTE, NODE_DOMAIN = 1, 2, 4, 5, 7
ATTRIBUTE_INTEGER, ATTRIBUTE_TENSOR, ATTRIBUTE_INTEGERS, ATTRIBUTE_GRAPHS = 3, 5, 8, (6, 11)
TENSOR_KIND, TENSOR_INTEGERS, TENSOR_NAME, TENSOR_RAW, TENSOR_OUTSIDE = 2, 7, 8, 9, 13
RAW_FORMATS = {1: "f4", 6: "i4", 7: "i8"}
LONGEST_SHAPE_BYTES = 256


def require_bounded(model: bytes, path: Path) -> None:
    """Raise `CheckpointInvalid` unless the network is made of the usual operations, and everything in it is in the file.

    The runtime computes what is constant while it reads a file, so that a tiny one could take all time and memory.
    """
    try:
        problem = next(_problems(memoryview(model)), None)
    except (IndexError, ValueError) as error:
        raise CheckpointInvalid(
            f"`{path.name}` is not an ONNX model: it cannot be parsed.", hint="Delete it and download the model again."
        ) from error
    if problem is not None:
        raise CheckpointInvalid(f"`{path.name}` was refused: {problem}. No MDX network needs that.")


def _problems(model: memoryview) -> Iterator[str]:
    top = list(fields(model))
    if any(field.number == FUNCTIONS for field in top):
        yield "it defines operations of its own"
    parts = [part for field in top if field.number == GRAPH for part in fields(field.content or b"")]
    nodes = [part.content or b"" for part in parts if part.number == NODE]
    if len(nodes) > MOST_NODES:
        yield f"it has {len(nodes)} operations"
        return
    if any(part.number == SPARSE_TENSOR for part in parts):
        yield "it has sparse tensors"
    constants: dict[bytes, list[float]] = {}
    for part in parts:
        if part.number == TENSOR:
            tensor = list(fields(part.content or b""))
            if any(field.number == TENSOR_OUTSIDE for field in tensor):
                yield "its tensors are in another file"
            name = next((bytes(field.content or b"") for field in tensor if field.number == TENSOR_NAME), b"")
            constants[name] = _small_values(tensor)
    for node in nodes:
        yield from _problems_of(list(fields(node)), constants)


def _problems_of(node: list[WireField], constants: dict[bytes, list[float]]) -> Iterator[str]:
    """What is wrong with a node. `constants` are the small tensors so far, by name."""

    def texts(number: int) -> list[bytes]:
        return [bytes(field.content or b"") for field in node if field.number == number]

    kind = b"".join(texts(NODE_KIND)).decode("utf-8", "replace")
    if kind not in OPERATIONS or not DOMAINS.issuperset(texts(NODE_DOMAIN)):
        yield f"it has the operation `{kind[:40]}`"
    for attribute in (field.content or b"" for field in node if field.number == NODE_ATTRIBUTE):
        yield from _problems_of_attribute(kind, attribute, constants.setdefault(b"".join(texts(NODE_OUTPUT)), []))
    if kind in SIZED_BY or kind == "Pad":
        for name in texts(NODE_INPUT)[SIZED_BY.get(kind, slice(1, 2))]:
            sizes = [abs(value) for value in constants.get(name, [])]
            if max(sizes, default=0) > LONGEST_STEP if kind == "Pad" else math.prod(sizes) > MOST_ELEMENTS:
                yield f"its operation `{kind}` makes too much of its input"


def _problems_of_attribute(kind: str, attribute: bytes | memoryview, values: list[float]) -> Iterator[str]:
    """What is wrong with an attribute of a node. The numbers of a constant are added to `values`."""
    for field in fields(attribute):
        if field.number in ATTRIBUTE_GRAPHS:
            yield f"its operation `{kind}` contains a graph"
        elif field.number == ATTRIBUTE_TENSOR:
            tensor = list(fields(field.content or b""))
            if any(each.number == TENSOR_OUTSIDE for each in tensor):
                yield "its tensors are in another file"
            if kind == "Constant":
                values.extend(_small_values(tensor))
        elif field.number in (ATTRIBUTE_INTEGER, ATTRIBUTE_INTEGERS):
            numbers = _integers(field)
            if kind in STRETCHED_BY and any(abs(number) > LONGEST_STEP for number in numbers):
                yield f"its operation `{kind}` makes too much of its input"
            if kind == "Constant":
                values.extend(numbers)


def _small_values(tensor: list[WireField]) -> list[float]:
    """The numbers of a tensor that may be a shape; none if it is too large for one."""
    kind = next((_integers(field)[0] for field in tensor if field.number == TENSOR_KIND), 0)
    for field in tensor:
        if len(field.raw) > LONGEST_SHAPE_BYTES:
            continue
        if field.number == TENSOR_RAW and kind in RAW_FORMATS:
            return [float(value) for value in np.frombuffer(field.content or b"", f"<{RAW_FORMATS[kind]}")]
    return [float(value) for field in tensor if field.number == TENSOR_INTEGERS for value in _integers(field)]


def _integers(field: WireField) -> list[int]:
    """The integers in a field, which may be packed."""
    message: bytes | memoryview = field.raw if field.content is None else field.content
    place = _number(message, 0)[1] if field.content is None else 0
    values = []
    while place < len(message):
        value, place = _number(message, place)
        values.append(value - (1 << 64) if value >> 63 else value)
    return values


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
        key, place = _number(message, place)
        kind = key & 7
        content = None
        if kind == BYTES:
            length, place = _number(message, place)
            if place + length > len(message):
                raise ValueError("a field is longer than its message")
            content = message[place : place + length]
            place += length
        elif kind == 0:
            _, place = _number(message, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of wire type {kind}")
        yield WireField(key >> 3, message[start:place], content)


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


def _number(message: bytes | memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if shift > LONGEST_NUMBER_BITS:
            raise ValueError("a number has no end")
        if byte < 0x80:
            return value, place
