"""The paths in a request, checked before any of them is used: some texts are no path on any system, or on this one."""

from __future__ import annotations

import os
from pathlib import Path

from utils.core.errors import DsuError, InputUnreadable, InvalidRequest, OutputNotWritable
from utils.core.requests import Separate

_INPUTS = ("input", "noise")
_OUTPUTS = ("output", "output_dir")
_OTHERS = (
    *("model_path", "config_path", "model_file_dir", "repo"),
    *("checkpoint_path", "clap_checkpoint_path", "roberta_dir"),
)
_MAX_NAME_BYTES = 255


def require_paths(request: Separate) -> None:
    """Raise the error of the field for a text that cannot be a path."""
    for field in (*_INPUTS, *_OUTPUTS, *_OTHERS):
        text = getattr(request, field, None)
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
    if max((len(os.fsencode(name)) for name in Path(text).parts), default=0) > _MAX_NAME_BYTES:
        return f"has a name of more than {_MAX_NAME_BYTES} bytes, which is too long for a file. Shorten it."
    try:
        Path(text).expanduser()
    except RuntimeError:
        return "begins with the name of a user who has no home directory here. Write the whole path."
    return None


def _error(field: str, message: str) -> DsuError:
    if field in _INPUTS:
        return InputUnreadable(message, field=field)
    return (OutputNotWritable if field in _OUTPUTS else InvalidRequest)(message, field=field)
