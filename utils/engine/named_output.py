"""Results that go to a file which the request names: its format from its extension, and what else is written beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, get_args

import msgspec

from utils.audio.formats import most_channels
from utils.audio.naming import safe_name
from utils.audio.reading import probe
from utils.core.errors import UnsupportedFormat
from utils.core.requests import AudioFormat, IntoFile, Separate

TEMPLATE = "{track}_({stem})"  # of what goes to a directory
STEREO = 2
SUFFIXES = {"aif": "aiff", "wave": "wav", "oga": "ogg", "mp4": "m4a"}

R = TypeVar("R", bound=IntoFile)


def with_format_of_output(request: R) -> R:
    """The request with the format that its output's extension says."""
    if not request.output:
        return request
    suffix = Path(request.output).suffix[1:].lower()
    name = SUFFIXES.get(suffix, suffix)
    if name not in get_args(AudioFormat):
        raise UnsupportedFormat(
            f"The extension of `{Path(request.output).name}` names no format that can be written.",
            hint=f"Use one of {', '.join(f'.{known}' for known in get_args(AudioFormat))}; "
            "a directory goes into `output_dir`.",
            field="output",
        )
    return msgspec.structs.replace(request, format=name)


def beside(request: IntoFile, names: Sequence[str], main: str | None) -> dict[str, Path] | None:
    """Each result's file where the request names one: `main` is that file, the others lie beside it. Else None."""
    if not request.output:
        return None
    path = Path(request.output).expanduser().absolute()
    return {name: path if name == main else _with_name_of(path, name) for name in names}


def channels_of_input(request: Separate) -> int:
    """As many as the file has, for networks that take each by itself; stereo where the format cannot hold that many."""
    channels = probe(Path(request.input or "").expanduser()).channels
    return channels if channels <= most_channels(request.format) else STEREO


def _with_name_of(path: Path, name: str) -> Path:
    return path.with_name(f"{path.stem}_{safe_name(name)}{path.suffix}")
