"""What is done to a mask between the network and the spectrum: how hard it cuts, and the mending of false alarms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from utils.engine.families.vr.bands import BandLayout

# Stems that are no accompaniment. For a network whose primary stem is one of them, aggressiveness works the other way.
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

# Mending, in frames: what is shorter is no false alarm; how long a mended stretch fades in and out.
SHORTEST_STRETCH = 64
FADE = 32
# How far mending looks: a long stretch, the gap to another, and that one's first part.
MENDING_REACH = 192

Flags = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sharpness:
    """The exponents of a mask, left and right: below the split bin and from it on."""

    low: tuple[float, float]
    high: tuple[float, float]
    split_bin: int

    @classmethod
    def of(cls, aggression: int, primary_stem: str, layout: BandLayout) -> Sharpness | None:
        """For an aggressiveness of -100 to 100; None where masks stay as they are."""
        value = 2 * (aggression / 100)
        if value == 0:
            return None
        if primary_stem in NOT_ACCOMPANIMENT:
            value = 1 - value
        left, right = value + layout.correction.left, value + layout.correction.right
        return cls((1 + left / 3, 1 + right / 3), (1 + left, 1 + right), layout.split_bin)

    def apply(self, mask: Tensor) -> Tensor:
        """A mask (..., 2, bins, frames), sharpened or blunted."""
        low = mask.new_tensor(self.low)[:, None, None]
        high = mask.new_tensor(self.high)[:, None, None]
        return torch.cat((mask[..., : self.split_bin, :] ** low, mask[..., self.split_bin :, :] ** high), dim=-2)


def mend(mask: Tensor, threshold: float, within: tuple[int, int]) -> Tensor:
    """Let long stretches through whole in which the whole mask (..., 2, bins, frames) is above the threshold.

    `within` are the frames that belong to the song.
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
    """How much each frame of a song is mended, where `above` says which frames are above the threshold."""
    weights = np.zeros(len(above), dtype=np.float32)
    fade_in, fade_out = np.linspace(0, 1, FADE), np.linspace(1, 0, FADE)
    previous_end = None
    for first, last in _stretches(above):
        if last - first <= SHORTEST_STRETCH:
            continue
        start = first
        if previous_end is not None and first - previous_end < FADE:  # two stretches become one
            start = previous_end - 2 * FADE
        if start > 0:
            weights[start : start + FADE] = fade_in
        weights[last - FADE : last] = fade_out
        weights[start + FADE if start > 0 else 0 : last - FADE] = 1
        previous_end = last
    return weights


def _stretches(flags: Flags) -> list[tuple[int, int]]:
    """The first and the last place of each unbroken row of flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]
