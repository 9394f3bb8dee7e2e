"""The only file that touches the demucs package: reads its checkpoints without running code, and wraps its networks.

A demucs checkpoint pickles its own class and constructor arguments. Only the classes in the table of
`models.architectures` and `Fraction` (segment lengths) are allowed; anything else is refused before it runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from torch import nn

from models.architectures import DEMUCS, network_class
from utils.core.errors import CheckpointInvalid, CheckpointMismatch, CheckpointUnsafe, ModelNotInstalled
from utils.engine.backends import Backend
from utils.engine.backends.torch import TorchBackend, for_inference, without_data
from utils.store.checkpoints import assign, read_checkpoint
from utils.store.pickles import imports_from

# Arguments that only affect the random weights, which a checkpoint replaces anyway; turning them off saves time.
RANDOM_START: dict[str, Any] = {"rescale": 0, "emb_smooth": False}


class DemucsNet:
    """One network of a bag."""

    def __init__(self, net: nn.Module, path: Path, *, halves: bool) -> None:
        package_net = cast(Any, net)
        self.path = path
        self.backend: Backend = TorchBackend(net, halves=halves)
        self.stems: tuple[str, ...] = tuple(package_net.sources)
        self.sample_rate = int(package_net.samplerate)
        self.channels = int(package_net.audio_channels)
        self.segment_s = Fraction(package_net.segment).limit_denominator(1_000_000)
        self._is_transformer = type(net).__name__ == "HTDemucs"
        self._valid_length: Callable[[int], int] | None = getattr(net, "valid_length", None)

    @property
    def longest_segment_s(self) -> Fraction | None:
        """Transformers cannot process more than their training segment; None for other networks, which have no limit."""
        return self.segment_s if self._is_transformer else None

    def input_length(self, length: int, segment_samples: int | None) -> int:
        """The input length for a chunk. `segment_samples` is the segment of the request, if it has one."""
        if self._is_transformer and segment_samples is not None:
            return segment_samples
        return max(length, int(self._valid_length(length))) if self._valid_length is not None else length


def load_net(path: Path, *, halves: bool = True, mapped: bool, allow_unsafe: bool) -> DemucsNet:
    """Read a `.th` checkpoint and build its network on the CPU."""
    networks = [network_class(name) for name in DEMUCS]
    allowed = [Fraction, *networks, *_quantisers()]
    try:
        package = read_checkpoint(path, mapped=mapped, allow=allowed, allow_unsafe=allow_unsafe)
    except CheckpointUnsafe as error:
        if not _quantisers() and imports_from(path, "diffq"):
            raise _diffq_missing(path) from error
        raise
    if not isinstance(package, dict) or not {"klass", "args", "kwargs", "state"} <= package.keys():
        raise CheckpointInvalid(
            f"`{path.name}` is not a checkpoint of the demucs package: it lacks a class, arguments or state.",
            hint="Use weights of other programs with the worker for their architecture.",
        )
    if package["klass"] not in networks:
        raise CheckpointInvalid(f"`{path.name}` names a class that is not a Demucs network.")
    return DemucsNet(for_inference(_build(package, path)), path, halves=halves)


def _build(package: dict[str, Any], path: Path) -> nn.Module:
    klass, state = package["klass"], package["state"]
    known = inspect.signature(klass).parameters
    given = {**package["kwargs"], **RANDOM_START}
    kwargs = {key: value for key, value in given.items() if key in known}
    quantised = bool(state.get("__quantized"))
    try:
        with nullcontext() if quantised else without_data():  # quantised weights are decoded in place
            net = cast(nn.Module, klass(*package["args"], **kwargs))
    except (TypeError, ValueError) as error:
        raise CheckpointMismatch(f"`{path.name}` holds arguments that its network does not accept: {error}.") from error
    if not quantised:
        assign(net, _modern_keys(net, state), path=path)
        return net
    try:
        from diffq import restore_quantized_state
    except ImportError as error:
        raise _diffq_missing(path) from error
    try:
        restore_quantized_state(net, state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointInvalid(f"The quantised weights in `{path.name}` cannot be decoded: {error}.") from error
    return net


def _modern_keys(net: nn.Module, state: dict[str, Any]) -> dict[str, Any]:
    """Rename keys of earlier time-domain networks, whose blocks had no normalisation layer: `encoder.0.2` is now `.3`."""
    expected = net.state_dict().keys()
    renamed: dict[str, Any] = {}
    for key, tensor in state.items():
        side, _, rest = key.partition(".")
        index, _, tail = rest.partition(".")
        newer = f"{side}.{index}.3.{tail.removeprefix('2.')}"
        moved = side in {"encoder", "decoder"} and tail.startswith("2.") and key not in expected
        renamed[newer if moved and newer in expected else key] = tensor
    return renamed


def _quantisers() -> list[type]:
    """The classes that quantised checkpoints name; none if diffq is not installed."""
    try:
        from diffq import DiffQuantizer, UniformQuantizer
    except ImportError:
        return []
    return [DiffQuantizer, UniformQuantizer]


def _diffq_missing(path: Path) -> ModelNotInstalled:
    return ModelNotInstalled(
        f"`{path.name}` is quantised, and the package diffq, which reads such weights, is not installed here.",
        hint="Install diffq (`pip install diffq`) next to DSU, or use an unquantised model such as `mdx_extra`.",
    )
