"""Which installed distributions belong in the frozen folder: what the requirements files name, and what those need.

Rule: it reads metadata and never imports what it asks about.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


class NotInstalled(Exception):
    """A requirement is missing in the environment that builds."""


def requirements(path: Path) -> list[Requirement]:
    """The lines of a requirements file."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def required(path: Path) -> list[str]:
    """The names of the distributions that a requirements file asks for."""
    return [canonicalize_name(requirement.name) for requirement in requirements(path)]


def installed() -> dict[str, metadata.Distribution]:
    """All distributions of this environment by their normal name; the first on the path counts, as for imports."""
    found: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions():
        found.setdefault(canonicalize_name(distribution.metadata["Name"]), distribution)
    return found


def closure(roots: Iterable[str], available: Mapping[str, metadata.Distribution]) -> set[str]:
    """The roots and everything they need here, extras left aside."""
    wanted: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += needs(_get(name, available))
    return wanted


def needs(distribution: metadata.Distribution) -> list[str]:
    """What a distribution needs on this system."""
    requirements = (Requirement(line) for line in distribution.requires or ())
    return [
        canonicalize_name(each.name) for each in requirements if not each.marker or each.marker.evaluate({"extra": ""})
    ]


def _get(name: str, available: Mapping[str, metadata.Distribution]) -> metadata.Distribution:
    if name not in available:
        raise NotInstalled(
            f"`{name}` is needed and not installed here. `python3 run.py build` installs what is needed."
        )
    return available[name]


def package_folder(name: str) -> Path:
    """Where the files of a package are."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise NotInstalled(f"The package `{name}` is needed and not installed here.")
    return Path(spec.submodule_search_locations[0])


def top_level_modules(distribution: metadata.Distribution) -> set[str]:
    """The names under which a distribution can be imported, of modules and of folders of libraries beside them."""
    return {top for file in distribution.files or () if (top := _importable(file.parts))}


def _importable(parts: tuple[str, ...]) -> str | None:
    first = parts[0]
    if len(parts) == 1:
        found = re.fullmatch(r"(\w+)(\.[\w.-]+)?\.(py|so|pyd)", first)
        return found[1] if found else None
    return first if re.fullmatch(r"\w+|\w+\.libs|\w+\.dylibs", first) and first != "__pycache__" else None


def owners(available: Mapping[str, metadata.Distribution]) -> dict[str, set[str]]:
    """For each name that can be imported, the distributions that have files under it."""
    found: dict[str, set[str]] = {}
    for name, distribution in available.items():
        for top in top_level_modules(distribution):
            found.setdefault(top, set()).add(name)
    return found
