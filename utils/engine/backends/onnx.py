"""The only file that touches onnxruntime: an MDX network as a function of spectra, on the available device.

Public files fix the number of frames that their network takes, although most networks could process any number. To run
another number, the fixed dimension is removed from the file's bytes, and the runtime finds out whether the network copes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from utils.core.errors import CheckpointInvalid, CheckpointMismatch, InvalidRequest, ModelNotInstalled
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
            model: str | bytes = without_fixed_frames(self._path.read_bytes()) if self._changed else str(self._path)
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
        try:
            output: SpectrumBatch = session.run(None, {node.name: spectra})[0]
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
    try:
        return onnxruntime.InferenceSession(
            model, options, providers=_providers(device, onnxruntime.get_available_providers())
        )
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
BYTES = 2  # the wire type of fields that hold bytes


class WireField(NamedTuple):
    """One field of a protocol buffer message: its number, its encoding, and its content if that is bytes."""

    number: int
    raw: bytes
    content: bytes | None


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


def _within(field: WireField, path: tuple[int, ...], change: Any) -> bytes:
    """The field, changed at a path of nested fields."""
    content = field.content or b""
    if not path:
        return packed(field.number, change(content))
    inner = (_within(each, path[1:], change) if each.number == path[0] else each.raw for each in fields(content))
    return packed(field.number, b"".join(inner))


def _free_shape(shape: bytes) -> bytes:
    dimensions = [field.raw for field in fields(shape) if field.number == DIMENSION]
    if len(dimensions) > FRAMES_AXIS:
        dimensions[FRAMES_AXIS] = packed(DIMENSION, packed(NAME, b"frames"))
    return b"".join(dimensions)


def fields(message: bytes) -> Iterator[WireField]:
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


def packed(number: int, content: bytes) -> bytes:
    """A field that holds bytes."""
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A number as seven bits per byte, lowest first."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _number(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
