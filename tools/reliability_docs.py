"""Writes docs/reliability.md from what the tests of reliability wrote down while they ran.

    python3 run.py test --long                        runs them and then this
    python -m tools.reliability_docs FOLDER SCALE     writes the page of a run whose records are in a folder

Each record is of one test: what must hold, how often that was tried, what was lost, and figures.
"""

from __future__ import annotations

import ast
import datetime as dt
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil

from utils import __version__

TARGET = Path(__file__).parents[1] / "docs" / "reliability.md"
TESTS = Path(__file__).parents[1] / "tests" / "reliability"
HEAD = """\
# Reliability

What DSU was put through, how often, and what was lost. Every number is from the last long run of `tests/reliability`, which
wrote this page at its end; `python3 run.py test --long` repeats it. The other tests try a part of the same on every change.

"Lost" counts the times when what the row says did not hold.
"""
FULL = "The run tried everything that the tests know."
PART = "The run tried {percent} % of what a full one does, where a test has a number to choose, and never less than on every change."


def write_page(folder: Path, scale: float, target: Path = TARGET) -> None:
    """Write the page from the records in a folder."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    target.write_text(render(records, scale, conditions(), known_tests()), encoding="utf-8", newline="\n")


def known_tests() -> list[str]:
    """What each test says must hold."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in sorted(TESTS.glob("test_*.py")))
    tests = (node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef))
    return [(ast.get_docstring(test) or "").splitlines()[0] for test in tests if test.name.startswith("test_")]


def conditions() -> str:
    """The day and the machine."""
    memory = round(psutil.virtual_memory().total / 2**30)
    cores = f"{os.cpu_count()} cores, {memory} GiB"
    return (
        f"{dt.datetime.now(dt.UTC).date()}; {platform.system()} {platform.machine()}, {cores}; DSU {__version__}, "
        f"Python {platform.python_version()}."
    )


def render(records: Sequence[dict[str, Any]], scale: float, conditions: str, tests: Sequence[str] = ()) -> str:
    """The page: a section for each file of tests, with a row for each test, and those of `tests` that were not part of the run."""
    tried, lost = sum(total(record) for record in records), sum(record["lost"] for record in records)
    much = FULL if scale == 1 else PART.format(percent=f"{100 * scale:g}")
    summary = f"{conditions} {much} In all, {tried:,} times something was tried, and {lost:,} times something was lost."
    parts = [HEAD, summary]
    for section in dict.fromkeys(record["section"] for record in records):
        title, _, about = section.partition(". ")
        rows = merged([record for record in records if record["section"] == section])
        parts += [f"## {title}", f"{about}." if about else "", table(rows)]
    if absent := [says for says in tests if says not in {record["says"] for record in records}]:
        parts += ["## Not part of this run", "\n".join(f"- {says}" for says in absent)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def merged(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One record for each thing that must hold: a test with parameters has written several."""
    by_text: dict[str, dict[str, Any]] = {}
    for record in records:
        known = by_text.setdefault(record["says"], {"says": record["says"], "tried": {}, "lost": 0, "notes": []})
        for kind, count in record["tried"].items():
            known["tried"][kind] = known["tried"].get(kind, 0) + count
        known["lost"] += record["lost"]
        known["notes"] += record["notes"]
    return list(by_text.values())


def total(record: dict[str, Any]) -> int:
    return sum(record["tried"].values())


def table(records: Iterable[dict[str, Any]]) -> str:
    lines = ["| what holds | tried | lost | |", "| --- | --- | --- | --- |"]
    for record in records:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(record["tried"].items()))
        more = "; ".join([*([kinds] if len(record["tried"]) > 1 else []), *record["notes"]])
        cells = (record["says"], f"{total(record):,}", f"{record['lost']:,}", more)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    folder, scale = argv
    write_page(Path(folder), float(scale))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
