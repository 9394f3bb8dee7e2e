"""Which songs already have their results, for `--skip-existing`. Looks at names on disk only.

A song counts as done when all its stems exist. A result may go unrecognised where its name was changed to suit the file
system, or where the stems of a model are not known before it is read; such a song is separated again.
"""

from __future__ import annotations

import glob
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.core.requests import Separate


@dataclass(frozen=True)
class Results:
    """What a request writes for each song. None stands for a stem whose name is not known."""

    model: str
    stems: tuple[str | None, ...]


def split_done(tracks: Mapping[Path, str], request: Separate, results: Results) -> tuple[dict[Path, str], list[Path]]:
    """The songs still to do, with the names that their results have, and those whose results exist."""
    template = request.template_of(None)
    if "{track}" not in template and len(tracks) > 1:
        return dict(tracks), []  # the names do not say which song they belong to
    done = [
        path
        for path, track in tracks.items()
        if all(_exists(request, template, results.model, track, stem) for stem in results.stems)
    ]
    return {path: track for path, track in tracks.items() if path not in done}, done


def expected_stems(
    request: Separate,
    model_stems: Sequence[str],
    *,
    rest: bool = True,
    rest_name: str | None = None,
    also: Sequence[str] = (),
) -> tuple[str | None, ...]:
    """The stems that a request gives. `rest` says whether `two_stems` writes what it leaves; `also` are further ones."""
    if request.two_stems is not None:
        own: list[str | None] = [request.two_stems, *([rest_name or f"no_{request.two_stems}"] if rest else [])]
    else:
        own = [*(request.stems or model_stems or (None,))]
    return (*own, *also)


def _exists(request: Separate, template: str, model: str, track: str, stem: str | None) -> bool:
    *folders, own = track.split("/")
    values = {
        "model": glob.escape(model),
        "track": glob.escape(request.track_name(own)),
        "stem": "*" if stem is None else _in_any_case(stem),
        "index": "*",
    }
    folder = glob.escape(str(Path(request.folder, *folders).expanduser()))
    pattern = Path(folder, f"{_filled(template, values)}.{request.format}")
    return next(glob.iglob(str(pattern)), None) is not None  # noqa: PTH207  # the pattern holds escapes and may be absolute


def _filled(template: str, patterns: dict[str, str]) -> str:
    pieces = string.Formatter().parse(template)
    return "".join(glob.escape(literal) + (patterns[field] if field else "") for literal, field, _, _ in pieces)


def _in_any_case(stem: str) -> str:
    """A pattern for a stem, which may be requested in a different case from the model's."""
    return "".join(f"[{one.lower()}{one.upper()}]" if one.isalpha() else glob.escape(one) for one in stem)
