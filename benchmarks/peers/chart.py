"""Bars as a small SVG: one group for each row, one bar for each program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, NAMES, VALUES = 760, 210, 70
BAR, GAP, HEAD = 16, 14, 34
TEXT = 'font-family="sans-serif" font-size="12"'
COLOURS = ("#2563a8", "#6aa5dd", "#c2571a", "#8a6d1f", "#5b7f3b", "#8a4b8f", "#777777")
PAPER, INK = "#ffffff", "#222222"


def bars(title: str, groups: Mapping[str, Mapping[str, float]], unit: str, *, decimals: int = 2) -> str:
    """Horizontal bars, all on one scale."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    longest = max((value for group in groups.values() for value in group.values()), default=1.0) or 1.0
    parts: list[str] = []
    top = HEAD
    for heading, group in groups.items():
        parts.append(text(0, top + BAR - 4, heading, bold=True))
        for name, value in group.items():
            length = (WIDTH - NAMES - VALUES) * value / longest
            middle = top + BAR - 4
            parts.append(text(NAMES - 8, middle, name, anchor="end"))
            parts.append(
                f'<rect x="{NAMES}" y="{top + 1}" width="{length:.1f}" height="{BAR - 2}" fill="{colours[name]}"/>'
            )
            parts.append(text(NAMES + length + 6, middle, f"{value:.{decimals}f} {unit}"))
            top += BAR
        top += GAP
    return drawing(title, parts, top)


def text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'


def drawing(title: str, parts: Sequence[str], height: int) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" {TEXT} fill="{INK}"',
        f'  viewBox="-12 0 {WIDTH + 24} {height}">',
        f'<rect x="-12" width="{WIDTH + 24}" height="{height}" fill="{PAPER}"/>',
        text(0, 18, title, bold=True),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
