"""Measures in the text format of Prometheus."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Measure(NamedTuple):
    """One measure: its value, or its values by their labels."""

    name: str
    kind: str
    meaning: str
    values: float | Mapping[str, float]


def text(measures: Iterable[Measure]) -> str:
    """The measures as Prometheus reads them."""
    lines = []
    for measure in measures:
        lines += [f"# HELP {measure.name} {measure.meaning}", f"# TYPE {measure.name} {measure.kind}"]
        values = measure.values if isinstance(measure.values, Mapping) else {"": measure.values}
        lines += [f"{measure.name}{f'{{{labels}}}' if labels else ''} {value!r}" for labels, value in values.items()]
    return "\n".join(lines) + "\n"


def resident_bytes() -> int:
    """The memory of this process."""
    import psutil

    return int(psutil.Process(os.getpid()).memory_info().rss)
