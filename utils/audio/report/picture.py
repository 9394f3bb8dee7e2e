"""The picture of a report, from what was gathered while the stems were written to a file next to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.audio.disk import output_error
from utils.audio.paths import os_path
from utils.audio.report.drawing import Drawing
from utils.audio.report.facts import Facts, Row
from utils.audio.temporary import HeldFile
from utils.core.requests import Theme


def save_picture(
    rows: Sequence[Row],
    facts: Facts,
    target: Path,
    *,
    sample_rate: int,
    duration_s: float,
    theme: Theme = "light",
    scale: int = 1,
) -> None:
    """Draw the signals in their order and write a PNG, which appears under its name when complete."""
    picture = Drawing(rows, sample_rate, duration_s, theme=theme, scale=scale).draw(facts)
    part = None
    try:
        part = HeldFile(target)
        picture.save(os_path(part.path), format="PNG", optimize=True)
        part.publish(target)
    except OSError as error:
        raise output_error(error, target) from error
    finally:
        if part is not None:
            part.discard()
