"""A download for tests, and what it leaves."""

from __future__ import annotations

from pathlib import Path

from loopback_server import QUICK

from utils.core.job import Job
from utils.store.download import download_files
from utils.store.records import FileRecord


def fetch(file: FileRecord, folder: Path) -> list[Path]:
    return download_files([file], folder=folder, model="m", job=Job(), offline=False, patience=QUICK)


def downloaded(folder: Path) -> dict[str, bytes]:
    """The files in a folder of models, but not what DSU knows of them, nor empty locks that nobody needed any more."""
    files = (path for path in folder.iterdir() if not path.name.startswith("hashes.json") and path.suffix != ".lock")
    return {path.name: path.read_bytes() for path in files}
