"""Where the files of a separation go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.audio.naming import lay_out, safe_name
from utils.core.requests import Separate
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.track import Track

REPORT = "report"  # takes the place of the stem in the names of a report's files


def stem_targets(request: Separate, arrangement: Arrangement, track: Track) -> Mapping[str, Path]:
    """The file of each stem. If the request names a file, it is that of the main stem; the others go next to it."""
    names = arrangement.selection.names
    if request.file is None:
        return _laid_out(request, arrangement, track, names, request.audio_format)
    path = Path(request.file).expanduser().absolute()
    return {
        name: path if name == arrangement.main else path.with_name(f"{path.stem}_{safe_name(name)}{path.suffix}")
        for name in names
    }


def _laid_out(
    request: Separate, arrangement: Arrangement, track: Track, names: Sequence[str], extension: str
) -> dict[str, Path]:
    *folders, own = track.name.split("/")
    folder = Path(request.folder).expanduser().absolute().joinpath(*map(safe_name, folders))
    relative = lay_out(
        [(name, request.template_of(name)) for name in names],
        track=own,
        model=arrangement.model,
        index=track.index,
        extension=extension,
    )
    return {name: folder / path for name, path in relative.items()}


def report_target(request: Separate, arrangement: Arrangement, track: Track, extension: str) -> Path:
    """A file of the report, which lies next to the stems and has a similar name."""
    return _laid_out(request, arrangement, track, [REPORT], extension)[REPORT]
