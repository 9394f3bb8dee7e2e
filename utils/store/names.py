"""Which names may become files and folders of the models directory: plain ones, on every system. No I/O."""

from __future__ import annotations

import re

# What Windows forbids in a name; `/`, `\` and `:` would also lead out of the folder.
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]')


def is_plain_name(name: str) -> bool:
    """Whether `name` names something directly inside a folder, under the same name on every system."""
    return bool(name) and name == name.strip() and not name.endswith(".") and _FORBIDDEN.search(name) is None


def require_plain_name(name: str) -> None:
    """Raise `ValueError` for a name that carries a path."""
    if not is_plain_name(name):
        raise ValueError(f"`{name}` is not a plain name: it would lead out of its folder or does not work everywhere")


def require_plain_path(path: str) -> None:
    """Raise `ValueError` unless `path` is one or more plain names joined by `/`."""
    for name in path.split("/"):
        require_plain_name(name)
