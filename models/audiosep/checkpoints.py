"""What the public checkpoints hold besides the tensors that are needed. Rule: keys and plain values only, no reading."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

# How a NumPy number is pickled. The program that trained the public checkpoints stored learning rates like this.
NUMBERS = (
    "numpy.core.multiarray.scalar",  # its name up to NumPy 1
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.dtypes.Float64DType",
)


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose key contains `prefix` after its start or a dot, with their keys from there on."""
    found = {}
    for key, tensor in tensors.items():
        before, middle, rest = key.partition(prefix)
        if middle and (not before or before.endswith(".")):
            found[middle + rest] = tensor
    return found
