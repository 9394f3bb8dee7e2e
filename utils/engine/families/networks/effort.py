"""How much work a job puts into a song, from the options of its request or from a preset. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from utils.core.requests import NetworkSeparate


@dataclass(frozen=True)
class Effort:
    """How much work goes into each sample."""

    overlap: int  # windows that cover it; 1 means short cross-fades, still without seams
    shifts: int = 1  # separations whose windows begin at different places
    tta: bool = False  # test-time augmentation: run again with swapped channels, and with inverted polarity


# `balanced` takes about 1.8 times as long as `fast`, and `best` 11 times.
PRESETS = {
    "fast": Effort(overlap=1),
    "balanced": Effort(overlap=2),
    "best": Effort(overlap=4, tta=True),
}
DEFAULT = PRESETS["fast"]


def effort_of(request: NetworkSeparate) -> Effort:
    preset = PRESETS[request.quality] if request.quality is not None else DEFAULT
    return Effort(
        overlap=request.windows if request.windows is not None else preset.overlap,
        shifts=request.bigshifts,
        tta=request.use_tta if request.use_tta is not None else preset.tta,
    )
