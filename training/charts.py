"""The charts of the model card: the learning curve, and by how much each stem is better than the mixture."""

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
MIXTURE = "the mixture"
COLOURS = ("#1f5f8b", "#7aa95c", "#b9b9b9", "#d9a441")
WIDTH, HEIGHT, DPI = 4.2, 3.4, 80


def draw_curve(log_path: Path, target: Path) -> None:
    """The SDR of each stem while training."""
    lines = [json.loads(line) for line in log_path.read_text(encoding="utf-8").splitlines()]
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for number, (stem, colour) in enumerate(zip(STEMS, COLOURS, strict=True)):
        axes.plot(
            [line["minutes"] for line in lines], [line["held_out_sdr"][number] for line in lines], colour, label=stem
        )
    axes.set(title="while training, on held-out sounds", xlabel="minutes", ylabel="SDR in dB")
    axes.legend(fontsize=7)
    _save(figure, target)


def draw_improvements(report: Mapping[str, Any], target: Path) -> None:
    """For each set of songs how many dB each separator's stems are above the mixture, all on one scale."""
    sets = [name for name in TITLES if name in report]
    figure = Figure(figsize=(WIDTH * len(sets), HEIGHT), dpi=DPI, layout="constrained")
    charts = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    for axes, name in zip(charts, sets, strict=True):
        _draw_bars(axes, TITLES[name], improvements(report[name]))
    charts[0].set_ylabel("SDR above that of the mixture, in dB")
    charts[-1].legend(fontsize=7)
    _save(figure, target)


def improvements(scores: Mapping[str, Mapping[str, list[float]]]) -> dict[str, list[float]]:
    """By separator, how many dB the SDR of each stem is above that of the mixture."""
    mixture = scores[MIXTURE]["sdr"]
    return {
        separator: [reached - before for reached, before in zip(values["sdr"], mixture, strict=True)]
        for separator, values in scores.items()
        if separator != MIXTURE
    }


def _draw_bars(axes: Axes, title: str, gained: Mapping[str, list[float]]) -> None:
    width = 0.8 / len(gained)
    for order, ((separator, values), colour) in enumerate(zip(gained.items(), COLOURS, strict=False)):
        bars = axes.bar(np.arange(len(STEMS)) + order * width, values, width, color=colour, label=separator)
        axes.bar_label(bars, fmt="%.1f", fontsize=6)
    axes.set_xticks(np.arange(len(STEMS)) + 0.4 - width / 2, STEMS)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(title=title)


def _save(figure: Figure, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)
