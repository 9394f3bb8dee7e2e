"""The paths in a request, checked before any of them is used: some texts are no path on any system, or on this one."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from utils.core.errors import DsuError, InputUnreadable, InvalidRequest, OutputNotWritable
from utils.core.requests import Request

_INPUTS = ("input", "noise")
_OUTPUTS = ("output", "output_dir")
_OTHERS = (
    *("model", "model_path", "config_path", "model_file_dir", "repo"),
    *("checkpoint_path", "clap_checkpoint_path", "roberta_dir"),
)
_MAX_UNITS = 255


def require_paths(request: Request) -> None:
    """Raise the error of the field for a text that cannot be a path."""
    single = [(field, getattr(request, field, None)) for field in (*_INPUTS, *_OUTPUTS, *_OTHERS)]
    shares = [("shares", path) for share in getattr(request, "shares", None) or () for path in share.values()]
    for field, text in (*single, *shares):
        fault = _fault(text) if isinstance(text, str) else None
        if fault is not None:
            shown = str(text).replace("\0", "?").encode("utf-8", "replace").decode()
            raise _error(field, f"'{shown}' in `{field}` {fault}")


def _fault(text: str) -> str | None:
    if "\0" in text:
        return "has a zero character, which no path can have."
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return "has half a character. Send the path as valid Unicode."
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        return "begins with the name of a user who has no home directory here. Write the whole path."
    return "has a name that is too long for a file. Shorten it." if _is_too_long(path) else None


def _is_too_long(path: Path) -> bool:
    """Each file system counts in its own way: most on Linux take 255 bytes, but exFAT and network drives 255 characters. So it
    is asked, except on Windows, where all count alike and a name that is too long is one that is not there.
    """
    if sys.platform == "win32":
        return any(len(part.encode("utf-16-le", "surrogatepass")) > 2 * _MAX_UNITS for part in path.parts)
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def _error(field: str, message: str) -> DsuError:
    if field in _INPUTS:
        return InputUnreadable(message, field=field)
    return (OutputNotWritable if field in _OUTPUTS else InvalidRequest)(message, field=field)
