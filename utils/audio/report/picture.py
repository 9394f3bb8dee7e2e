"""The picture of a report, from what was gathered while the stems were written to a file next to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from utils.audio import temporary
from utils.audio.disk import output_error
from utils.audio.paths import os_path
from utils.audio.report.drawing import Drawing
from utils.audio.report.facts import Facts, Row
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
    part = temporary.part_path(target)
    try:
        picture.save(os_path(part), format="PNG", optimize=True)
        os.replace(os_path(part), os_path(target))  # noqa: PTH105 - a Path would undo the extended form
    except OSError as error:
        raise output_error(error, target) from error
    finally:
        temporary.remove(part)
