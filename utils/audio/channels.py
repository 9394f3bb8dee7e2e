"""Any number of channels to one or two: the rule as a table. Pure.

Up to eight channels are taken to be in WAV order. Centre and surrounds enter the side they belong to at -3 dB, a
back centre enters both sides at -6 dB, the low-frequency channel is left out. Both rows are then divided by the
larger row sum, so that full-scale input cannot leave full scale. Mono is the mean of left and right.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]

MAX_CHANNELS = 8

_MINUS_3_DB = 0.5**0.5
_MINUS_6_DB = 0.5

_GAINS: dict[str, tuple[float, float]] = {  # speaker: (to left, to right)
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_MINUS_3_DB, _MINUS_3_DB),
    "LFE": (0.0, 0.0),
    "BL": (_MINUS_3_DB, 0.0),
    "BR": (0.0, _MINUS_3_DB),
    "BC": (_MINUS_6_DB, _MINUS_6_DB),
    "SL": (_MINUS_3_DB, 0.0),
    "SR": (0.0, _MINUS_3_DB),
}

_LAYOUTS: dict[int, tuple[str, ...]] = {
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


@functools.cache
def mixing_matrix(source: int, target: int) -> NDArray[np.float32]:
    """The (source, target) matrix that turns `source` channels (1 to 8) into `target` (1 or 2)."""
    if not 1 <= source <= MAX_CHANNELS or target not in (1, 2):
        raise ValueError(f"no rule to mix {source} channels to {target}")
    stereo = _to_stereo(source)
    wanted = stereo if target == 2 else stereo.mean(axis=1, keepdims=True)
    matrix = wanted.astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def _to_stereo(source: int) -> NDArray[np.float64]:
    if source == 1:
        return np.ones((1, 2))
    gains = np.array([_GAINS[speaker] for speaker in _LAYOUTS[source]])
    scaled: NDArray[np.float64] = gains / gains.sum(axis=0).max()
    return scaled


def mix_channels(block: Block, target: int) -> Block:
    """A (samples, channels) block with `target` channels; the block itself where nothing has to be done."""
    source = block.shape[1]
    if source == target:
        return block
    mixed: Block = np.matmul(block, mixing_matrix(source, target))
    return mixed
