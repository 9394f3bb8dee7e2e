"""Reads checkpoints without running code from them, and gives their tensors to networks without copying them.

What a file holds is found out in a child process, unless its bytes are known to be those of a public model. Only tensors and
plain containers are read; classes that the caller allows are kept as names. Anything else is refused, with the name of what
the checkpoint would run, unless the user who started the worker allowed unsafe checkpoints.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.core import isolation
from utils.core.errors import CheckpointInvalid, CheckpointMismatch, CheckpointUnsafe, ModelNotInstalled
from utils.core.job import current_job
from utils.store.checkpoint_content import LONGEST_NAME, find_content, first_sentence, unreadable
from utils.store.known_hashes import is_vouched
from utils.store.likeness import mistaken
from utils.store.pickles import Named
from utils.store.plain_files import open_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

ZIP_MAGIC = b"PK\x03\x04"
WRAPPERS = ("state", "state_dict", "model_state_dict")
PREFIXES = ("module.", "model.", "audio_model.")
TRAINED = "audio_model."  # where a file has more than the network: a discriminator that only training needs
NAMED_AT_MOST = 5
LARGEST_RATIO = 4
SMALL_NETWORK_BYTES = 64 << 20
# Some networks keep their options beside their weights, with the activation by its name. Names are only kept, never run.
NOTES = "_metadata"
NAMES_IN_NOTES = ("torch._C._nn.gelu", "torch.nn.functional.gelu")
# The first version of demucs saved its networks as a class, two kinds of arguments and a state. Only the state is used.
OLD_CLASS, OLD_PARTS = "demucs.tasnet.ConvTasNet", 4
DEEPEST = 8  # wrappers and prefixes around the weights


def read_checkpoint(
    path: Path,
    *,
    mapped: bool = True,
    allow: Collection[str] = (),
    allow_unsafe: bool = False,
) -> Any:
    """The content of a `.safetensors` file or of a file written by `torch.save`, on the CPU.

    With `mapped`, the tensors are memory-mapped and paged in as they are used (except in torch's old format). Classes
    and functions whose full names are in `allow` become `pickles.Named`, and what is made with them `pickles.Made`.
    """
    start = _first_bytes(path)
    mapped = mapped and (start.startswith(ZIP_MAGIC) or path.suffix == ".safetensors")
    try:
        content = _found(path, (*allow, *NAMES_IN_NOTES, OLD_CLASS))
    except CheckpointUnsafe:
        if not allow_unsafe:
            raise
        return _read_by_running(path, mapped=mapped)
    from utils.store.tensors import with_tensors

    try:
        return with_tensors(content, path, mapped=mapped)
    except Exception as error:  # damaged bytes can make the reader fail in any way
        raise unreadable(path, error) from error


def unwrap_state(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict inside the usual wrappers. Raises `CheckpointInvalid` if there is none."""
    import torch

    if isinstance(content, tuple) and len(content) == OLD_PARTS and isinstance(content[0], Named):
        content = content[-1]
    for _ in range(DEEPEST):  # one that contains itself has no end
        names = WRAPPERS if isinstance(content, Mapping) else ()
        content = next((content[name] for name in names if isinstance(content.get(name), Mapping)), content)
    if isinstance(content, Mapping):
        content = {key: value for key, value in content.items() if key != NOTES}
    named = isinstance(content, Mapping) and all(isinstance(key, str) for key in content)
    if not named or not content or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise CheckpointInvalid(f"`{path.name}` does not hold the weights of a network: it has no named tensors.")
    tensors = {key: tensor for key, tensor in content.items() if key.startswith(TRAINED)} or dict(content)
    for _ in range(DEEPEST):
        prefix = next((prefix for prefix in PREFIXES if all(key.startswith(prefix) for key in tensors)), "")
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    return tensors


def assign(net: nn.Module, tensors: Mapping[str, Tensor], *, path: Path, dtype: torch.dtype | None = None) -> None:
    """Give `net` (built on `meta`) its tensors as they are: mapped ones stay mapped. Keys and shapes must fit exactly.

    Floating-point tensors are converted to `dtype` (single precision) if they have another type.
    """
    import torch
    from torch import nn

    # Some networks override `state_dict` and `load_state_dict`; torch's own ones are needed here.
    wanted = nn.Module.state_dict(net)
    _require_fit(wanted, tensors, path)
    wanted_type = dtype if dtype is not None else torch.float32
    ready = {key: _converted(tensor, wanted_type) for key, tensor in tensors.items()}
    try:
        nn.Module.load_state_dict(net, ready, strict=True, assign=True)
    except RuntimeError as error:
        raise CheckpointMismatch(f"`{path.name}` does not fit the network: {first_sentence(error)}") from error
    named = [*net.named_parameters(), *net.named_buffers()]
    empty = [key for key, tensor in named if tensor.is_meta]
    if empty:
        raise CheckpointInvalid(f"`{path.name}` leaves tensors of the network empty: {_listed(empty)}.")


def size_bytes(*nets: nn.Module) -> int:
    """The memory of the parameters and buffers of networks. Tensors that share memory count once."""
    storages: dict[tuple[str, int], int] = {}
    for tensor in (tensor for net in nets for tensor in (*net.parameters(), *net.buffers())):
        own_bytes = tensor.numel() * tensor.element_size()
        key = (str(tensor.device), tensor.data_ptr() or id(tensor))
        storages[key] = max(own_bytes, storages.get(key, 0))
    return sum(storages.values())


def largest_network_bytes(path: Path) -> int:
    """The most that the parameters of a network with this checkpoint can take in single precision.

    Formats of eight bits take a quarter of it, and some files leave out small shared tensors.
    """
    return LARGEST_RATIO * path.stat().st_size + SMALL_NETWORK_BYTES


# Reading ------------------------------------------------------------------------------------------------------------


def _first_bytes(path: Path) -> bytes:
    """The start of the file. Raises an error if it is not a checkpoint at all."""
    try:
        with open_file(path) as file:
            start = file.read(512)
    except FileNotFoundError as error:
        raise ModelNotInstalled(
            f"The checkpoint `{path.name}` is not in `{path.parent}`.",
            hint='Send {"cmd":"download_model","model":NAME}, or put the file there.',
        ) from error
    except OSError as error:
        raise CheckpointInvalid(f"The checkpoint `{path}` cannot be read: {error.strerror}.") from error
    problem = mistaken(start)
    if problem is None:
        return start
    raise CheckpointInvalid(f"`{path.name}` {problem}.", hint="Delete it and download the checkpoint again.")


_read_before: dict[Path, tuple[int, int]] = {}  # the size and the time of what a child has read


def _found(path: Path, allow: Collection[str]) -> Any:
    """What a checkpoint holds, found by a child process if nobody vouches for the file and it is read for the first time."""
    state = path.stat()
    stamp = (state.st_size, state.st_mtime_ns)
    if _read_before.get(path) == stamp or is_vouched(path):
        return find_content(os.fspath(path), allow)
    try:
        content = isolation.call(find_content, os.fspath(path), list(allow))
    except isolation.Broken as broken:
        raise CheckpointInvalid(
            f"`{path.name}` cannot be used: reading it {broken}.",
            hint="It is damaged, or made to do harm. Delete it, and get the checkpoint from its author.",
        ) from broken
    _read_before[path] = stamp
    return content


def _read_by_running(path: Path, *, mapped: bool) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=False, mmap=mapped)
    except Exception as error:  # as the file's code can
        raise unreadable(path, error) from error


# Assigning ----------------------------------------------------------------------------------------------------------


def _require_fit(wanted: Mapping[str, Tensor], tensors: Mapping[str, Any], path: Path) -> None:
    missing = [key for key in wanted if key not in tensors]
    unexpected = [key for key in tensors if key not in wanted]
    wrong = [key for key in wanted if key in tensors and _shape(tensors[key]) != _shape(wanted[key])]
    problems = []
    if missing:
        problems.append(f"missing keys {_listed(missing)}")
    if unexpected:
        problems.append(f"unexpected keys {_listed(unexpected)}")
    if wrong:
        shapes = [f"`{key}` is {_shape(tensors[key])}, the network needs {_shape(wanted[key])}" for key in wrong]
        problems.append(f"wrong shapes: {_listed(shapes, quote='')}")
    if problems:
        raise CheckpointMismatch(
            f"`{path.name}` does not fit the network: {'; '.join(problems)}.",
            hint="The configuration is probably for another model.",
        )


def _listed(items: Sequence[str], quote: str = "`") -> str:
    more = f" and {len(items) - NAMED_AT_MOST} more" if len(items) > NAMED_AT_MOST else ""
    return ", ".join(f"{quote}{item[:LONGEST_NAME]}{quote}" for item in items[:NAMED_AT_MOST]) + more


def _converted(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    current_job().checkpoint()
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _shape(tensor: Any) -> str:
    shape = getattr(tensor, "shape", None)
    return f"[{','.join(str(size) for size in shape)}]" if shape is not None else f"a {type(tensor).__name__}"
