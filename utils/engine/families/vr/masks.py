"""Post-processing of masks: sharpening (aggression), and mending of stretches that were cut by mistake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from utils.engine.families.vr.bands import BandLayout

# Stems that are not an accompaniment. For networks with such a primary stem, aggression works in the opposite direction.
NOT_ACCOMPANIMENT = frozenset(
    {
        "Vocals",
        "Other",
        "Bass",
        "Drums",
        "Guitar",
        "Piano",
        "Synthesizer",
        "Strings",
        "Woodwinds",
        "Brass",
        "Wind Inst",
    }
)

# In frames: only longer stretches are mended, and they fade in and out.
SHORTEST_STRETCH = 64
FADE = 32
# The context of mending: a long stretch, the gap to the next one, and the start of that.
MENDING_REACH = 192

Flags = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sharpness:
    """The exponents of a mask for left and right, below and from the split bin on."""

    low: tuple[float, float]
    high: tuple[float, float]
    split_bin: int

    @classmethod
    def of(cls, aggression: int, primary_stem: str, layout: BandLayout) -> Sharpness | None:
        """The sharpness for an aggression from -100 to 100; None if masks stay unchanged."""
        value = 2 * (aggression / 100)
        if value == 0:
            return None
        if primary_stem in NOT_ACCOMPANIMENT:
            value = 1 - value
        left, right = value + layout.correction.left, value + layout.correction.right
        return cls((1 + left / 3, 1 + right / 3), (1 + left, 1 + right), layout.split_bin)

    def apply(self, mask: Tensor) -> Tensor:
        """Sharpen or soften a mask (..., 2, bins, frames)."""
        low = torch.tensor(self.low, dtype=mask.dtype).to(mask.device)[:, None, None]
        high = torch.tensor(self.high, dtype=mask.dtype).to(mask.device)[:, None, None]
        return torch.cat((mask[..., : self.split_bin, :] ** low, mask[..., self.split_bin :, :] ** high), dim=-2)


def mend(mask: Tensor, threshold: float, within: tuple[int, int]) -> Tensor:
    """Open a mask (..., 2, bins, frames) completely in long stretches in which all bins are above the threshold.

    `within` is the range of frames that belong to the song.
    """
    start, stop = within
    lowest = mask.amin(dim=(-3, -2))[..., start:stop]
    above = (lowest > threshold).cpu().numpy()
    weights = np.zeros((*above.shape[:-1], mask.shape[-1]), dtype=np.float32)
    for place in np.ndindex(above.shape[:-1]):
        weights[place][start:stop] = mending_weights(above[place])
    weight = torch.from_numpy(weights).to(mask.device)[..., None, None, :]
    return mask + weight * (1 - mask)


def mending_weights(above: Flags) -> Weights:
    """How far each frame of a song is mended; `above` flags the frames above the threshold."""
    weights = np.zeros(len(above), dtype=np.float32)
    fade_in, fade_out = np.linspace(0, 1, FADE), np.linspace(1, 0, FADE)
    previous_end = None
    for first, last in _stretches(above):
        if last - first <= SHORTEST_STRETCH:
            continue
        start = first
        if previous_end is not None and first - previous_end < FADE:  # merge the two stretches
            start = previous_end - 2 * FADE
        if start > 0:
            weights[start : start + FADE] = fade_in
        weights[last - FADE : last] = fade_out
        weights[start + FADE if start > 0 else 0 : last - FADE] = 1
        previous_end = last
    return weights


def _stretches(flags: Flags) -> list[tuple[int, int]]:
    """The first and last index of each run of flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]
