"""What the public checkpoints hold besides the tensors that are needed. Rule: keys and plain values only, no reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from torch import Tensor

# The pickled form of a NumPy number. The program that trained the public checkpoints stored learning rates like this.
_MAKER = cast("tuple[Any, ...]", np.float64(0).__reduce__())[0]
NUMBERS: tuple[Any, ...] = (
    (_MAKER, "numpy.core.multiarray.scalar"),  # its name up to NumPy 1
    (_MAKER, "numpy._core.multiarray.scalar"),
    (np.dtype, "numpy.dtype"),
    type(np.dtype(np.float64)),
)


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose key contains `prefix` after its start or a dot, with their keys from there on."""
    found = {}
    for key, tensor in tensors.items():
        before, middle, rest = key.partition(prefix)
        if middle and (not before or before.endswith(".")):
            found[middle + rest] = tensor
    return found
