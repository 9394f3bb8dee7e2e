"""Networks run by torch. They are built instantly on `meta`, shapes only, and then get their tensors from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from utils.store.checkpoints import size_bytes

M = TypeVar("M", bound=nn.Module)


class TorchBackend:
    """A torch module, called through one of its methods."""

    def __init__(self, net: nn.Module, call: Callable[..., Tensor] | None = None) -> None:
        """`call` is the method to run, if it is not `forward`."""
        self._net = net
        self._call = call or net

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        output: Tensor = self._call(*inputs, **options)
        return output

    def size_bytes(self) -> int:
        return size_bytes(self._net)

    def move(self, device: str) -> None:
        self._net.to(device)


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
            named["device"] = named.get("device") or "cpu"
        return func(*args, **named)


@contextmanager
def without_data() -> Iterator[None]:
    """Networks built inside spend no memory or time on weights; only small tables are computed."""
    with torch.device("meta"), _WithoutFilling():
        yield
