"""The only file that touches the demucs package: reads its checkpoints without running code, and wraps its networks.

A demucs checkpoint pickles its own class and constructor arguments. Only the classes in the table of
`models.architectures` and `Fraction` (segment lengths) are allowed, as names; they become classes and numbers here, after
their arguments were checked. Anything else is refused.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from torch import nn

from models.architectures import DEMUCS, network_class
from utils.core.errors import CheckpointInvalid, CheckpointMismatch, ModelNotInstalled
from utils.engine.backends import Backend
from utils.engine.backends.torch import TorchBackend, for_inference, without_data
from utils.store.checkpoints import assign, largest_network_bytes, read_checkpoint
from utils.store.pickles import Made, Named

# Arguments that only affect the random weights, which a checkpoint replaces anyway; turning them off saves time.
RANDOM_START: dict[str, Any] = {"rescale": 0, "emb_smooth": False}

FRACTION = "fractions.Fraction"
FRACTION_TEXT = re.compile(r"\d{1,12}(/[1-9]\d{0,11}|\.\d{1,12})?", re.ASCII)
CLASSES = {place.replace(":", "."): name for name, place in DEMUCS.items()}
QUANTISERS = ("diffq.diffq.DiffQuantizer", "diffq.uniform.UniformQuantizer")
ALLOWED = (FRACTION, *CLASSES, *QUANTISERS)
QUANTISED_RATIO = 16  # some weights take two bits instead of 32

# Bounds of arguments. What a network costs is found out while it is built.
LARGEST = 100_000
LARGEST_OF: dict[str, float] = {"samplerate": 768_000, "segment": 3600, "wiener_iters": 100, "end_iters": 100}
LEAST_OF: dict[str, float] = {"samplerate": 1, "segment": 0.01, "audio_channels": 1}
LONGEST = 100
DEEPEST = 3


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


def load_net(
    path: Path,
    *,
    halves: bool = True,
    mapped: bool,
    allow_unsafe: bool,
) -> DemucsNet:
    """Read a `.th` checkpoint and build its network on the CPU."""
    package = read_checkpoint(path, mapped=mapped, allow=ALLOWED, allow_unsafe=allow_unsafe)
    if not isinstance(package, dict) or not {"klass", "args", "kwargs", "state"} <= package.keys():
        raise CheckpointInvalid(
            f"`{path.name}` is not a checkpoint of the demucs package: it lacks a class, arguments or state.",
            hint="Use weights of other programs with the worker for their architecture.",
        )
    named = package["klass"]
    full = (
        named.name
        if isinstance(named, Named)
        else f"{getattr(named, '__module__', '')}.{getattr(named, '__name__', '')}"
    )
    if full not in CLASSES:
        raise CheckpointInvalid(f"`{path.name}` names a class that is not a Demucs network.")
    state = package["state"]
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise CheckpointInvalid(f"`{path.name}` does not hold the weights of a network: it has no named tensors.")
    klass = network_class(CLASSES[full])
    try:
        arguments = _arguments(klass, package["args"], package["kwargs"])
    except (TypeError, ValueError) as error:
        raise CheckpointMismatch(f"`{path.name}` holds arguments that its network does not accept: {error}.") from error
    net = _build(klass, arguments, state, path)
    from models.blocks.demucs_layers import in_parts  # it imports the package, as the network has done

    in_parts(net)
    return DemucsNet(for_inference(net), path, halves=halves)


def _build(klass: Any, arguments: dict[str, Any], state: dict[str, Any], path: Path) -> nn.Module:
    quantised = bool(state.get("__quantized"))
    try:
        with without_data(largest_network_bytes(path) * (QUANTISED_RATIO if quantised else 1)):
            net = cast(nn.Module, klass(**arguments))
    except Exception as error:  # the package checks none of its arguments
        raise CheckpointMismatch(
            f"`{path.name}` holds arguments that its network does not accept: {str(error) or type(error).__name__}."
        ) from error
    if not quantised:
        assign(net, _modern_keys(net, state), path=path)
        return net
    try:
        from diffq import DiffQuantizer, UniformQuantizer, restore_quantized_state
    except ImportError as error:
        raise _diffq_missing(path) from error
    try:
        meta = state["meta"]
        known = dict(zip(QUANTISERS, (DiffQuantizer, UniformQuantizer), strict=True))
        quantiser = known[meta["klass"].name] if isinstance(meta["klass"], Named) else meta["klass"]
        net = cast(nn.Module, klass(**arguments))  # quantised weights are decoded in place
        restore_quantized_state(net, {**state, "meta": {**meta, "klass": quantiser}})
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointInvalid(f"The quantised weights in `{path.name}` cannot be decoded: {error}.") from error
    return net


def _arguments(klass: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of the network by name, without those that are not known to it. Raises `TypeError` or `ValueError`."""
    if not isinstance(args, tuple | list) or not isinstance(kwargs, Mapping):
        raise TypeError("they are not a list of values and names with values")
    signature = inspect.signature(klass)
    given = {key: value for key, value in {**kwargs, **RANDOM_START}.items() if key in signature.parameters}
    bound = signature.bind(*args, **given).arguments
    found = {key: _plain(value, LARGEST_OF.get(key, LARGEST)) for key, value in bound.items()}
    sources = found["sources"]
    if not isinstance(sources, list | tuple) or not sources or not all(isinstance(name, str) for name in sources):
        raise ValueError("`sources` must be the names of its stems")
    for key, least in LEAST_OF.items():
        value = found.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int | float | Fraction) or value < least:
            raise ValueError(f"`{key}` must be a number of at least {least}")
    return found


def _plain(value: Any, largest: float, depth: int = 0) -> Any:
    """The value, if it is a word, a number within bounds, or a short list of such."""
    if isinstance(value, Made) and value.maker.name == FRACTION:
        value = _fraction(value.arguments)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= LONGEST:
        return value
    if isinstance(value, int | float | Fraction) and -largest <= float(value) <= largest:
        return value
    if isinstance(value, list | tuple) and len(value) <= LONGEST and depth < DEEPEST:
        return type(value)([_plain(each, largest, depth + 1) for each in value])
    if isinstance(value, dict) and not value:
        return {}
    shown = f"of type {type(value).__name__}" if not isinstance(value, int | float) else f"above {largest:g}"
    raise ValueError(f"one is {shown}")


def _fraction(arguments: tuple[Any, ...]) -> Fraction:
    """A fraction as the package stores it: text such as `39/5`, or two numbers."""
    if len(arguments) == 1 and isinstance(arguments[0], str) and FRACTION_TEXT.fullmatch(arguments[0]):
        return Fraction(arguments[0])
    if len(arguments) in (1, 2) and all(isinstance(part, int) and abs(part) < 1 << 62 for part in arguments):
        return Fraction(*arguments)
    raise ValueError("one is not a fraction")


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


def _diffq_missing(path: Path) -> ModelNotInstalled:
    return ModelNotInstalled(
        f"`{path.name}` is quantised, and the package diffq, which reads such weights, is not installed here.",
        hint="Install diffq (`pip install diffq`) next to DSU, or use an unquantised model such as `mdx_extra`.",
    )
