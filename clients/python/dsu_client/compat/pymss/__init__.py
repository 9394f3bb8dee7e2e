"""The parts of the pymss package that programs call, on DSU. `dsu_client.compat.install` gives it the name `pymss`."""

from .audio_io import load_audio, save_audio
from .logger import get_separation_logger
from .model_download import download_model
from .model_registry import ModelEntry, create_separator, get_model_entry, list_models
from .separator import ModelTypeDetectionError, MSSeparator

__all__ = [
    "MSSeparator",
    "ModelEntry",
    "ModelTypeDetectionError",
    "create_separator",
    "download_model",
    "get_model_entry",
    "get_separation_logger",
    "list_models",
    "load_audio",
    "save_audio",
]
