"""Every foreseen error, as a class with a code of the protocol.

    DsuError
      RequestError      InvalidJson InvalidRequest UnknownCommand Busy
      ModelError        UnknownModel ModelNotInstalled ConfigInvalid
                        CheckpointInvalid CheckpointUnsafe CheckpointMismatch LoadTimeout
                        DownloadFailed ChecksumMismatch
      InputError        InputNotFound InputUnreadable InputEmpty
      OutputError       UnsupportedFormat OutputNotWritable DiskFull
      DeviceError       DeviceUnavailable OutOfMemory DeviceLost

Raise the narrowest class where the fact is known, `from` its cause. The message is one or two plain sentences that say
what is wrong and what to do; a hint may add how to find out more. Any other exception becomes `internal`, or
`out_of_memory` for a `MemoryError`, or `device_lost` for what a driver says (see `utils.core.failures`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar


class DsuError(Exception):
    """An error with a code of the protocol and a message for people."""

    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        suggestions: Sequence[str] = (),
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.suggestions = tuple(suggestions)
        self.field = field
        self.step: str | None = None  # of a recipe


class RequestError(DsuError):
    code = "invalid_request"


class InvalidJson(RequestError):
    code = "invalid_json"


class InvalidRequest(RequestError):
    code = "invalid_request"


class UnknownCommand(RequestError):
    code = "unknown_command"


class Busy(RequestError):
    code = "busy"


class ModelError(DsuError):
    code = "unknown_model"


class UnknownModel(ModelError):
    code = "unknown_model"


class ModelNotInstalled(ModelError):
    code = "model_not_installed"


class ConfigInvalid(ModelError):
    code = "config_invalid"


class CheckpointInvalid(ModelError):
    code = "checkpoint_invalid"


class CheckpointUnsafe(ModelError):
    code = "checkpoint_unsafe"


class CheckpointMismatch(ModelError):
    code = "checkpoint_mismatch"


class LoadTimeout(ModelError):
    code = "load_timeout"


class DownloadFailed(ModelError):
    code = "download_failed"


class ChecksumMismatch(ModelError):
    code = "checksum_mismatch"


class InputError(DsuError):
    code = "input_unreadable"


class InputNotFound(InputError):
    code = "input_not_found"


class InputUnreadable(InputError):
    code = "input_unreadable"


class InputEmpty(InputError):
    code = "input_empty"


class OutputError(DsuError):
    code = "output_not_writable"


class UnsupportedFormat(OutputError):
    code = "unsupported_format"


class OutputNotWritable(OutputError):
    code = "output_not_writable"


class DiskFull(OutputError):
    code = "disk_full"


class DeviceError(DsuError):
    code = "device_unavailable"


class DeviceUnavailable(DeviceError):
    code = "device_unavailable"


class OutOfMemory(DeviceError):
    code = "out_of_memory"


class DeviceLost(DeviceError):
    code = "device_lost"


def nearest(word: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known words that `word` is probably a misspelling or a part of, best first."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=limit, cutoff=0.6)
    if not found and len(word) >= 3:
        found = [low for low in by_lower if word.lower() in low][:limit]
    return [by_lower[low] for low in found]


def did_you_mean(names: Sequence[str]) -> str:
    """` Did you mean: a, b?`, or nothing without names."""
    return f" Did you mean: {', '.join(names)}?" if names else ""
