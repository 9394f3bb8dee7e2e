"""The options of a request for VR networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from utils.core.errors import InvalidRequest
from utils.core.requests import AudioSeparatorSeparate


@dataclass(frozen=True)
class VrOptions:
    """Raises `InvalidRequest` for values out of range."""

    aggression: int = 5  # -100 to 100: how sharply the primary stem is cut out
    tta: bool = False  # run the network twice, half a patch apart, and average the masks
    high_end: bool = False  # fill the range above the network's by mirroring
    post_process: bool = False  # open the mask completely where it is nearly open
    post_process_threshold: float = 0.2
    window_size: int = 512  # frames per pass of the network

    def __post_init__(self) -> None:
        if not -100 <= self.aggression <= 100:
            raise InvalidRequest(
                f"`vr_aggression` must be from -100 to 100, not {self.aggression}.", field="vr_aggression"
            )
        if not 0 <= self.post_process_threshold <= 1:
            raise InvalidRequest(
                f"`vr_post_process_threshold` must be from 0 to 1, not {self.post_process_threshold:g}.",
                field="vr_post_process_threshold",
            )

    @classmethod
    def of(cls, request: AudioSeparatorSeparate) -> Self:
        return cls(
            aggression=request.vr_aggression,
            tta=request.vr_enable_tta,
            high_end=request.vr_high_end_process,
            post_process=request.vr_post_process,
            post_process_threshold=request.vr_post_process_threshold,
            window_size=request.vr_window_size,
        )
