"""A graphics card that is not there: torch takes `card` for a device, and what it holds is in the host's memory.

Networks and the engine run on it as on any card whose kernels torch does not bring along (`PrivateUse1`). It is as strict as
one: what is on the card never meets what is in the host's memory, but for numbers without a dimension. It computes products in
half precision where `torch.autocast` says so for CUDA, counts the memory that is in use, and has the faults that a test plans.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple, Self

import torch
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "card"
TOTAL_BYTES = 1 << 30
LOST = "CUDA error: an illegal memory access was encountered"
FULL = "CUDA out of memory. Tried to allocate {} bytes"

# What torch.autocast does on CUDA: these are computed in half precision, these in the widest type that they are given, and all
# others that it knows in single precision.
HALVED = [
    "_convolution",
    "convolution",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "addmm",
    "addmv",
    "addr",
    "matmul",
    "einsum",
    "mm",
    "mv",
    "linalg_vecdot",
    "linalg_multi_dot",
    "linear",
    "addbmm",
    "baddbmm",
    "bmm",
    "chain_matmul",
    "prelu",
    "lstm_cell",
    "gru_cell",
    "rnn_relu_cell",
    "rnn_tanh_cell",
    "_thnn_fused_lstm_cell",
    "_thnn_fused_gru_cell",
    "scaled_dot_product_attention",
    "_scaled_dot_product_flash_attention",
]
WIDEST = [
    "addcdiv",
    "addcmul",
    "atan2",
    "bilinear",
    "cross",
    "dot",
    "vdot",
    "grid_sampler",
    "index_put",
    "tensordot",
    "scatter_add",
]
RECURRENT = ("lstm", "gru")
# Products, which the host computes in single precision: not all of its processors have kernels for half.
PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "convolution", *RECURRENT}
# These would otherwise make an empty tensor and change its shape.
FACTORIES = ["arange", "arange.start", "arange.start_step", "linspace", "eye", "hann_window", "hann_window.periodic"]
MOVES = {"copy_", "_to_copy", "_copy_from", "index"}  # indices may be those of the host


class Lost(RuntimeError):
    """As torch's `AcceleratorError`, which cannot be made by hand in all versions."""


class Card:
    """The memory and the faults of the card, and what torch asks of the module of a device."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Without faults. What is on the card stays there, and is not counted any more."""
        self._memory = SimpleNamespace(allocated=0, peak=0)
        self.capacity_bytes = TOTAL_BYTES
        self.allocations = 0  # so far, or calls that could fail
        self.calls = 0
        self.full_at: Callable[[int], bool] = lambda _: False  # by the number of the allocation
        self.lost_at: Callable[[int], bool] = lambda _: False  # by the number of the call
        self.is_lost = False
        self.largest_convolution: int | None = None  # the largest dimension of an output
        self.missing: frozenset[str] = frozenset()  # functions of which there are no kernels
        self.be_complete(False)
        self.seen: Callable[[Any, list[torch.Tensor]], None] = lambda func, made: None

    @staticmethod
    def be_complete(complete: bool) -> None:
        """Have Fourier transforms, as CUDA, or none, as all others."""
        from models.blocks import stft
        from utils.engine.families.vr import model as vr

        stft.COMPLETE_DEVICES = stft.COMPLETE_DEVICES - {NAME} | ({NAME} if complete else set())
        vr.SPECTRAL_DEVICES = vr.SPECTRAL_DEVICES - {NAME} | ({NAME} if complete else set())

    # Memory -----------------------------------------------------------------------------------------------------

    def take(self, size_bytes: int) -> Block:
        """Memory for a new tensor, unless there is none."""
        self.allocations += 1
        if self.full_at(self.allocations) or self._memory.allocated + size_bytes > self.capacity_bytes:
            raise torch.OutOfMemoryError(FULL.format(size_bytes))
        return Block(self._memory, size_bytes)

    def touch(self, function: str = "") -> None:
        """Every call of the card comes by here. Once it is lost, all of them fail."""
        if function in self.missing:
            raise NotImplementedError(f"The operator 'aten::{function}' is not currently implemented for the device.")
        self.calls += 1
        self.is_lost = self.is_lost or self.lost_at(self.calls)
        if self.is_lost:
            raise Lost(LOST)

    @property
    def allocated(self) -> int:
        return int(self._memory.allocated)

    @property
    def peak(self) -> int:
        return int(self._memory.peak)

    # The module of the device ---------------------------------------------------------------------------------------

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def _is_in_bad_fork(self) -> bool:
        return False

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def manual_seed_all(self, seed: int) -> None:
        pass

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]

    def is_bf16_supported(self) -> bool:
        return True

    def memory_allocated(self, device: object = None) -> int:
        return self.allocated

    def mem_get_info(self, device: object = None) -> tuple[int, int]:
        self.touch()
        return self.capacity_bytes - self.allocated, self.capacity_bytes

    def empty_cache(self) -> None:
        self.touch()

    def get_device_properties(self, device: object = None) -> SimpleNamespace:
        return SimpleNamespace(name="Pretended card", total_memory=self.capacity_bytes)


class Block:
    """Memory of the card, in use until this is gone."""

    def __init__(self, memory: SimpleNamespace, size_bytes: int) -> None:
        self._memory, self._size_bytes = memory, size_bytes
        memory.allocated += size_bytes
        memory.peak = max(memory.peak, memory.allocated)

    def __del__(self) -> None:
        self._memory.allocated -= self._size_bytes


CARD = Card()


class OnCard(torch.Tensor):
    """A tensor on the card."""

    held: torch.Tensor  # its values, in the host's memory
    block: Block

    @staticmethod
    def __new__(cls, held: torch.Tensor, block: Block) -> Self:
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=torch.device(NAME, 0)
        )
        made.held, made.block = held, block
        return made

    @property
    def data(self) -> torch.Tensor:
        return self.detach()

    @data.setter
    def data(self, other: OnCard) -> None:
        self.held, self.block = other.held, other.block

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _on_card(func, *args, **(kwargs or {}))

    def __repr__(self, **options: Any) -> str:
        return f"OnCard({self.held})"


def _wrapped(held: torch.Tensor, block: Block) -> OnCard:
    with torch.inference_mode(mode=False):  # a view may be of something that was made outside of it
        return OnCard(held, block)


def _on_card(func: Any, *args: Any, **kwargs: Any) -> Any:
    """What any function of torch does on the card."""
    kind = _kind(func)
    if kind.is_made_of_others:  # in inference mode torch leaves it to the device to take functions apart
        return func.decompose(*args, **kwargs)
    CARD.touch(func._schema.name.removeprefix("aten::"))
    tensors: list[torch.Tensor] = []
    plain_args, plain_kwargs = _mapped((args, kwargs), lambda each: tensors.append(each) or getattr(each, "held", each))
    if not kind.moves and any(not isinstance(each, OnCard) and each.ndim > 0 for each in tensors):
        raise RuntimeError(
            f"Expected all tensors to be on the same device: {func} was given some of `{NAME}` and of `cpu`."
        )
    leaves = False
    if (device := kwargs.get("device")) is not None:
        leaves = torch.device(device).type != NAME
        plain_kwargs["device"] = "cpu"
    if func is torch.ops.aten.convolution.default and CARD.largest_convolution is not None:
        _require_small(func, plain_args, CARD.largest_convolution)
    result = _product(func, tensors, plain_args, plain_kwargs) if kind.is_product else func(*plain_args, **plain_kwargs)
    if kind.writes:
        out = kwargs.get("out", args[0])
        if isinstance(out, OnCard) and (out.held.shape, out.held.stride()) != (out.shape, out.stride()):
            torch.Tensor.data.__set__(out, _wrapped(out.held, out.block))  # such as `transpose_`
        return out
    if leaves:
        return result
    blocks = {each.held.untyped_storage()._cdata: each.block for each in tensors if isinstance(each, OnCard)}
    made: list[torch.Tensor] = []

    def keep(held: torch.Tensor) -> OnCard:
        storage = held.untyped_storage()
        block = blocks.get(storage._cdata)
        if block is None:
            block = blocks[storage._cdata] = CARD.take(storage.nbytes())
        made.append(_wrapped(held, block))
        return made[-1]

    kept = _mapped(result, keep)
    CARD.seen(func, made)
    return kept


def _require_small(func: Any, args: Any, largest: int) -> None:
    """As Macs' graphics processors before macOS 15.1."""
    output = func(*_mapped(args, lambda each: each.to("meta")))
    if max(output.shape) > largest:
        raise NotImplementedError(f"Output channels > {largest} not supported at the MPS device.")


class Kind(NamedTuple):
    """What is known of a function."""

    is_made_of_others: bool
    moves: bool
    is_product: bool
    writes: bool


@functools.cache
def _kind(func: Any) -> Kind:
    name = func._schema.name.removeprefix("aten::")
    returns = func._schema.returns
    return Kind(
        is_made_of_others=name not in RECURRENT and func._can_decompose(),
        moves=name in MOVES,
        is_product=name in PRODUCTS,
        writes=bool(returns) and returns[0].alias_info is not None and returns[0].alias_info.is_write,
    )


def _mapped(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)([_mapped(each, change) for each in value])
    return {key: _mapped(each, change) for key, each in value.items()} if isinstance(value, dict) else value


def _product(func: Any, tensors: list[torch.Tensor], args: Any, kwargs: Any) -> Any:
    types = {each.dtype for each in tensors}
    if len(types) > 1:
        raise RuntimeError(f"{func} was given tensors of several types: {types}.")
    if types <= {torch.float32, torch.complex64}:
        return func(*args, **kwargs)
    (half,) = types
    args, kwargs = _mapped((args, kwargs), lambda each: each.float())
    return _mapped(func(*args, **kwargs), lambda each: each.to(half))


# Autocast -------------------------------------------------------------------------------------------------------------

_AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)


def _autocast(func: Any, target: Callable[[list[torch.Tensor]], torch.dtype]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        floats: dict[int, torch.Tensor] = {}

        def collect(each: torch.Tensor) -> None:
            if isinstance(each, OnCard) and each.dtype in (torch.float32, torch.float16, torch.bfloat16):
                floats[id(each)] = each

        _mapped((args, kwargs), collect)
        with torch._C._ExcludeDispatchKeyGuard(_AUTOCAST):
            if floats:
                dtype = target(list(floats.values()))
                args, kwargs = _mapped((args, kwargs), lambda each: each.to(dtype) if id(each) in floats else each)
            return func(*args, **kwargs)

    return run


def _widest(floats: list[torch.Tensor]) -> torch.dtype:
    return torch.float32 if any(each.dtype == torch.float32 for each in floats) else floats[0].dtype


def _register() -> list[torch.library.Library]:
    """Make `card` a device of torch, for as long as this process lives."""
    _setup_privateuseone_for_python_backend(NAME, CARD)
    rest, aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    rest.fallback(_on_card, "PrivateUse1")
    rest.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    for name in FACTORIES:
        aten.impl(name, _made_by(_overload(name)), "PrivateUse1")
    for full in torch._C._dispatch_get_all_op_names():
        if not (full.startswith("aten::") and torch._C._dispatch_has_kernel_for_dispatch_key(full, "AutocastCUDA")):
            continue
        name = full.removeprefix("aten::").partition(".")[0]
        target = (
            (lambda _: torch.get_autocast_dtype(NAME))
            if name in HALVED
            else _widest
            if name in WIDEST
            else (lambda _: torch.float32)
        )
        if (func := _overload(full.removeprefix("aten::"))) is not None:
            aten.impl(full.removeprefix("aten::"), _autocast(func, target), "AutocastPrivateUse1")
    for name in RECURRENT:  # as cuDNN does
        aten.impl(
            f"{name}.input",
            _autocast(_overload(f"{name}.input"), lambda _: torch.get_autocast_dtype(NAME)),
            "AutocastPrivateUse1",
        )
    return [rest, aten]


def _overload(name: str) -> Any:
    name, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, name, None), overload or "default", None)


def _made_by(func: Any) -> Callable[..., Any]:
    return lambda *args, **kwargs: _on_card(func, *args, **kwargs)


_LIBRARIES = _register()


@contextmanager
def pretended(monkeypatch: Any) -> Iterator[Card]:
    """The card is there, DSU finds it, and it has Fourier transforms."""
    from utils import cards

    CARD.reset()
    monkeypatch.setattr(cards, "KINDS", (*cards.KINDS, NAME))
    monkeypatch.setattr(cards, "found", lambda: [cards.Device(f"{NAME}:0"), cards.Device("cpu")])
    try:
        CARD.be_complete(True)
        yield CARD
    finally:
        CARD.reset()
