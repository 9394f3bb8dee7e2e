"""What a test of reliability tries, how often, and what was lost. It is counted, and written down for docs/reliability.md."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MOST_LOST = 10


@dataclass
class Scenario:
    """One test: `says` is what must hold, `section` what the tests beside it have in common."""

    section: str
    says: str
    is_long: bool
    scale: float
    tried: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def times(self, quick: int, long: int) -> int:
        """How often to try something in this profile."""
        return max(round(long * self.scale), quick) if self.is_long else quick

    def chosen(self, everything: range, quick: int) -> list[int]:
        """All of these in the long profile, and so many of them, evenly spread, in the quick one."""
        count = max(1, min(self.times(quick, len(everything)), len(everything)))
        return [everything[place * len(everything) // count] for place in range(count)]

    @contextlib.contextmanager
    def trial(self, kind: str, *what: object) -> Iterator[None]:
        """One attempt: an exception in it is a loss, after which the others are tried all the same."""
        self.tried[kind] += 1
        try:
            yield
        except Exception as error:
            self.lost.append(" ".join(map(str, (kind, *what))) + f": {type(error).__name__}: {error}")
            if len(self.lost) >= MOST_LOST:
                raise

    def note(self, text: str) -> None:
        """A figure for the page."""
        self.notes.append(text)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "section": self.section,
            "says": self.says,
            "tried": dict(self.tried),
            "lost": len(self.lost),
            "notes": self.notes,
        }
        path.write_text(json.dumps(record, indent=1), encoding="utf-8")
