"""A finished stretch of a song, as the chunk loop hands it on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """Finished samples of the stems, and the mix at the same place."""

    start: int
    stems: Tensor  # (stems, channels, samples), on the CPU
    mix: npt.NDArray[np.float32]  # (channels, samples)
