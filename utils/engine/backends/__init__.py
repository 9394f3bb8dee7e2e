"""What runs a network. A family's network is a `Backend`; one file here for each library that can run networks."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class Backend(Protocol):
    """A network, ready to run. What goes in and comes out is up to its family."""

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """The network's output."""

    def size_bytes(self) -> int:
        """Memory that the network takes now."""

    def move(self, device: str) -> None:
        """Bring the network to a device."""
