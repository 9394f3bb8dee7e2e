"""Inference backends. A family runs its network through a `Backend`; each runtime library has one file here."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class Backend(Protocol):
    """A network, ready to run. Its family defines the inputs and outputs."""

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """The network's output."""

    def size_bytes(self) -> int:
        """The memory that the network occupies now."""

    def move(self, device: str) -> None:
        """Move the network to a device."""
