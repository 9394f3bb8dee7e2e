"""Which names may become files and folders of the models directory: plain ones that work on every system. No I/O."""

from __future__ import annotations

import re

# What Windows forbids in a name; `/`, `\` and `:` would also lead out of the folder.
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


def is_plain_name(name: str) -> bool:
    """Whether `name` is the name of something directly inside a folder, and the same on every system."""
    return bool(name) and name == name.strip() and not name.endswith(".") and _FORBIDDEN.search(name) is None


def require_plain_name(name: str) -> None:
    """Raise `ValueError` for a name that contains a path."""
    if not is_plain_name(name):
        raise ValueError(f"`{name}` is not a plain name: it leads out of its folder or is not valid on every system")


def require_plain_path(path: str) -> None:
    """Raise `ValueError` unless `path` is one or more plain names joined by `/`."""
    for name in path.split("/"):
        require_plain_name(name)
