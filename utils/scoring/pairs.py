"""Which estimate belongs to which true stem: two files, or the files of two folders by their names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from utils.audio.paths import shown
from utils.core.errors import InputNotFound, InvalidRequest
from utils.core.many_files import AUDIO_EXTENSIONS, files_below

SONG = "mixture"  # MUSDB keeps the song beside its stems
_BRACKETED = re.compile(r"\(([^()]+)\)")


class Pair(NamedTuple):
    """A true stem and its estimate."""

    name: str
    reference: Path
    estimate: Path


class Matched(NamedTuple):
    """The pairs, and the names of what has no counterpart."""

    pairs: list[Pair]
    missing: list[str]  # true stems without an estimate
    extra: list[str]  # estimates without a true stem


def match(reference: Path, estimate: Path) -> Matched:
    """Raises `InputNotFound` and `InvalidRequest`."""
    for path in (reference, estimate):
        if not path.exists():
            raise InputNotFound(f"There is no file or folder '{shown(path)}'.")
    if reference.is_dir() != estimate.is_dir():
        folder, file = (reference, estimate) if reference.is_dir() else (estimate, reference)
        raise InvalidRequest(
            f"'{shown(folder)}' is a folder and '{shown(file)}' a file: give two files or two folders."
        )
    if not reference.is_dir():
        return Matched([Pair(reference.stem, reference, estimate)], [], [])
    true, given = _by_name(reference), _by_name(estimate)
    pairs = []
    for name, path in true.items():
        marked = [(each, _in_brackets(each)) for each in given]
        by_last = [each for each, marks in marked if marks[-1:] == [name]]
        found = [name] if name in given else by_last or [each for each, marks in marked if name in marks]
        if len(found) > 1:
            both = " and ".join(f"'{shown(given[each])}'" for each in found[:2])
            raise InvalidRequest(f"{both} could both be the estimate of '{shown(path)}'. Compare one song at a time.")
        pairs += [Pair(name, path, given[each]) for each in found]
    if not pairs:
        raise InvalidRequest(
            f"No file in '{shown(estimate)}' has the name of one in '{shown(reference)}'.",
            hint="Names are compared without extensions: `vocals.flac`, or `song (vocals).flac`, with `vocals.wav`.",
        )
    used = {pair.estimate for pair in pairs}
    return Matched(
        pairs,
        [name for name in true if name not in {pair.name for pair in pairs} and name.rpartition("/")[2] != SONG],
        [name for name, path in given.items() if path not in used],
    )


def _by_name(folder: Path) -> dict[str, Path]:
    """The audio files of a folder by their paths in it, in lower case and without extensions."""
    found: dict[str, Path] = {}
    for path in files_below(folder, None, AUDIO_EXTENSIONS):
        name = path.relative_to(folder).with_suffix("").as_posix().casefold()
        if name in found:
            raise InvalidRequest(f"'{shown(path)}' and '{shown(found[name])}' have the same name.")
        found[name] = path
    return found


def _in_brackets(name: str) -> list[str]:
    """The names of stems that may be meant, the last one most likely: what stands in brackets in that of the file, as several programs write it."""
    folder, slash, file = name.rpartition("/")
    return [f"{folder}{slash}{mark}" for mark in _BRACKETED.findall(file)]
