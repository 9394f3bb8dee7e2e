"""The licences of everything inside, from the metadata and files of each distribution. Rule: nothing goes in without.

A distribution must state its licence, and bring the text of it or state one whose text lies in `licence_texts/`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

STANDARD_TEXTS = Path(__file__).parent / "licence_texts"
TEXT_NAMES = re.compile(r"(licen[cs]e|copying|notice|authors|thirdpartynotices|patents)", re.IGNORECASE)
NO_TEXTS = frozenset({".py", ".pyc", ".pyi", ".so", ".pyd", ".json", ".h"})
# A `License` field that says more than this is the text itself.
LONGEST_NAME = 80
CLASSIFIER = "License :: OSI Approved :: "
# How metadata of older form writes the licences whose standard text may stand in for a missing one.
SPELLINGS = {"apache 2.0": "Apache-2.0", "apache software license": "Apache-2.0", "apache-2.0": "Apache-2.0"}


class LicenceMissing(Exception):
    """A distribution does not say under which licence it is, or there is no text of that licence."""


class Licence(NamedTuple):
    """What a component states, and the texts: name within its folder, and content."""

    component: str
    version: str
    statement: str
    address: str
    texts: tuple[tuple[str, bytes], ...]


def licence_of(distribution: metadata.Distribution) -> Licence:
    """The licence of an installed distribution. Raises `LicenceMissing`."""
    name, version = distribution.metadata["Name"], distribution.version
    statement = stated(distribution)
    if not statement:
        raise LicenceMissing(f"{name} {version} does not state its licence.")
    texts = tuple(_own_texts(distribution)) or tuple(_standard_text(statement))
    if not texts:
        raise LicenceMissing(
            f"{name} {version} brings no text of its licence ({statement}). Put it into {STANDARD_TEXTS.name}/."
        )
    return Licence(name, version, statement, _address(distribution), texts)


def stated(distribution: metadata.Distribution) -> str:
    """The licence's name: the expression, else the classifiers, else the field of old."""
    facts = distribution.metadata
    if facts["License-Expression"]:
        return str(facts["License-Expression"])
    classified = [
        line.rpartition(" :: ")[2] for line in facts.get_all("Classifier") or () if line.startswith(CLASSIFIER)
    ]
    field = (facts["License"] or "").strip()
    short = field if len(field) <= LONGEST_NAME and "\n" not in field else ""
    return " AND ".join(classified) or short or field[:LONGEST_NAME].partition("\n")[0]


def _own_texts(distribution: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    for file in sorted(distribution.files or (), key=str):
        if TEXT_NAMES.match(file.name) and file.suffix.lower() not in NO_TEXTS:
            path = Path(str(file.locate()))
            if path.is_file():
                yield _inside(file.parts), path.read_bytes()


def _inside(parts: tuple[str, ...]) -> str:
    """The name of a text without the folders of the environment; what comes after `licenses` tells texts apart."""
    shown = parts[parts.index("licenses") + 1 :] if "licenses" in parts else parts[1:]
    return "/".join(shown or parts[-1:])


def _standard_text(statement: str) -> Iterator[tuple[str, bytes]]:
    path = STANDARD_TEXTS / f"{SPELLINGS.get(statement.lower(), statement)}.txt"
    if path.is_file():
        yield path.name, path.read_bytes()


def _address(distribution: metadata.Distribution) -> str:
    facts = distribution.metadata
    links = [line.partition(",")[2].strip() for line in facts.get_all("Project-URL") or ()]
    return str(facts["Home-page"] or next(iter(links), ""))


def licence_of_python() -> Licence:
    """Python itself, whose installation has its text at different places on different systems."""
    version = ".".join(str(number) for number in sys.version_info[:3])
    base = Path(sys.base_prefix)
    places = (base / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}", base, base / "Doc", base / "Lib")
    texts = (place / name for place in places for name in ("LICENSE.txt", "LICENSE"))
    found = next((path for path in texts if path.is_file()), None)
    if found is None:
        raise LicenceMissing(f"There is no text of Python's licence below {base}.")
    return Licence("Python", version, "PSF-2.0", "https://www.python.org", ((found.name, found.read_bytes()),))


def write_licences(folder: Path, licences: Iterable[Licence]) -> None:
    """One folder for each component, and an index."""
    listed = sorted(licences, key=lambda licence: licence.component.lower())
    for licence in listed:
        for name, content in licence.texts:
            target = folder / f"{licence.component}-{licence.version}" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    (folder / "README.txt").write_text(index(listed), encoding="utf-8", newline="\n")


def index(licences: Iterable[Licence]) -> str:
    rows = (f"{each.component} {each.version}\n    {each.statement}\n    {each.address}\n" for each in licences)
    return f"{NOTE}\n" + "\n".join(rows)


NOTE = """\
What is inside, and under which licence. The texts are in the folders beside this file.

DSU itself is under the MIT licence (LICENSE.txt). Some parts ask for more of whoever passes this folder on: mutagen
(GPL-2.0-or-later), the libraries of FFmpeg that come with PyAV, among them x264 and x265 (GPL-2.0-or-later) and GMP, GnuTLS
and nettle (LGPL-3.0-or-later or GPL-2.0-or-later), and libsoxr (LGPL-2.1-or-later). As a whole the folder is to be passed
on under the terms of the GPL, version 3 or later. sbom.cdx.json lists the libraries that come inside the packages.
"""
