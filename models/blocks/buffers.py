"""Tensors that a network computes itself (windows, tables), cached per device. They are never in a checkpoint.

Networks are built on the `meta` device and only get the checkpoint's tensors, so everything else has to be computed on
first use. Rule: whatever a forward pass needs and no checkpoint holds comes from a `Derived`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

P = ParamSpec("P")
R = TypeVar("R")

KEPT_AT_MOST = 16


class Derived(nn.Module, Generic[P, R]):
    """Caches what `make` returns for each set of arguments, until the network is moved or gets other weights.

    `make` takes the device as its first argument and creates its tensors there:
    `self.window = Derived(make_window)`, then `self.window.get(mix.device)`. What derives from weights is a method, or a
    `partial` with the layers: a copy of the network then derives it from its own, which it would not with a lambda.
    It is a module without parameters, so that it notices `.to(...)` and `load_state_dict(...)`. Several threads may
    call it at once; at worst they compute the same value twice.
    """

    def __init__(self, make: Callable[P, R]) -> None:
        super().__init__()
        self._make = make
        self._made: dict[tuple[Any, ...], R] = {}

    def get(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What `make` returns for these arguments."""
        key = (*args, *kwargs.items())
        made = self._made.get(key)
        if made is None:
            # Tensors made in inference mode could not be used outside of it later.
            with torch.inference_mode(mode=False), torch.no_grad():
                made = self._make(*args, **kwargs)
            kept = self._made if len(self._made) < KEPT_AT_MOST else {}
            self._made = {**kept, key: made}
        return made

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Derived[P, R]:
        self._made = {}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._made = {}
        super()._load_from_state_dict(*args, **kwargs)
