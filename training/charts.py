"""The chart of the model card: the learning curve, and the SDR that was reached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes  # type: ignore[import-not-found]  # a dependency of training only
from matplotlib.figure import Figure  # type: ignore[import-not-found]

from training.composing import STEMS

TITLES = {"held_out": "held-out synthetic songs", "excerpt": "real excerpt"}
COLOURS = ("#1f5f8b", "#7aa95c", "#b9b9b9", "#d9a441")


def draw(report: Mapping[str, Any], log_path: Path, target: Path) -> None:
    """Draw the learning curve, and for each set of songs the SDR of every separator."""
    sets = [name for name in TITLES if name in report]
    figure = Figure(figsize=(4.2 * (1 + len(sets)), 3.4), dpi=80, layout="constrained")
    curve, *bars = figure.subplots(1, 1 + len(sets))
    _draw_curve(curve, log_path)
    for axes, name in zip(bars, sets, strict=True):
        _draw_bars(axes, TITLES[name], report[name])
    bars[-1].legend(fontsize=7)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)


def _draw_curve(axes: Axes, log_path: Path) -> None:
    lines = [json.loads(line) for line in log_path.read_text(encoding="utf-8").splitlines()]
    for number, (stem, colour) in enumerate(zip(STEMS, COLOURS, strict=True)):
        axes.plot(
            [line["minutes"] for line in lines], [line["held_out_sdr"][number] for line in lines], colour, label=stem
        )
    axes.set(title="while training, on held-out sounds", xlabel="minutes", ylabel="SDR in dB")
    axes.legend(fontsize=7)


def _draw_bars(axes: Axes, title: str, scores: Mapping[str, Mapping[str, list[float]]]) -> None:
    width = 0.8 / len(scores)
    for order, ((separator, values), colour) in enumerate(zip(scores.items(), COLOURS, strict=True)):
        axes.bar(np.arange(len(STEMS)) + order * width, values["sdr"], width, color=colour, label=separator)
    axes.set_xticks(np.arange(len(STEMS)) + 0.4 - width / 2, STEMS)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(title=title, ylabel="SDR in dB")
