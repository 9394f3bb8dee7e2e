"""Where the files of models are, and whether they are there. Looking for them never creates anything."""

from __future__ import annotations

import sys
from pathlib import Path

from utils.store.plain_files import is_folder, size_of
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


WEIGHTS = "weights"  # where earlier versions kept checkpoints, below their models directory
# Where other programs keep what a folder of ours has, below directories of theirs that may be given as the models directory:
# Ultimate Vocal Remover, MSST-WebUI, and torch for the demucs package.
ELSEWHERE = {
    "audio-separator": ("MDX_Net_Models", "VR_Models"),
    "bsroformer": ("MDX_Net_Models", "vocal_models", "single_stem_models", "multi_stem_models"),
    "demucs": ("Demucs_Models/v3_v4_repo", "hub/checkpoints", "checkpoints"),
}


class ModelFolders:
    """The models directory, with a sub-folder for each kind of model.

    Files that lie directly in it or in folders called `weights` are found as well, also under the names that they were
    published by, and so are those that come with the program. The directory may also be one of another program, with that
    program's folders. `configs_dir` has configurations of the user's networks.
    """

    def __init__(self, models_dir: Path, configs_dir: Path | None = None) -> None:
        self.models_dir = models_dir
        self.configs_dir = configs_dir

    def folder(self, sub: str) -> Path:
        """The sub-folder `sub`, whether it exists or not; the models directory itself if that is such a folder."""
        require_plain_path(sub)
        below = self.models_dir / sub
        return self.models_dir if self.models_dir.name == sub and not is_folder(below) else below

    def places(self, sub: str) -> list[Path]:
        """The folders of the models directory in which files for `sub` are found, in the order of the search."""
        folders = dict.fromkeys((self.folder(sub), self.models_dir))
        return [*(place for folder in folders for place in (folder, folder / WEIGHTS)), *self.elsewhere(sub)]

    def elsewhere(self, sub: str) -> list[Path]:
        """The folders in which other programs keep files for `sub`, if the models directory is one of theirs."""
        return [folder for name in ELSEWHERE.get(sub, ()) if is_folder(folder := self.models_dir / name)]

    def path_of(self, record: ModelRecord, file: FileRecord) -> Path:
        """Where a file of a model belongs."""
        return file.below(self.folder(record.folder))

    def find(self, record: ModelRecord, file: FileRecord) -> Path | None:
        """Where a file is, if it is there and has the right size.

        Under another name than its own it must have a known size, which tells it from other files of that name.
        """
        folders = [folder for folder in (*self.places(record.folder), embedded_folder()) if is_folder(folder)]
        others = record.other_names(file) if file.size_bytes is not None else []
        paths = (folder / name for names in ([file.place], others) for folder in folders for name in names)
        for path in paths:
            size_bytes = size_of(path)
            if size_bytes is not None and file.size_bytes in (None, size_bytes):
                return path
        return None

    def missing(self, record: ModelRecord) -> list[FileRecord]:
        """The files of a model that are missing or incomplete."""
        return [file for file in record.files if self.find(record, file) is None]

    def installed(self, record: ModelRecord) -> bool:
        return not self.missing(record)
