"""Writes what documents say about models from the lists of models: tables of docs/models.md, and docs/model-list.md.

    python -m tools.model_docs           write the files
    python -m tools.model_docs --check   exit with 1 if they are stale

A table of docs/models.md is what stands between `<!-- table: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.generated import write_or_check
from utils.core.catalogue import GRADES, PURPOSES, SCORED_ON
from utils.store.demucs_models import WORKER as DEMUCS
from utils.store.records import ModelRecord
from utils.store.registry import Registry

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "docs" / "models.md"
LIST = ROOT / "docs" / "model-list.md"
TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
GB = 1e9
MARKS = dict(zip(SCORED_ON, "¹²³⁴⁵⁶", strict=True))

HEAD = """\
# All models

What `dsu models --all` lists, with sources: {count} models, by the type of their network. How to get and to use them is in
[models](models.md).

Nothing here is known from experience: sizes, scores and licences are what somebody states, and an empty cell is what nobody states.
A licence that is not stated is not a free one. Only scores on the same songs can be compared. `dsu models show NAME` says who publishes
them; they were measured on

{marks}

<!-- Written by `python -m tools.model_docs` from `configs/models/`. -->
"""


def render_list(registry: Registry) -> str:
    """The document with all models."""
    records = list(registry)
    marks = "\n".join(f"- {mark} {SCORED_ON[on]}" for on, mark in MARKS.items())
    parts = [HEAD.format(count=len(records), marks=marks)]
    for kind in dict.fromkeys(record.type for record in records):
        own = [record for record in records if record.type == kind]
        parts.append(f"## {kind}\n\n{_table(LIST_HEAD, map(_row, own))}\n")
    return "\n".join(parts)


LIST_HEAD = ("model", "stems", "for", "size", "SDR", "licence", "by", "year")
MOST_STEMS = 8


def _row(record: ModelRecord) -> tuple[str, ...]:
    stems = record.stems if len(record.stems) <= MOST_STEMS else (*record.stems[:3], f"… {len(record.stems)} in all")
    scores = ", ".join(f"{stem} {value:.1f}" for stem, value in (record.sdr or {}).items())
    mark = MARKS[record.sdr_on] if record.sdr_on is not None else ""
    return (
        f"`{record.name}`",
        ", ".join(stems),
        ", ".join(record.purposes),
        _size(record),
        f"{scores} {mark}".strip(),
        record.license or "",
        record.author or "",
        str(record.year or ""),
    )


def _size(record: ModelRecord) -> str:
    size = record.size_bytes
    return "" if size is None else f"{size / GB:.1f} GB" if size >= GB else f"{size / 1e6:.0f} MB"


# The tables of docs/models.md -------------------------------------------------------------------------------------


def recommended(registry: Registry) -> str:
    """A line for each purpose, with a model for each grade."""
    found = {
        (purpose, grade): f"`{record.name}`" for record in registry for purpose, grade in record.recommended.items()
    }
    rows = [
        (purpose, facts.meaning, *(found.get((purpose, grade), "") for grade in GRADES))
        for purpose, facts in PURPOSES.items()
    ]
    return _table(("for", "what that is", *GRADES), rows)


def grades(_: Registry) -> str:
    """What the grades ask of a machine."""
    return _table(("grade", "asks"), GRADES.items())


def demucs(registry: Registry) -> str:
    """The models of the demucs package."""
    rows = []
    for name in registry.names(DEMUCS):
        record = registry.get(name, DEMUCS)
        networks = len(record.bag.members) if record.bag is not None else 1
        about = record.description.removesuffix(".")
        needs = f"; needs the package {', '.join(record.requires)}" if record.requires else ""
        rows.append((f"`{name}`", ", ".join(record.stems), str(networks), _size(record), f"{about}{needs}"))
    return _table(("model", "stems", "networks", "size", "about"), rows)


TABLES = {table.__name__: table for table in (recommended, grades, demucs)}


def render_models(text: str, registry: Registry) -> str:
    """The document with its tables as they should be. Raises `KeyError` for a table that nobody makes."""
    return TABLE.sub(lambda found: f"{found[1]}{TABLES[found[2]](registry)}\n{found[3]}", text)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def main(argv: Sequence[str]) -> int:
    """Write or check the files; returns the exit status."""
    registry = Registry.load()
    text = MODELS.read_text(encoding="utf-8")
    return write_or_check(
        {MODELS: render_models(text, registry), LIST: render_list(registry)}, argv, "tools.model_docs"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
