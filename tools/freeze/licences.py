"""The licences of everything in the folder, from each distribution's metadata and files. Rule: nothing goes in without one.

A distribution must state its licence, and contain the text or state one whose text is in `licence_texts/`.
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
# A longer `License` field is the text itself.
LONGEST_NAME = 80
CLASSIFIER = "License :: OSI Approved :: "
# Older spellings of the licences whose standard text may replace a missing one.
SPELLINGS = {"apache 2.0": "Apache-2.0", "apache software license": "Apache-2.0", "apache-2.0": "Apache-2.0"}


class LicenceMissing(Exception):
    """A distribution does not state its licence, or the text of that licence is missing."""


class Licence(NamedTuple):
    """The licence that a component states, and its texts: file name and content."""

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
    texts = tuple(_own_texts(distribution))
    standard = STANDARD_TEXTS / f"{SPELLINGS.get(statement.lower(), statement)}.txt"
    if not texts and standard.is_file():
        texts = ((standard.name, standard.read_bytes()),)
    if not texts:
        raise LicenceMissing(
            f"{name} {version} does not contain the text of its licence ({statement}). Put it into {STANDARD_TEXTS.name}/."
        )
    links = (line.partition(",")[2].strip() for line in distribution.metadata.get_all("Project-URL") or ())
    address = str(distribution.metadata["Home-page"] or next(links, ""))
    return Licence(name, version, statement, address, texts)


def stated(distribution: metadata.Distribution) -> str:
    """The name of the licence: the expression, or the classifiers, or the old free-text field."""
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
                # Without the folders of the environment. What follows `licenses` distinguishes texts of the same name.
                start = file.parts.index("licenses") + 1 if "licenses" in file.parts else 1
                yield "/".join(file.parts[start:] or file.parts[-1:]), path.read_bytes()


def licence_of_python() -> Licence:
    """The licence of Python itself. Where its text is installed depends on the system."""
    version = ".".join(str(number) for number in sys.version_info[:3])
    base = Path(sys.base_prefix)
    folders = (base / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}", base, base / "Doc", base / "Lib")
    texts = (folder / name for folder in folders for name in ("LICENSE.txt", "LICENSE"))
    found = next((path for path in texts if path.is_file()), None)
    if found is None:
        raise LicenceMissing(f"The text of Python's licence is missing in {base}.")
    return Licence("Python", version, "PSF-2.0", "https://www.python.org", ((found.name, found.read_bytes()),))


def write_licences(folder: Path, licences: Iterable[Licence]) -> None:
    """Write a folder for each component, and an index."""
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
What this folder contains, and under which licences. The texts are in the folders next to this file.

DSU itself is under the MIT licence (LICENSE.txt). Some parts have further conditions for redistribution: mutagen
(GPL-2.0-or-later); the FFmpeg libraries in PyAV, among them x264 and x265 (GPL-2.0-or-later) and GMP, GnuTLS and nettle
(LGPL-3.0-or-later or GPL-2.0-or-later); and libsoxr (LGPL-2.1-or-later). The folder as a whole may be redistributed under
the terms of the GPL, version 3 or later. sbom.cdx.json lists the libraries inside the packages.
"""
