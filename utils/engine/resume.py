"""Results that are there already: by the note that a finished job leaves, `resume` knows that it need not be done again.

A note lies in the folder `.dsu` of the output directory and is written after the job's files have their names. It counts
only while everything that the files were made from, and every file, is as it was; what cannot be read is no note. Notes
hold one job each, so that several workers may write to one directory.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath

import msgspec
from msgspec import UNSET

from utils.audio import temporary as parts
from utils.audio.disk import output_error
from utils.audio.naming import safe_name
from utils.audio.paths import absolute, os_path
from utils.core.errors import CheckpointInvalid, InputUnreadable
from utils.core.replies import Done
from utils.core.requests import Separate
from utils.engine.family import ModelSource
from utils.store.hashes import remembered_sha256

FOLDER = ".dsu"
FORM = 1  # of notes; another number makes all older ones void
DIGITS = 16  # of the digest in a note's name
SAMPLES, SAMPLE_BYTES = 16, 1 << 14  # of an input: enough to tell songs apart, read in a moment

# Fields of requests that do not change what is in the files, or that the stamps of files and models say better. All
# others count, also those that a worker will get.
WITHOUT_EFFECT = frozenset(
    {"id", "strict", "debug", "progress", "overwrite", "resume", "batch_size", "jobs", "use_fast"}
)
SAID_BY_STAMPS = frozenset(
    {
        *("input", "inputs", "output", "output_dir"),
        *("model", "model_path", "config_path", "model_file_dir", "repo", "ensemble"),
        *("checkpoint_path", "clap_checkpoint_path", "roberta_dir"),
    }
)


class ModelStamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model it was: its name, the SHA-256 of its files, and what else makes it this one."""

    name: str
    files: tuple[str, ...]
    traits: str = ""


class InputStamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which file it was, and how it was then. `sample` is a digest of parts of it."""

    path: str
    size_bytes: int
    modified_ns: int
    sample: str


class FileStamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a result was left."""

    size_bytes: int
    modified_ns: int


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that results are made from."""

    form: int
    folder: str
    input: InputStamp
    settings: str
    models: tuple[ModelStamp, ...]


class JobNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a finished job leaves: from what it made which files, and what it answered."""

    origin: Provenance
    files: dict[str, FileStamp]
    reply: str  # the kind of the answer
    done: dict[str, object]


# From what --------------------------------------------------------------------------------------------------------


def stamp_model(source: ModelSource, checkpoint: Callable[[], None]) -> ModelStamp:
    """The stamp of a model. The registry's hashes were checked when its files came; other files are read."""
    known = {file.name: file.sha256 for file in source.record.files} if source.record is not None else {}
    hashes = tuple(known.get(path.name) or _hash_of(path, checkpoint) for path in source.files)
    return ModelStamp(source.name, hashes, "" if source.traits is None else repr(source.traits))


def _hash_of(path: Path, checkpoint: Callable[[], None]) -> str:
    try:
        return remembered_sha256(path, checkpoint)
    except OSError as error:
        raise CheckpointInvalid(f"`{path.name}` cannot be read: {error.strerror}.") from error


def stamp_input(path: Path) -> InputStamp:
    """The stamp of a file as it is now."""
    try:
        with open(os_path(path), "rb") as file:  # noqa: PTH123 - a Path would undo the extended form
            status = os.fstat(file.fileno())
            digest = hashlib.sha256()
            for number in range(SAMPLES):
                file.seek(max(0, status.st_size - SAMPLE_BYTES) * number // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise InputUnreadable(f"`{path.name}` cannot be read: {error.strerror}.", field="input") from error
    return InputStamp(str(path), status.st_size, status.st_mtime_ns, digest.hexdigest())


def digest_settings(request: Separate, track: str, index: int) -> str:
    """A digest of all that a request says of its results, and of what they are called after."""
    fields = {
        name: getattr(request, name)
        for name in request.__struct_fields__
        if name not in WITHOUT_EFFECT and name not in SAID_BY_STAMPS
    }
    command = request.__struct_config__.tag
    number = index if "{index}" in (request.name_template or "") else 0
    return _digest([command, msgspec.to_builtins(fields), track, number, _file_named(request)])


def _file_named(request: Separate) -> str:
    """The file that `output` names, of commands where it is not the directory."""
    output = request.output or request.output_dir or ""
    return PurePath(output).name if request.folder != output else ""


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# Notes ------------------------------------------------------------------------------------------------------------


class Notebook:
    """The note of one job: read before it, written after it."""

    def __init__(self, request: Separate, models: Sequence[ModelStamp], track: str, index: int) -> None:
        folder = Path(request.folder).expanduser().absolute()
        source = Path(request.input or "").expanduser().absolute()
        settings = digest_settings(request, track, index)
        self._provenance = Provenance(FORM, str(folder), stamp_input(source), settings, tuple(models))
        # What a song, its settings and the names of models are found under. Newer contents of either replace the note.
        key = _digest([str(source), settings, [model.name for model in models]])
        self._track = safe_name(track)
        self.path = folder / FOLDER / f"{self._track}.{key[:DIGITS]}.json"

    def find(self) -> Done | None:
        """The answer of the job that made these very results, if they are all there as it left them."""
        note = _read(self.path)
        if note is None or note.origin != self._provenance or not _is_untouched(note):
            return None
        return _reply(note)

    def write(self, done: Done) -> None:
        """Note what a job has done. Raises `OutputError`."""
        paths = [*done.paths.values(), *([done.report] if isinstance(done.report, str) else [])]
        try:
            files = {path: _stamp_file(Path(path)) for path in paths}
            fields = {name: value for name, value in msgspec.structs.asdict(done).items() if value is not UNSET}
            note = JobNote(self._provenance, files, type(done).__name__, msgspec.to_builtins(fields))
            self._save(json.dumps(msgspec.to_builtins(note), indent=1).encode())
        except OSError as error:
            raise output_error(error, self.path) from error
        self._remove_void(files)

    def _save(self, content: bytes) -> None:
        parts.make_folder(self.path.parent)
        parts.remove_stale_parts([self.path.parent])
        part = parts.part_path(self.path)
        try:
            with open(os_path(part), "wb") as file:  # noqa: PTH123 - a Path would undo the extended form
                file.write(content)
            parts.sync(part)
            os.replace(os_path(part), os_path(self.path))  # noqa: PTH105 - as above
        finally:
            parts.remove(part)

    def _remove_void(self, files: Mapping[str, FileStamp]) -> None:
        """Remove other notes of the track about files that were now replaced."""
        for path in _notes_of(self.path.parent, self._track):
            other = _read(path) if path != self.path else None
            if other is not None and not files.keys().isdisjoint(other.files):
                parts.remove(path)


def _notes_of(folder: Path, track: str) -> Iterator[Path]:
    for name in glob.glob(f"{glob.escape(track)}.*.json", root_dir=os_path(folder)):  # noqa: PTH207 - as above
        yield folder / name


def _read(path: Path) -> JobNote | None:
    """A note; None where there is none that can be understood."""
    try:
        with open(os_path(path), "rb") as file:  # noqa: PTH123 - a Path would undo the extended form
            return msgspec.convert(json.loads(file.read()), JobNote)
    except (OSError, ValueError, RecursionError, msgspec.ValidationError):
        return None


def _is_untouched(note: JobNote) -> bool:
    """Is every file as it was left, and within the output directory?"""
    try:
        return bool(note.files) and all(
            absolute(Path(path)).is_relative_to(note.origin.folder) and _stamp_file(Path(path)) == left
            for path, left in note.files.items()
        )
    except (OSError, ValueError):  # a path that no system would take
        return False


def _stamp_file(path: Path) -> FileStamp:
    status = os.stat(os_path(path))  # noqa: PTH116 - a Path would undo the extended form
    return FileStamp(status.st_size, status.st_mtime_ns)


def _reply(note: JobNote) -> Done | None:
    """The answer that was given then."""
    kinds: list[type[Done]] = [Done, *Done.__subclasses__()]
    kind = next((kind for kind in kinds if kind.__name__ == note.reply), Done)
    with contextlib.suppress(msgspec.ValidationError):
        done = msgspec.convert({"status": "done", **note.done}, kind)
        if all(path in note.files for path in done.paths.values()):
            return msgspec.structs.replace(done, skipped=True)
    return None
