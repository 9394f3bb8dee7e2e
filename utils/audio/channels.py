"""Downmixing to stereo or mono, by a table of gains. Pure.

Up to eight channels are assumed to be in WAV order. Centre and surrounds are added to their side at -3 dB, a back
centre to both sides at -6 dB, and the low-frequency channel is dropped. All gains are then scaled by one factor, so
that full-scale input cannot exceed full scale. Mono is the mean of left and right.
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
    """The (source, target) matrix that mixes `source` channels (1 to 8) to `target` (1 or 2)."""
    if not 1 <= source <= MAX_CHANNELS or target not in (1, 2):
        raise ValueError(f"no rule to mix {source} channels to {target}")
    stereo = np.ones((1, 2))
    if source > 1:
        gains = np.array([_GAINS[speaker] for speaker in _LAYOUTS[source]])
        stereo = gains / gains.sum(axis=0).max()
    matrix = (stereo if target == 2 else stereo.mean(axis=1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def mix_channels(block: Block, target: int) -> Block:
    """A (samples, channels) block mixed to `target` channels; the block itself if it has that many."""
    source = block.shape[1]
    if source == target:
        return block
    mixed: Block = np.matmul(block, mixing_matrix(source, target))
    return mixed
