"""`Separator` and its errors."""

from .exceptions import AudioExportError, BatchSeparationError, InvalidAudioDataError
from .separator import Separator

__all__ = ["AudioExportError", "BatchSeparationError", "InvalidAudioDataError", "Separator"]
