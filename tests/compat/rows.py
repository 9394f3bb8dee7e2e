"""What the tests of compatibility try, as rows: they are parametrized over them, and docs/compatibility.md lists them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One thing that users of another program do."""

    words: str  # what is typed or called
    shows: str  # what comes of it, in one phrase
    differs: str = ""  # why it is not the same here, where it is not
