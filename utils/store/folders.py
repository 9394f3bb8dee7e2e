"""Where files of models are, and whether they are there. Looking never creates anything."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from utils.store.names import require_plain_path

if TYPE_CHECKING:
    from utils.store.registry import FileRecord, ModelRecord


def configs_folder() -> Path:
    """The folder `configs`: beside the program when frozen, else in the project."""
    return _root() / "configs"


def embedded_folder() -> Path:
    """The folder of models that come with the program."""
    return _root() / "embedded"


def _root() -> Path:
    return Path(sys.executable).parent if getattr(sys, "frozen", False) else Path(__file__).parents[2]


class ModelFolders:
    """The models directory: one sub-folder for each kind of model. Files lying directly in it are found as well, and
    those that come with the program.
    """

    def __init__(self, models_dir: Path) -> None:
        self.models_dir = models_dir

    def folder(self, sub: str) -> Path:
        """The sub-folder `sub`, whether it exists or not."""
        require_plain_path(sub)
        return self.models_dir / sub

    def path_of(self, record: ModelRecord, file: FileRecord) -> Path:
        """Where a file of a model belongs."""
        return file.below(self.folder(record.folder))

    def find(self, record: ModelRecord, file: FileRecord) -> Path | None:
        """Where a file is, if it is there in the stated size."""
        candidates = (self.path_of(record, file), file.below(self.models_dir), file.below(embedded_folder()))
        return next((path for path in candidates if _has_size(path, file.size_bytes)), None)

    def missing(self, record: ModelRecord) -> list[FileRecord]:
        """The files of a model that are not there, or not whole."""
        return [file for file in record.files if self.find(record, file) is None]

    def installed(self, record: ModelRecord) -> bool:
        return not self.missing(record)


def _has_size(path: Path, size_bytes: int | None) -> bool:
    try:
        return path.is_file() and size_bytes in (None, path.stat().st_size)
    except OSError:
        return False
