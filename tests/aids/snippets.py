"""The blocks of code in the documents: what is printed there, and what the text around says about it."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BESIDE = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "clients/*/README.md",
    "training/README.md",
    "examples/**/*.md",
)
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)$")
MARK = re.compile(r"<!-- not run: (.+?) -->", re.DOTALL)
ITEM = re.compile(r"^\s*([-*]|\d+\.)\s")


class Block(NamedTuple):
    """A block of a document. Without a fence, its language is empty."""

    page: str
    line: int
    language: str
    code: str
    before: str  # the paragraph above

    @property
    def reason(self) -> str:
        """Why it is not run, if the document says so right above."""
        marks = MARK.findall(self.before)
        return marks[-1] if marks else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """The documents that people read, by their paths in the repository."""
    found = [path for pattern in ("docs/*.md", *BESIDE) for path in ROOT.glob(pattern)]
    return sorted(path.relative_to(ROOT).as_posix() for path in found if "node_modules" not in path.parts)


def blocks_of(page: str) -> list[Block]:
    """The fenced and the indented blocks of a document, in their order."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    found: list[Block] = []
    paragraph: list[str] = []
    index = 0
    in_list = False
    while index < len(lines):
        line = lines[index]
        fence = FENCE.match(line)
        indented = (
            line.startswith("    ") and line.strip() and not (paragraph and paragraph[-1].strip()) and not in_list
        )
        if fence:
            end = next(at for at in range(index + 1, len(lines)) if lines[at].strip() == "```")
            code = textwrap.dedent("\n".join(lines[index + 1 : end])) + "\n"
            found.append(Block(page, index + 1, fence["language"], code, _above(paragraph)))
            index, paragraph = end + 1, []
        elif indented:
            end = index
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            code = textwrap.dedent("\n".join(lines[index:end])).rstrip() + "\n"
            found.append(Block(page, index + 1, "", code, _above(paragraph)))
            index, paragraph = end, []
        else:
            paragraph.append(line)
            in_list = bool(ITEM.match(line)) or (in_list and (not line.strip() or line.startswith("  ")))
            index += 1
    return found


def _above(lines: list[str]) -> str:
    """The last paragraph of these lines."""
    text = "\n".join(lines).rstrip()
    return text.rpartition("\n\n")[2]
