"""Networks built without data: shapes alone, at once, to be given their tensors from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

# What networks do to fresh weights, as functions of `torch.nn.init` and as methods: random fillings and scalings.
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

# Where the small tables begin that networks work out from their sizes alone.
TABLES = frozenset({"arange", "linspace", "hann_window"})


class _WithoutFilling(TorchFunctionMode):
    """Leaves tensors that would be filled with random numbers, or scaled, as they are; makes tables on the CPU.

    On `meta` there is nothing to do for either, but torch imports its compiler to find that out, which takes over a
    second.
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
    """Networks that are built inside take no memory and no time for their weights; only small tables are filled."""
    with torch.device("meta"), _WithoutFilling():
        yield
