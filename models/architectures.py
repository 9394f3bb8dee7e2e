"""The table of networks: what a checkpoint or a config calls them, and where their class is. Strings only.

A class is imported when the first model of its kind is loaded. Nothing outside this table is ever built.
"""

from __future__ import annotations

import importlib
from typing import Any

# Networks of the demucs package. Their checkpoints name the class; these are all that may be named.
DEMUCS: dict[str, str] = {
    "htdemucs": "demucs.htdemucs:HTDemucs",
    "hdemucs": "demucs.hdemucs:HDemucs",
    "demucs": "demucs.demucs:Demucs",
}

ARCHITECTURES: dict[str, str] = {**DEMUCS}


def network_class(name: str) -> Any:
    """The class of the architecture called `name`. Raises `KeyError` for a name that is not in the table."""
    module, _, attribute = ARCHITECTURES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
