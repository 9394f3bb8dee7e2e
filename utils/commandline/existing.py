"""Which songs have their results already, for `--skip-existing`. Looks at names on disk only.

A song counts as done when every stem it would give is there. Where a name was made safe for the file system, or the
stems of a model are not known before it is read, less may be recognised; such a song is then separated again.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from utils.core.inputs import unique_tracks
from utils.core.requests import DemucsSeparate

TEMPLATE = "{model}/{track}/{stem}"


def split_done(inputs: Sequence[Path], request: DemucsSeparate, stems: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """The songs still to do, and those whose results exist. `stems` are the model's; empty if they are not known."""
    tracks = unique_tracks(inputs)
    names = expected_stems(request, stems)
    done = [path for path, track in zip(inputs, tracks, strict=True) if all(_exists(request, track, n) for n in names)]
    todo = [path for path in inputs if path not in done]
    before = dict(zip(inputs, tracks, strict=True))
    if unique_tracks(todo) != [before[path] for path in todo]:
        return list(inputs), []  # songs of one name: without the first, the second would take its place
    return todo, done


def expected_stems(request: DemucsSeparate, stems: Sequence[str]) -> list[str]:
    """The names of the stems that the request gives; one wildcard if they cannot be known."""
    if request.two_stems is not None:
        one = glob.escape(request.two_stems)
        both = [one, f"no_{one}"]
        return both[:1] if request.other_method == "none" else both
    return [glob.escape(stem) for stem in request.stems or stems] or ["*"]


def _exists(request: DemucsSeparate, track: str, stem: str) -> bool:
    template = request.name_template or TEMPLATE
    relative = template.format(model=glob.escape(request.model or "*"), track=glob.escape(track), stem=stem, index="*")
    pattern = Path(glob.escape(str(Path(request.folder).expanduser())), f"{relative}.{request.format}")
    return next(glob.iglob(str(pattern)), None) is not None  # noqa: PTH207  # the pattern holds escapes and may be absolute
