"""Where the files of models are, and whether they are there. Looking for them never creates anything."""

from __future__ import annotations

import sys
from pathlib import Path

from utils.store.plain_names import require_plain_path
from utils.store.records import FileRecord, ModelRecord


def configs_folder() -> Path:
    """The folder `configs`: beside the program if it is frozen, else in the project."""
    return _root() / "configs"


def embedded_folder() -> Path:
    """The folder of models that come with the program."""
    return _root() / "embedded"


def _root() -> Path:
    return Path(sys.executable).parent if getattr(sys, "frozen", False) else Path(__file__).parents[2]


class ModelFolders:
    """The models directory, with a sub-folder for each kind of model. Files that lie directly in it, and those that
    come with the program, are found as well.
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
        """Where a file is, if it is there and has the right size."""
        for path in (self.path_of(record, file), file.below(self.models_dir), file.below(embedded_folder())):
            try:
                if path.is_file() and file.size_bytes in (None, path.stat().st_size):
                    return path
            except OSError:
                continue
        return None

    def missing(self, record: ModelRecord) -> list[FileRecord]:
        """The files of a model that are missing or incomplete."""
        return [file for file in record.files if self.find(record, file) is None]

    def installed(self, record: ModelRecord) -> bool:
        return not self.missing(record)
