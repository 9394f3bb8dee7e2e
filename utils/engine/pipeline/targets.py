"""Where the files of a separation go."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from utils.audio.naming import lay_out, safe_name
from utils.audio.paths import shown
from utils.audio.tagging import is_own_stem
from utils.core.errors import InvalidRequest, OutputNotWritable
from utils.core.recipes import MIX_TITLE
from utils.core.requests import JOINT_FORMATS, Separate
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.track import Track

REPORT = "report"  # takes the place of the stem in the names of a report's files
FADERS = (
    "drums",
    "bass",
    "other",
    "vocals",
)  # the order that programs for DJs expect; what is none of these is `other`


def stem_targets(
    request: Separate, arrangement: Arrangement, track: Track, songs: Collection[tuple[int, int]] = ()
) -> Mapping[str, Path]:
    """The file of each stem. If the request names a file, it is that of the main stem; the others go next to it.

    A file that holds all stems is also that of the mix, in the order of its tracks. None may replace one of `songs`,
    unless that was such a stem itself.
    """
    names = arrangement.selection.names
    if request.audio_format in JOINT_FORMATS:
        return _beside_songs(
            dict.fromkeys(_tracks(request, names), _joint_target(request, arrangement, track)), request, track, songs
        )
    if request.file is None:
        laid_out = _laid_out({name: arrangement.request_for(name, request) for name in names}, arrangement, track)
        return _beside_songs(laid_out, request, track, songs)
    path = Path(request.file).expanduser().absolute()
    return {
        name: path if name == arrangement.main else path.with_name(f"{path.stem}_{safe_name(name)}{path.suffix}")
        for name in names
    }


def _beside_songs(
    targets: Mapping[str, Path], request: Separate, track: Track, songs: Collection[tuple[int, int]]
) -> Mapping[str, Path]:
    """Raise if one of them would replace a song, unless the request names that file itself. A link to it is only a link."""
    for target in set(targets.values()) if request.file is None else ():
        with contextlib.suppress(OSError, ValueError):
            is_at = target.lstat()
            if target.samefile(track.path) and not target.is_symlink():
                whose = "of its own"
            elif (is_at.st_dev, is_at.st_ino) in songs and not is_own_stem(target):
                whose = f"of '{shown(track.path.name)}'"
            else:
                continue
            raise OutputNotWritable(
                f"'{shown(target)}' would be replaced by a stem {whose}. Choose another output directory or template.",
                field="output",
            )
    return targets


def _tracks(request: Separate, names: Sequence[str]) -> list[str]:
    if MIX_TITLE in names:
        raise InvalidRequest(
            f"`{MIX_TITLE}` is the name of a track of its own in this format. Give that stem another name."
        )
    if request.audio_format == "stem.m4a":
        names = sorted(names, key=lambda name: FADERS.index(name.lower() if name.lower() in FADERS else "other"))
    return [MIX_TITLE, *names]


def _joint_target(request: Separate, arrangement: Arrangement, track: Track) -> Path:
    if request.file is not None:
        return Path(request.file).expanduser().absolute()
    return _laid_out({MIX_TITLE: request}, arrangement, track)[MIX_TITLE]


def _laid_out(
    asked: Mapping[str, Separate], arrangement: Arrangement, track: Track, extension: str | None = None
) -> dict[str, Path]:
    """The file of each stem, as the request for it says."""
    *folders, own = track.name.split("/")
    relative = lay_out(
        [(name, request.template_of(name)) for name, request in asked.items()],
        track=own,
        model=arrangement.model,
        index=track.index,
        extension={name: extension or request.audio_format for name, request in asked.items()},
    )
    return {
        name: Path(request.folder).expanduser().absolute().joinpath(*map(safe_name, folders)) / relative[name]
        for name, request in asked.items()
    }


def report_target(request: Separate, arrangement: Arrangement, track: Track, extension: str) -> Path:
    """A file of the report, which lies next to the stems and has a similar name."""
    target = _laid_out({REPORT: request}, arrangement, track, extension)[REPORT]
    if request.audio_format in JOINT_FORMATS:  # its template names no stem
        target = target.with_name(f"{target.stem}_{REPORT}{target.suffix}")
    return target
