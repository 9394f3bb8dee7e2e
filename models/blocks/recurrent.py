"""Recurrent layers whose weights are contiguous in device memory after loading, as their kernels need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import nn

R = TypeVar("R", bound=nn.RNNBase)

KINDS: dict[str, Callable[..., nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


def kept_flat(layer: R) -> R:
    """The layer, which from now on makes its weights contiguous whenever it is given new ones."""
    layer.register_load_state_dict_post_hook(lambda module, _: module.flatten_parameters())  # type: ignore[no-untyped-call]  # so in torch
    return layer
