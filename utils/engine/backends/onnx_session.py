"""The only file that touches onnxruntime: it opens networks, those that nobody vouches for in a child process first.

The runtime computes what is constant while it reads a file, and is written in C++. No torch here: the child should be there soon.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from utils.core import isolation
from utils.core.errors import CheckpointInvalid, ModelNotInstalled
from utils.store.onnx_graphs import Refused, read_graph
from utils.store.onnx_sizes import require_bounded
from utils.store.onnx_wire import packed, varint, without_fixed_frames
from utils.store.plain_files import open_file

PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
ON_CPU = "CPUExecutionProvider"
QUIET = 3  # errors only
MEMORY_BYTES = 2 << 30  # what opening a network may take, besides so much for each byte of its file
MEMORY_PER_BYTE = 8
SLOWEST_DISK = 8 << 20  # bytes in a second

_opened_before: set[tuple[Path, int, int, bool]] = set()


def open_network(path: Path, spectrum: Sequence[int], *, freed: bool, device: str, threads: int) -> Any:
    """A session of the runtime for spectra of this shape. If it is to be `freed`, the file has another number of frames.

    Raises `CheckpointInvalid`, or `ModelNotInstalled` if the runtime is missing.
    """
    from utils.core.job import current_job  # the child needs neither
    from utils.store.known_hashes import is_vouched

    state = path.stat()
    opening = (path, state.st_size, state.st_mtime_ns, freed)
    if opening not in _opened_before and not is_vouched(path):
        allowance = isolation.Allowance(
            memory_bytes=MEMORY_BYTES + MEMORY_PER_BYTE * state.st_size,
            seconds=isolation.USUAL.seconds + state.st_size / SLOWEST_DISK,
        )
        with isolation.Call(try_network, os.fspath(path), list(spectrum), freed, allowance=allowance) as trial:
            _runtime()  # both import it at the same time
            try:
                trial.answer()
            except isolation.Broken as broken:
                raise CheckpointInvalid(
                    f"`{path.name}` cannot be used: reading it {broken}.",
                    hint="It is damaged, or made to do harm. Delete it, and download the model again.",
                ) from broken
        _opened_before.add(opening)
    model = _freed(path) if freed else os.fspath(path)
    return _session(model, path, device, threads, current_job().stopped_by)


def try_network(name: str, spectrum: Sequence[int], freed: bool) -> None:
    """Raise `CheckpointInvalid` unless a network can be opened, and takes no more memory than others. For a child process."""
    path = Path(name)
    model = _freed(path) if freed else name
    try:
        require_bounded(read_graph(model if isinstance(model, bytes) else _mapped(path)), tuple(spectrum))
    except Refused as reason:
        raise CheckpointInvalid(f"`{path.name}` was refused: {reason}. No MDX network needs that.") from reason
    except (MemoryError, CheckpointInvalid):
        raise
    except Exception as error:  # damaged bytes can make the reader fail in any way
        raise _unreadable(path) from error
    _session(model, path, "cpu", 1, for_trial=True)


def provider_in_use(device: str) -> tuple[str, bool]:
    """What the runtime computes with for a device, tried with a network of one step, and whether it has more to offer for it."""
    import numpy as np

    session = _session(_identity(), Path("identity.onnx"), device, 1)
    (found,) = session.run(None, {"in": np.ones(1, np.float32)})
    if found != 1:
        raise RuntimeError("onnxruntime computes wrongly")
    used, best = session.get_providers()[0], PROVIDERS.get(device.partition(":")[0], ON_CPU)
    return used, used != best and best in _runtime().get_available_providers()


def _identity() -> bytes:
    """A network that returns its one number: version 8 of the format, version 17 of the operators."""

    def number(field: int, value: int) -> bytes:
        return varint(field << 3) + varint(value)

    def end(name: bytes) -> bytes:
        shape = packed(1, number(1, 1))
        return packed(1, name) + packed(2, packed(1, number(1, 1) + packed(2, shape)))

    node = packed(1, b"in") + packed(2, b"out") + packed(4, b"Identity")
    graph = packed(1, node) + packed(2, b"identity") + packed(11, end(b"in")) + packed(12, end(b"out"))
    return number(1, 8) + packed(7, graph) + packed(8, number(2, 17))


def _mapped(path: Path) -> memoryview:
    """The content of a file, most of which is weights that nobody looks at here."""
    with _opened(path) as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with open_file(path) as file:
            yield file
    except OSError as error:
        raise CheckpointInvalid(f"The network `{path}` cannot be read: {error.strerror}.") from error


def _freed(path: Path) -> bytes:
    try:
        with _opened(path) as file:
            return without_fixed_frames(file.read())
    except (IndexError, ValueError) as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> CheckpointInvalid:
    return CheckpointInvalid(
        f"`{path.name}` is not an ONNX model: it cannot be parsed.", hint="Delete it and download the model again."
    )


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelNotInstalled(
            "MDX networks (`.onnx`) need the package onnxruntime, which is not installed here.",
            hint="pip install onnxruntime, or onnxruntime-gpu for NVIDIA graphics cards.",
        ) from error
    return onnxruntime


def _session(
    model: str | bytes,
    path: Path,
    device: str,
    threads: int,
    stopped_by: Callable[[Callable[[], None]], AbstractContextManager[None]] = lambda _: nullcontext(),
    *,
    for_trial: bool = False,
) -> Any:
    """`for_trial`, weights are not laid out for the processor: that takes most of the time, and a file has no say in it."""
    onnxruntime = _runtime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = threads
    # Threads that spin between two chunks take CPU time away from transforms and files.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if for_trial:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.add_session_config_entry("session.disable_prepacking", "1")
    if device.startswith("cuda") and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # the CUDA libraries that came with torch
    providers = _providers(device, onnxruntime.get_available_providers())
    try:
        with stopped_by(lambda: options.set_load_cancellation_flag(True)):
            return onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:
        raise_for_device(error)
        reason = str(error).splitlines()[0][:200]
        raise CheckpointInvalid(
            f"onnxruntime cannot read the network `{path.name}`: {reason}.",
            hint="Delete it and download the model again.",
        ) from error


def raise_for_device(error: Exception) -> None:
    """Raise as what it is an error that is not the fault of the file. The runtime has a class of its own for all errors."""
    from utils.core.failures import device_lost, is_device_lost

    text = str(error)
    if "allocate memory" in text or "out of memory" in text:
        raise MemoryError(text) from error
    if is_device_lost(RuntimeError(text)):
        raise device_lost(text) from error


def _providers(device: str, available: Sequence[str]) -> list[Any]:
    """The execution providers to use, best first."""
    kind, _, index = device.partition(":")
    provider = PROVIDERS.get(kind)
    if provider is None or provider not in available:
        return [ON_CPU]
    return [(provider, {"device_id": index} if kind == "cuda" and index else {}), ON_CPU]
