"""Read checkpoints without running code from them, and give their tensors to networks without a second copy.

Only tensors, plain containers and the classes that a caller allows are read. Anything else is refused with the name
of what it asked to run, unless the person who started the worker allowed unsafe checkpoints.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.core.errors import (
    CheckpointInvalid,
    CheckpointMismatch,
    CheckpointUnsafe,
    ModelNotInstalled,
)
from utils.store.pickles import first_unusual_global

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

ZIP_MAGIC = b"PK\x03\x04"
POINTER_MAGIC = b"version https://git-lfs"
WRAPPERS = ("state", "state_dict", "model_state_dict")
PREFIXES = ("module.", "model.", "audio_model.")
NAMED_AT_MOST = 5

# How torch's weights-only reader words a refusal; its other errors mean damage, or a way of writing that it cannot read.
_REFUSED = (
    re.compile(r"Unsupported global: GLOBAL (?P<name>\S+) was not"),
    re.compile(r"unsupported GLOBAL (?P<name>\S+) whose module"),
    re.compile(r"reduce for unrecognized function (?P<name>.+)"),
    re.compile(r"via `add_safe_globals`,? but got (?P<name>.+)"),
    re.compile(r"``(?P<name>torch\.[\w.]+)`` .*must be imported"),
)
_ADVICE_OF_TORCH = re.compile(r"Weights only load failed.*WeightsUnpickler error:\s*", re.DOTALL)


def read_checkpoint(path: Path, *, mapped: bool = True, allow: Sequence[type] = (), allow_unsafe: bool = False) -> Any:
    """The content of a `.safetensors` file or of what `torch.save` wrote, on the CPU.

    With `mapped` the tensors are the file itself, paged in as they are used (files in the old format cannot be).
    """
    start = _first_bytes(path)
    _refuse_what_is_no_checkpoint(path, start)
    if path.suffix == ".safetensors":
        return _read_safetensors(path, mapped=mapped)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _read_torch(path, mapped and start.startswith(ZIP_MAGIC), allow, allow_unsafe=allow_unsafe)


def unwrap_state(content: Any, path: Path) -> dict[str, Tensor]:
    """The named tensors inside the usual wrappings. Raises `CheckpointInvalid` where there are none."""
    import torch

    wrapper = _wrapper(content)
    while wrapper is not None:
        content = content[wrapper]
        wrapper = _wrapper(content)
    named = isinstance(content, Mapping) and all(isinstance(key, str) for key in content)
    if not named or not content or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise CheckpointInvalid(f"`{path.name}` does not hold the weights of a network: no named tensors were found.")
    return _without_common_prefix(dict(content))


def assign(net: nn.Module, tensors: Mapping[str, Tensor], *, path: Path, dtype: torch.dtype | None = None) -> None:
    """Give `net` (built on `meta`) its tensors as they are: mapped ones stay mapped. Names and shapes must fit exactly.

    Floating-point tensors of another type than `dtype` (single precision) are converted.
    """
    import torch
    from torch import nn

    # Some networks redefine `state_dict` and `load_state_dict`; what is meant here is always torch's own.
    wanted = nn.Module.state_dict(net)
    _require_fit(wanted, tensors, path)
    wanted_type = dtype if dtype is not None else torch.float32
    ready = {key: _as_type(tensor, wanted_type) for key, tensor in tensors.items()}
    try:
        nn.Module.load_state_dict(net, ready, strict=True, assign=True)
    except RuntimeError as error:
        raise CheckpointMismatch(f"`{path.name}` does not fit the network: {_first_sentence(error)}") from error
    _require_complete(net, path)


def size_bytes(net: nn.Module) -> int:
    """The memory of a network's parameters and buffers; tensors that share theirs count once."""
    storages: dict[tuple[str, int], int] = {}
    for tensor in [*net.parameters(), *net.buffers()]:
        own_bytes = tensor.numel() * tensor.element_size()
        key = (str(tensor.device), tensor.data_ptr() or id(tensor))
        storages[key] = max(own_bytes, storages.get(key, 0))
    return sum(storages.values())


# Reading ------------------------------------------------------------------------------------------------------------


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(512)
    except FileNotFoundError as error:
        raise ModelNotInstalled(
            f"The checkpoint `{path.name}` is not in `{path.parent}`.",
            hint='Send {"cmd":"download_model","model":NAME}, or put the file there.',
        ) from error
    except OSError as error:
        raise CheckpointInvalid(f"The checkpoint `{path}` cannot be read: {error.strerror}.") from error


def _refuse_what_is_no_checkpoint(path: Path, start: bytes) -> None:
    text = start.lstrip().lower()
    if not start:
        what = "is empty"
    elif start.startswith(POINTER_MAGIC):
        what = "is a Git LFS pointer to the file, not the file itself"
    elif text.startswith((b"<!doctype", b"<html", b"<?xml")):
        what = "is a web page, probably an error page saved in place of the file"
    else:
        return
    raise CheckpointInvalid(f"`{path.name}` {what}.", hint="Delete it and download the checkpoint again.")


def _read_safetensors(path: Path, *, mapped: bool) -> Any:
    import safetensors.torch
    from safetensors import SafetensorError

    try:
        if mapped:
            return safetensors.torch.load_file(path)
        return safetensors.torch.load(path.read_bytes())
    except (SafetensorError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _read_torch(path: Path, mapped: bool, allow: Sequence[type], *, allow_unsafe: bool) -> Any:
    import torch

    try:
        with torch.serialization.safe_globals(list(allow)):
            return torch.load(path, map_location="cpu", weights_only=not allow_unsafe, mmap=mapped)
    except pickle.UnpicklingError as error:
        name = _refused_name(str(error)) or first_unusual_global(path)
        if name is None or allow_unsafe:
            raise _unreadable(path, error) from error
        raise _unsafe(path, name) from error
    except Exception as error:  # the reader fails in as many ways as bytes can be wrong
        if "TorchScript" in str(error) and not allow_unsafe:
            raise _unsafe(path, "a TorchScript program") from error
        raise _unreadable(path, error) from error


def _refused_name(message: str) -> str | None:
    found = next((match for pattern in _REFUSED if (match := pattern.search(message))), None)
    return found["name"] if found is not None else None


def _unsafe(path: Path, name: str) -> CheckpointUnsafe:
    return CheckpointUnsafe(
        f"`{path.name}` asks to run `{name}` while it is read, and that was not done. "
        "A checkpoint needs nothing but tensors.",
        hint="If you trust its author, start the worker with --allow-unsafe-checkpoints; it will then run code from it.",
    )


def _unreadable(path: Path, error: Exception) -> CheckpointInvalid:
    return CheckpointInvalid(
        f"`{path.name}` is damaged, incomplete or not a checkpoint: {_first_sentence(error)}",
        hint="Delete it and download it again.",
    )


def _first_sentence(error: Exception) -> str:
    lines = _ADVICE_OF_TORCH.sub("", str(error)).strip().splitlines() or [type(error).__name__]
    sentence = re.split(r"\.\s", lines[0])[0]
    return f"{sentence[:200].rstrip('.')}."


# Unwrapping ---------------------------------------------------------------------------------------------------------


def _wrapper(content: Any) -> str | None:
    if not isinstance(content, Mapping):
        return None
    return next((name for name in WRAPPERS if isinstance(content.get(name), Mapping)), None)


def _without_common_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            return _without_common_prefix({key.removeprefix(prefix): tensor for key, tensor in tensors.items()})
    return tensors


# Assigning ----------------------------------------------------------------------------------------------------------


def _require_fit(wanted: Mapping[str, Tensor], tensors: Mapping[str, Any], path: Path) -> None:
    problems = [
        _named("lacks", [key for key in wanted if key not in tensors]),
        _named("has in excess", [key for key in tensors if key not in wanted]),
        _wrong_shapes(wanted, tensors),
    ]
    found = [problem for problem in problems if problem]
    if found:
        raise CheckpointMismatch(
            f"`{path.name}` does not fit the network: it {'; it '.join(found)}.",
            hint="The configuration is probably that of another model.",
        )


def _wrong_shapes(wanted: Mapping[str, Tensor], tensors: Mapping[str, Any]) -> str:
    wrong = [key for key in wanted if key in tensors and _shape(tensors[key]) != _shape(wanted[key])]
    said = [f"`{key}` {_shape(tensors[key])}, the network needs {_shape(wanted[key])}" for key in wrong[:NAMED_AT_MOST]]
    return f"holds {', '.join(said)}{_and_more(wrong)}" if wrong else ""


def _named(verb: str, keys: Sequence[str]) -> str:
    return f"{verb} {', '.join(f'`{key}`' for key in keys[:NAMED_AT_MOST])}{_and_more(keys)}" if keys else ""


def _and_more(keys: Sequence[str]) -> str:
    return f" and {len(keys) - NAMED_AT_MOST} more" if len(keys) > NAMED_AT_MOST else ""


def _shape(tensor: Any) -> str:
    shape = getattr(tensor, "shape", None)
    return f"[{','.join(str(size) for size in shape)}]" if shape is not None else f"a {type(tensor).__name__}"


def _as_type(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() and tensor.dtype != dtype else tensor


def _require_complete(net: nn.Module, path: Path) -> None:
    named = [*net.named_parameters(), *net.named_buffers()]
    empty = [key for key, tensor in named if tensor.is_meta]
    if empty:
        raise CheckpointInvalid(f"`{path.name}` leaves the network without data: it {_named('has no', empty)}.")
