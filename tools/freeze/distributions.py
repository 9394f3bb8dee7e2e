"""Which installed distributions belong in the frozen folder: those that the requirements files name, and their dependencies.

Rule: it reads metadata and never imports the packages themselves.
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
    """A requirement is missing in the build environment."""


def requirements(path: Path) -> list[Requirement]:
    """The lines of a requirements file and of those that it includes."""
    found: list[Requirement] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += requirements(path.parent / text.removeprefix("-r ").strip())
        elif text:
            found.append(Requirement(text))
    return found


def required(path: Path) -> list[str]:
    """The normalized names of the distributions in a requirements file."""
    return [canonicalize_name(requirement.name) for requirement in requirements(path)]


def installed() -> dict[str, metadata.Distribution]:
    """All distributions in this environment by normalized name. The first on the path counts, as for imports."""
    found: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions():
        found.setdefault(canonicalize_name(distribution.metadata["Name"]), distribution)
    return found


def closure(roots: Iterable[str], available: Mapping[str, metadata.Distribution]) -> set[str]:
    """The roots and everything they need on this system, without extras. Raises `NotInstalled`."""
    wanted: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in available:
            raise NotInstalled(f"`{name}` is needed but not installed. `python3 run.py build` installs what is needed.")
        if name not in wanted:
            wanted.add(name)
            waiting += needs(available[name])
    return wanted


def needs(distribution: metadata.Distribution) -> list[str]:
    """The names of what a distribution needs on this system."""
    requirements = (Requirement(line) for line in distribution.requires or ())
    return [
        canonicalize_name(each.name) for each in requirements if not each.marker or each.marker.evaluate({"extra": ""})
    ]


def package_folder(name: str) -> Path:
    """The folder of a package's files."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise NotInstalled(f"The package `{name}` is needed but not installed.")
    return Path(spec.submodule_search_locations[0])


def top_level_modules(distribution: metadata.Distribution) -> set[str]:
    """The top-level names of a distribution: modules, packages and folders of bundled libraries."""
    return {top for file in distribution.files or () if (top := _importable(file.parts))}


def _importable(parts: tuple[str, ...]) -> str | None:
    first = parts[0]
    if len(parts) == 1:
        found = re.fullmatch(r"(\w+)(\.[\w.-]+)?\.(py|so|pyd)", first)
        return found[1] if found else None
    return first if re.fullmatch(r"\w+|\w+\.libs|\w+\.dylibs", first) and first != "__pycache__" else None


def owners(available: Mapping[str, metadata.Distribution]) -> dict[str, set[str]]:
    """For each top-level name, the distributions that have files under it."""
    found: dict[str, set[str]] = {}
    for name, distribution in available.items():
        for top in top_level_modules(distribution):
            found.setdefault(top, set()).add(name)
    return found
