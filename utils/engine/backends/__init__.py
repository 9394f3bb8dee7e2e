"""Inference backends. A family runs its network through a `Backend`; each runtime library has one file here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # a child process that opens networks needs neither, and should be there soon
    from torch import Tensor

    from utils.core.settings import Arithmetic


class Overflow(Exception):
    """The output of a network is not finite in half precision. From now on its backend computes in single precision."""


class Backend(Protocol):
    """A network, ready to run. Its family defines the inputs and outputs."""

    @property
    def halves(self) -> bool:
        """Can the network compute in half precision?"""

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """The network's output, computed in the precision of the surrounding `utils.device.computing`. Raises `Overflow`."""

    def size_bytes(self) -> int:
        """The memory that the network occupies now."""

    def move(self, device: str) -> None:
        """Move the network to a device."""

    def prepare(self, precision: Arithmetic) -> None:
        """Do now what the first run in this precision would do first."""
