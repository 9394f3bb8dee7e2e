"""Draws docs/images/architecture.svg from the imports of the code: the parts, and which of them knows which.

    python -m tools.architecture_docs           write the file
    python -m tools.architecture_docs --check   exit with 1 if it is stale

An arrow is at least one import, including late ones, those for type checkers, and modules that tables of what to import name.
Arrows to what can be reached over other parts are left out, as are those to the vocabulary, `utils.core`, which everybody knows.
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from tools.generated import write_or_check

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "images" / "architecture.svg"
# The parts, each with what it is there for. A module belongs to the longest name that it begins with.
PARTS = {
    "workers": "the programs",
    "utils.commandline": "for people at a terminal",
    "utils.serving": "lines in, lines out",
    "utils.web": "HTTP, jobs that are kept",
    "utils.scoring": "how close stems come",
    "utils.doctor": "can this machine do it?",
    "utils.engine": "one job after another",
    "utils.engine.families": "each kind of model",
    "utils.engine.pipeline": "the path of a song",
    "utils.engine.backends": "torch, onnxruntime",
    "utils.store": "model files, downloads",
    "utils.audio": "files in, files out",
    "utils.device": "threads, precision",
    "utils.cards": "which devices there are",
    "models": "the networks",
    "utils.core": "the words of all others",
}
EVERYWHERE = "utils.core"
SHARED_WITH_FAMILIES = "utils.engine.family"  # what a family is; it belongs to them
MODULE = re.compile(r"utils(\.[a-z_]+)+(:\w+)?")
BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN = 176, 50, 24, 44, 12
STYLE = (
    "rect{fill:#eef2f8;stroke:#23395b}text{fill:#182842;font:13px sans-serif;text-anchor:middle}.small{font-size:11px}"
    "path{stroke:#b4552d;fill:none;stroke-width:1.3}marker path{fill:#b4552d;stroke:none}"
    "@media (prefers-color-scheme:dark){rect{fill:#1d2738;stroke:#8fa6cc}text{fill:#e6ecf7}path{stroke:#e9a23b}"
    "marker path{fill:#e9a23b}}"
)


def part_of(module: str) -> str | None:
    """The part that a module belongs to."""
    if module.startswith(SHARED_WITH_FAMILIES):
        return "utils.engine.families"
    fitting = [part for part in PARTS if module == part or module.startswith(part + ".")]
    return max(fitting, key=len) if fitting else None


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it. There are no relative imports here."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE.fullmatch(node.value):
            yield node.value


def imports(root: Path = ROOT) -> dict[str, set[str]]:
    """Which parts each part imports, without itself."""
    found: dict[str, set[str]] = {part: set() for part in PARTS}
    for folder in ("workers", "utils", "models"):
        for path in sorted((root / folder).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            part = part_of(module)
            if part is not None:
                found[part] |= {other for name in imported(path) if (other := part_of(name)) not in (None, part)}
    return found


def arrows(found: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """The imports to draw: none that another path tells as well, and none of what everybody imports."""

    def reached(start: str, without: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            part = waiting.pop()
            for other in found[part] - seen:
                if (part, other) != (start, without):
                    seen.add(other)
                    waiting.append(other)
        return seen

    return {
        part: sorted(other for other in others if other != EVERYWHERE and other not in reached(part, other))
        for part, others in found.items()
    }


def ranks(drawn: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The parts in rows: each below all that import it, and what everybody imports in the last one."""
    depth = dict.fromkeys(PARTS, 0)
    for _ in PARTS:
        for part, others in drawn.items():
            for other in others:
                depth[other] = max(depth[other], depth[part] + 1)
    rows: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for part in PARTS:
        if part != EVERYWHERE:
            rows[depth[part]].append(part)
    for above, row in itertools.pairwise(rows):
        row.sort(key=lambda part: _middle([above.index(other) for other in above if part in drawn[other]]))
    return [*rows, [EVERYWHERE]]


def _middle(places: Sequence[int]) -> float:
    return sum(places) / len(places) if places else 0.0


def draw(found: Mapping[str, set[str]]) -> str:
    """The picture."""
    drawn = arrows(found)
    rows = ranks(drawn)
    width = max(len(row) for row in rows) * (BOX_WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    height = len(rows) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    places: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        left = (width - len(row) * (BOX_WIDTH + GAP_X) + GAP_X) / 2
        for index, part in enumerate(row):
            places[part] = (left + index * (BOX_WIDTH + GAP_X), MARGIN + number * (BOX_HEIGHT + GAP_Y))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title">',
        "<title id='title'>The parts of DSU, with an arrow from each to those that it imports</title>",
        f"<style>{STYLE}</style>",
        (
            '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            '<path d="M0 0 8 4 0 8z"/></marker></defs>'
        ),
    ]
    lines += [_arrow(places[part], places[other]) for part, others in drawn.items() for other in others]
    lines += [_box(part, *place) for part, place in places.items()]
    return "\n".join([*lines, "</svg>\n"])


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + BOX_WIDTH / 2, start[1] + BOX_HEIGHT
    x2, y2 = end[0] + BOX_WIDTH / 2, end[1]
    bend = max(GAP_Y, (y2 - y1) / 2)
    return f'<path d="M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}" marker-end="url(#end)"/>'


def _box(part: str, x: float, y: float) -> str:
    middle = x + BOX_WIDTH / 2
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text x="{middle:g}" y="{y + 21:g}">{escape(part)}</text>'
        f'<text class="small" x="{middle:g}" y="{y + 38:g}">{escape(PARTS[part])}</text>'
    )


def main(argv: Sequence[str]) -> int:
    return write_or_check({TARGET: draw(imports())}, argv, "tools.architecture_docs")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
