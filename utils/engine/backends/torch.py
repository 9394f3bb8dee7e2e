"""Networks run by torch. They are built instantly on `meta`, shapes only, and then get their tensors from a checkpoint."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from models.blocks.recurrent import give_single, has_cpu_kernel
from utils.core.job import current_job
from utils.core.settings import Arithmetic
from utils.engine.backends import Overflow
from utils.store.checkpoints import size_bytes

M = TypeVar("M", bound=nn.Module)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Layers that multiply their weights as matrices. Recurrent ones do so, too, but not every processor has kernels for them.
PRODUCTS = (
    nn.Linear,
    nn.MultiheadAttention,
    nn.Conv1d,
    nn.Conv2d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
)
HALVES = (torch.float16, torch.bfloat16)
# Devices that have no kernels for some functions; before macOS 15.1, for convolutions with more than 65,536 channels or positions.
INCOMPLETE_DEVICES = frozenset({"mps"})
CONVOLUTIONS = frozenset({torch.conv1d, torch.conv2d, torch.conv_transpose1d, torch.conv_transpose2d})
WRITING = frozenset(
    {"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__"}
)  # and all whose names end with _


class TorchBackend:
    """A torch module, called through one of its methods.

    The module itself stays on the CPU in single precision, where its tensors may be those of a mapped file. Copies of it,
    each for one precision, run on graphics cards, and on CPUs in half precision.
    """

    def __init__(self, net: nn.Module, method: str = "__call__", *, halves: bool = True) -> None:
        """`method` is what to run. `halves` says that the network is known to stand half precision, or not known not to."""
        for module in net.modules():
            module.register_forward_pre_hook(_checkpoint)
        self.halves = halves
        self._net = net
        self._method = method
        self._device = "cpu"
        self._copies: dict[torch.dtype, nn.Module] = {}
        self._sizes_bytes: dict[tuple[str, frozenset[torch.dtype]], int] = {}  # by the device and the copies on it
        self._lock = threading.Lock()

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        kind = self._device.partition(":")[0]
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
        if dtype == torch.float32 or not self.halves:
            with torch.autocast(kind, enabled=False):
                return self._run(torch.float32, *inputs, **options)
        output = self._run(dtype, *inputs, **options)
        if not math.isfinite(output.sum(dtype=torch.float32)):
            self.halves = False
            self._copies.pop(dtype, None)  # chunks that run in parallel can all overflow
            raise Overflow
        return output

    def size_bytes(self) -> int:
        """What is on the device. The network itself never is on a graphics card: what runs there are its copies."""
        copies = dict(self._copies)
        key = self._device, frozenset(copies)
        # Kept, since the cache asks several times for each job, and large networks have thousands of tensors.
        if key not in self._sizes_bytes:
            nets = copies.values() if copies and self._device != "cpu" else (self._net, *copies.values())
            self._sizes_bytes[key] = size_bytes(*nets)
        return self._sizes_bytes[key]

    def move(self, device: str) -> None:
        self._device = device
        self._copies = {}

    def prepare(self, precision: Arithmetic) -> None:
        self._placed(DTYPES[precision] if self.halves else torch.float32)

    def _run(self, dtype: torch.dtype, *inputs: Any, **options: Any) -> Tensor:
        net = self._placed(dtype)
        with helped(self._device):
            output: Tensor = getattr(net, self._method)(*inputs, **options)
        return output

    def _placed(self, dtype: torch.dtype) -> nn.Module:
        """The network on its device, with its matrices in this precision."""
        if self._device == "cpu" and dtype == torch.float32:
            return self._net
        with self._lock:
            if dtype not in self._copies:
                self._copies[dtype] = copied(self._net, self._device, dtype)
            return self._copies[dtype]


def helped(device: str) -> AbstractContextManager[object]:
    """The context in which the processor computes what a device has no kernel for."""
    return _WithHelp() if device.partition(":")[0] in INCOMPLETE_DEVICES else nullcontext()


class _WithHelp(TorchFunctionMode):
    """Takes functions to the processor for which the device has no kernel, and their results back."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        try:
            return func(*args, **named)
        except NotImplementedError:
            tensors = [each for each in tree_leaves((args, named)) if isinstance(each, Tensor)]
            device = next((each.device for each in tensors if each.device.type != "cpu"), named.get("device"))
            if device is None:
                raise
        name = getattr(func, "__name__", "")
        current_job().warn(
            "This graphics processor has no kernels for some convolutions of this model, which are large, so the CPU computes "
            "them. With macOS 15.1 or newer it has."
            if func in CONVOLUTIONS
            else f"This graphics processor has no kernel for `{name}`, so the CPU computes it, which takes longer."
        )
        return _by_processor(func, args, named, torch.device(device))


def _by_processor(func: Callable[..., Any], args: Sequence[Any], named: dict[str, Any], device: torch.device) -> Any:
    """What a function gives on the processor, in single precision, as if it had run on the device."""
    tensors = [each for each in tree_leaves((args, named)) if isinstance(each, Tensor)]
    half = next((each.dtype for each in tensors if each.dtype in HALVES), None)

    def down(value: Any) -> Any:
        if isinstance(value, torch.device):
            return torch.device("cpu")
        if not isinstance(value, Tensor):
            return value
        return value.float().cpu() if value.dtype in HALVES else value.cpu()

    def up(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value.to(device, half if half is not None and value.dtype == torch.float32 else value.dtype)

    below_args, below_named = tree_map(down, (tuple(args), named))
    if "device" in named:
        below_named["device"] = "cpu"
    result = func(*below_args, **below_named)
    # What writes into its first tensor, or into `out`, has written into a copy.
    name = getattr(func, "__name__", "")
    if named.get("out") is not None:
        return named["out"].copy_(below_named["out"])
    if name in WRITING or (name.endswith("_") and not name.startswith("__")):
        args[0].copy_(below_args[0])
        return result if result is None else args[0]
    return tree_map(up, result)


def _checkpoint(_: nn.Module, __: tuple[Any, ...]) -> None:
    """Before each layer: one run of a network may take a minute on a CPU, and a cancelled job must not."""
    current_job().checkpoint()


def _remove_checkpoints(net: nn.Module) -> None:
    """Graphics cards compute beside the thread, which is through with the layers at once. Checkpoints would only delay it."""
    for module in net.modules():
        hooks = module._forward_pre_hooks  # noqa: SLF001  # handles to remove them are only for the original
        for key in [key for key, hook in hooks.items() if hook is _checkpoint]:
            del hooks[key]


def copied(net: M, device: str, dtype: torch.dtype) -> M:
    """A copy on a device. The weights of products of matrices and of convolutions have this type, as `torch.autocast`
    would make them anew for each run; everything else is in single precision, or what it was.
    """
    tensors: dict[int, Any] = {}
    for module in net.modules():
        current_job().checkpoint()
        is_product = isinstance(module, PRODUCTS) or (isinstance(module, nn.RNNBase) and _has_kernel(device, dtype))
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            # On the device first, so that the host has nothing to convert.
            moved = tensor.detach().to(device)
            moved = moved.to(dtype) if is_product and moved.is_floating_point() else moved
            made = nn.Parameter(moved, requires_grad=False) if isinstance(tensor, nn.Parameter) else moved
            tensors.setdefault(id(tensor), made)
    # What `deepcopy` finds in its memo it takes for copied: here, all tensors.
    made_net = copy.deepcopy(net, tensors)
    if device != "cpu":
        _remove_checkpoints(made_net)
    # What layers keep beside their tensors is made anew.
    made_net._apply(lambda tensor: tensor)  # type: ignore[no-untyped-call]  # noqa: SLF001
    if device == "mps":
        give_single(made_net)
    return made_net


def _has_kernel(device: str, dtype: torch.dtype) -> bool:
    """Can recurrent layers run in this precision? On Macs' graphics processors autocast does not know them."""
    return device != "mps" and (device != "cpu" or has_cpu_kernel(dtype))


def for_inference(net: M) -> M:
    """The module in evaluation mode, without gradients."""
    net.eval().requires_grad_(requires_grad=False)
    return net


# Building -------------------------------------------------------------------------------------------------------------

# How networks initialise fresh weights, through `torch.nn.init` or tensor methods: random fills and scalings.
RANDOM = (
    "normal",
    "uniform",
    "trunc_normal",
    "kaiming_normal",
    "kaiming_uniform",
    "xavier_normal",
    "xavier_uniform",
)
FILLINGS = frozenset([*(f"{name}_" for name in RANDOM), "mul_", "div_", "__imul__", "__itruediv__"])

# Functions that start the small tables which networks derive from their sizes alone.
TABLES = frozenset({"arange", "linspace", "hann_window"})
LARGEST_TABLE = 1 << 24

MOST_PARTS = 50_000  # modules and tensors; large networks have some thousands


class _WithoutFilling(TorchFunctionMode):
    """Skips random fills and scalings of tensors, and makes tables on the CPU.

    On `meta` neither would do anything, but torch imports its compiler to find that out, which takes over a second.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in FILLINGS:
            return args[0] if args else named["tensor"]
        if name in TABLES:
            if any(isinstance(value, int | float) and abs(value) > LARGEST_TABLE for value in (*args, *named.values())):
                raise ValueError("Its sizes are larger than those of any network.")
            named["device"] = named.get("device") or "cpu"
        return func(*args, **named)


class _Cost:
    """Counts the parts of a network while it is built by this thread, and stops one that becomes too large."""

    def __init__(self, largest_bytes: int | None) -> None:
        self._largest_bytes = largest_bytes
        self._thread = threading.get_ident()
        self._bytes = 0
        self._parts = 0

    def count(self, _: nn.Module, __: str, part: nn.Module | Tensor | None) -> None:
        if part is None or threading.get_ident() != self._thread:
            return
        self._parts += 1
        self._bytes += part.numel() * part.element_size() if isinstance(part, Tensor) else 0
        if self._largest_bytes is not None and self._bytes > self._largest_bytes:
            raise ValueError("It describes a network that is far larger than the checkpoint.")
        if self._parts > MOST_PARTS:
            raise ValueError("It describes a network with more layers than any has.")


@contextmanager
def without_data(largest_bytes: int | None = None) -> Iterator[None]:
    """Networks built inside spend no memory or time on weights; only small tables are computed.

    Raises `ValueError` as soon as their tensors would take more than `largest_bytes`, or they have far too many layers.
    """
    count = _Cost(largest_bytes).count
    with (
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(count),
        register_module_module_registration_hook(count),
        torch.device("meta"),
        _WithoutFilling(),
    ):
        yield
