"""What a request may choose about a separation with a VR network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from utils.core.errors import InvalidRequest
from utils.core.requests import AudioSeparatorSeparate


@dataclass(frozen=True)
class VrOptions:
    """Raises `InvalidRequest` for a value out of its range."""

    aggression: int = 5  # -100 to 100: how hard the primary stem is cut out
    tta: bool = False  # look at the song twice, half a window apart
    high_end: bool = False  # mirror into the range above the network's
    post_process: bool = False  # give back what was cut by mistake where hardly anything was cut
    post_process_threshold: float = 0.2
    window_size: int = 512  # frames that the network sees at once

    def __post_init__(self) -> None:
        if not -100 <= self.aggression <= 100:
            raise InvalidRequest(
                f"`vr_aggression` goes from -100 to 100; {self.aggression} was asked for.", field="vr_aggression"
            )
        if not 0 <= self.post_process_threshold <= 1:
            raise InvalidRequest(
                f"`vr_post_process_threshold` goes from 0 to 1; {self.post_process_threshold:g} was asked for.",
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
