"""The one file that touches onnxruntime: an MDX network as a function of spectra, on the device that is there.

Public files say how many frames their network looks at, although most networks could look at any number. For another
number that statement is taken out of the file's bytes, and the runtime finds out whether the network can.
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

SpectrumBatch = npt.NDArray[
    np.float32
]  # (batch, 4, bins, frames): left real, left imaginary, right real, right imaginary

PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
ON_CPU = "CPUExecutionProvider"
QUIET = 3  # errors only
PARTS = 4


class OnnxBackend:
    """An MDX network in the runtime, for spectra of one shape. The runtime cannot move it: it is read again elsewhere."""

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
        """Does the processor compute, because it was asked to or because the runtime cannot use anything else?"""
        return bool(self._open().get_providers()[0] == ON_CPU)

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """The network's output for spectra (batch, 4, bins, frames). One by one where the file does not allow several."""
        (spectra,) = inputs
        output = torch.from_numpy(self._run(np.ascontiguousarray(spectra.cpu().numpy())))
        return output.to(spectra.device, **options)

    def size_bytes(self) -> int:
        """The runtime does not say what it takes; the weights are the larger part of the file."""
        return self._path.stat().st_size

    def move(self, device: str) -> None:
        self._device = device
        self._session = None

    def _open(self) -> Any:
        if self._session is None:
            model: str | bytes = without_fixed_frames(self._path.read_bytes()) if self._changed else str(self._path)
            session = _new_session(model, self._path, self._device, self._threads)
            self._require_shape(session.get_inputs()[0].shape)
            self._session = session
        return self._session

    def _run(self, spectra: SpectrumBatch) -> SpectrumBatch:
        session = self._open()
        taken = session.get_inputs()[0]
        if isinstance(taken.shape[0], int) and len(spectra) > 1:
            return np.concatenate([self._run(spectra[index : index + 1]) for index in range(len(spectra))])
        try:
            output: SpectrumBatch = session.run(None, {taken.name: spectra})[0]
        except Exception as error:
            raise self._reworded(error) from error
        if output.shape != spectra.shape:
            raise self._cannot_look_at(f"it gave a spectrum of shape {output.shape} for one of {spectra.shape}")
        return output

    def _require_shape(self, shape: Sequence[int | str | None]) -> None:
        wanted = (PARTS, self._bins, self._frames)
        found = shape[1:]
        if len(found) != len(wanted) or any(
            isinstance(size, int) and size != other for size, other in zip(found, wanted, strict=True)
        ):
            raise CheckpointMismatch(
                f"`{self._path.name}` takes spectra of {found[-2:]} bins and frames, not of {list(wanted[-2:])}.",
                hint="`mdx_dim_f_set` and `mdx_dim_t_set` (a power of two) are probably those of another model.",
            )

    def _reworded(self, error: Exception) -> Exception:
        text = str(error)
        if "allocate memory" in text or "out of memory" in text:
            return MemoryError(text)
        return self._cannot_look_at(text.splitlines()[0][:200])

    def _cannot_look_at(self, reason: str) -> Exception:
        if self._changed:
            return InvalidRequest(
                f"`{self._path.name}` cannot look at {self._frames} frames at once: {reason}.",
                hint="Leave out `mdx_segment_size`; the network's own size is always right.",
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
    # Threads that spin between two chunks take the time that transforms and files need.
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
            f"`{path.name}` is not a network that onnxruntime can read: {reason}.",
            hint="Delete it and download the model again.",
        ) from error


def _providers(device: str, available: Sequence[str]) -> list[Any]:
    """The execution providers to use, best first."""
    kind, _, index = device.partition(":")
    wanted = PROVIDERS.get(kind)
    if wanted is None or wanted not in available:
        return [ON_CPU]
    return [(wanted, {"device_id": index} if kind == "cuda" and index else {}), ON_CPU]


# Bytes of ONNX files ------------------------------------------------------------------------------------------------

# Where the frames' number stands: in the shapes of the graph's inputs and outputs, the fourth dimension's value.
GRAPH = 7
NODE_INFO = 13  # shapes of what lies between; they may say the same and are not needed
ENDS = (11, 12)
SHAPE_OF_END = (2, 1, 2)  # a type, of a tensor, its shape
DIMENSION, VALUE, NAME = 1, 1, 2
FRAMES_AXIS = 3
BYTES = 2  # how protocol buffers mark a field that holds bytes


class WireField(NamedTuple):
    """One field of a message: its number and all its bytes; what it holds, if that is bytes."""

    number: int
    raw: bytes
    content: bytes | None


def without_fixed_frames(model: bytes) -> bytes:
    """A model whose ends take and give any number of frames. Raises `CheckpointInvalid`."""
    try:
        return b"".join(_free_graph(field) if field.number == GRAPH else field.raw for field in fields(model))
    except (IndexError, ValueError) as error:
        raise CheckpointInvalid("The file is not an ONNX model: its bytes make no sense.") from error


def _free_graph(graph: WireField) -> bytes:
    kept = [field for field in fields(graph.content or b"") if field.number != NODE_INFO]
    return packed(
        GRAPH,
        b"".join(_within(field, SHAPE_OF_END, _free_shape) if field.number in ENDS else field.raw for field in kept),
    )


def _within(field: WireField, path: tuple[int, ...], change: Any) -> bytes:
    """A field with something changed deep inside."""
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
                raise ValueError("a field is longer than what holds it")
            content = message[place : place + length]
            place += length
        elif kind == 0:
            _, place = _number(message, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        yield WireField(key >> 3, message[start:place], content)


def packed(number: int, content: bytes) -> bytes:
    """A field that holds bytes."""
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A number, seven bits to a byte, lowest first."""
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
