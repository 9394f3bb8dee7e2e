"""Writes docs/compatibility.md from the tables that the tests of compatibility are parametrized over.

    python -m tools.compatibility_docs           write the file
    python -m tools.compatibility_docs --check   exit with 1 if it is stale

Each `tests/compat/*_rows.py` is a section: TITLE, INTRODUCTION (markdown), ROWS, and DIFFERENCES, which says what is not the
same on purpose, and why.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.generated import write_or_check

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "compat"
TARGET = ROOT / "docs" / "compatibility.md"
HEAD = """\
# Compatibility

Which programs and packages DSU can replace, and what is the same. Every row below is tested, most of them side by side with the
original program. Unless a row mentions a difference, exit status, files, formats and samples are the same.

Samples are compared in single precision (`DSU_DEFAULT_PRECISION=fp32`). Without that setting DSU computes in half precision where the device
is faster with it, and stems then differ by about -40 dB: see [performance](performance.md#precision).

<!-- Written by `python -m tools.compatibility_docs` from `tests/compat/*_rows.py`. -->
"""


def sections() -> list[Any]:
    """The modules with rows, by name."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    return [importlib.import_module(path.stem) for path in sorted(FOLDER.glob("*_rows.py"))]


def render_section(section: Any) -> str:
    """A title, what the section is about, a table, and a list of differences."""
    with_reasons = any(row.differs for row in section.ROWS)
    head = ("what", "shows", "differs")[: 2 + with_reasons]
    lines = [(_code(row.words), row.shows, row.differs)[: len(head)] for row in section.ROWS]
    table = "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in (head, ("---",) * len(head), *lines))
    parts = [f"## {section.TITLE}", section.INTRODUCTION.strip(), table]
    if section.DIFFERENCES:
        listed = "\n".join(f"- {difference}" for difference in section.DIFFERENCES)
        parts += ["What differs on purpose:", listed]
    return "\n\n".join(parts)


def _code(words: str) -> str:
    """Words as code, also where they hold backticks."""
    return f"`` {words} ``" if "`" in words else f"`{words}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def render() -> str:
    """The whole of docs/compatibility.md."""
    return "\n".join([HEAD, *(f"{render_section(section)}\n" for section in sections())])


def main(argv: Sequence[str]) -> int:
    return write_or_check({TARGET: render()}, argv, "tools.compatibility_docs")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
