"""Skipping work that is already done: each finished job leaves a note, by which `resume` recognises its results.

Notes lie in the folder `.dsu` of the output directory and are written after the job's files have their final names. A
note is valid only while all inputs of the job and all its files are unchanged; an unreadable note counts as missing.
Each note describes one job, so several workers may write to the same directory.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Self, TypeVar

import msgspec
from msgspec import UNSET

from utils.audio import temporary
from utils.audio.disk import output_error
from utils.audio.naming import safe_name
from utils.audio.paths import absolute, os_path, shown
from utils.audio.publishing import is_below
from utils.core.errors import CheckpointInvalid, InputUnreadable, OutputNotWritable
from utils.core.replies import Done
from utils.core.requests import Separate
from utils.core.typed import convert
from utils.engine.family import ModelSource
from utils.store.hashes import remembered_sha256

FOLDER = ".dsu"
STEMS = ".stems"  # folders in it
NOTE = "note.json"
FORM = 1  # the version of the format; a new number invalidates all older notes
DIGITS = 16  # of the digest in a note's name
SAMPLES, SAMPLE_BYTES = 16, 1 << 14  # parts of an input to hash: enough to distinguish songs, and quick to read

# Request fields that do not affect the contents of the files, or that the stamps of files and models cover better. All
# other fields count, including any added in the future.
WITHOUT_EFFECT = frozenset(
    {"id", "strict", "debug", "progress", "overwrite", "resume", "stream", "start_at", "batch_size", "jobs", "use_fast"}
)
SAID_BY_STAMPS = frozenset(
    {
        *("input", "inputs", "output", "output_dir"),
        *("model", "model_path", "config_path", "model_file_dir", "repo", "ensemble"),
        *("checkpoint_path", "clap_checkpoint_path", "roberta_dir"),
    }
)


class ModelStamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Identifies a model: its name, the SHA-256 of its files, and its other traits."""

    name: str
    files: tuple[str, ...]
    traits: str = ""


class InputStamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Identifies an input file and its state. `sample` is a digest of parts of its content."""

    path: str
    size_bytes: int
    modified_ns: int
    sample: str


class FileStamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a result when the job finished."""

    size_bytes: int
    modified_ns: int


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that determines the results."""

    form: int
    folder: str
    input: InputStamp
    settings: str
    models: tuple[ModelStamp, ...]


class HalfwayNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The record of stems that an unfinished job has left: their files by what they are."""

    origin: Provenance
    stems: dict[str, FileStamp]


class JobNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The record of a finished job: where its results come from, its files, and its reply."""

    origin: Provenance
    files: dict[str, FileStamp]
    reply: str  # the type of the reply
    done: dict[str, object]


N = TypeVar("N", bound=msgspec.Struct)


# Stamps -----------------------------------------------------------------------------------------------------------


def stamp_model(source: ModelSource, checkpoint: Callable[[], None]) -> ModelStamp:
    """The stamp of a model. Hashes from the registry were verified by the download; other files are hashed here."""
    known = {file.name: file.sha256 for file in source.record.files} if source.record is not None else {}
    hashes = []
    for path in source.files:
        try:
            hashes.append(known.get(path.name) or remembered_sha256(path, checkpoint))
        except OSError as error:
            raise CheckpointInvalid(f"`{path.name}` cannot be read: {error.strerror}.") from error
    return ModelStamp(source.name, tuple(hashes), "" if source.traits is None else repr(source.traits))


def stamp_input(path: Path) -> InputStamp:
    """The stamp of an input file in its current state."""
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
    """A digest of all request fields that affect the results, and of what the files are named after."""
    fields = {
        name: getattr(request, name)
        for name in request.__struct_fields__
        if name not in WITHOUT_EFFECT and name not in SAID_BY_STAMPS
    }
    command = request.__struct_config__.tag
    number = index if "{index}" in (request.name_template or "") else 0
    output = request.output or request.output_dir or ""
    file_name = PurePath(output).name if request.folder != output else ""  # for commands whose `output` is a file
    return _digest([command, msgspec.to_builtins(fields), track, number, file_name])


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


# Notes ------------------------------------------------------------------------------------------------------------


class Notebook:
    """The note of one job: read before the job, written after it."""

    def __init__(self, request: Separate, models: Sequence[ModelStamp], track: str, index: int) -> None:
        folder = Path(request.folder).expanduser().absolute()
        source = Path(request.input_path).expanduser().absolute()
        settings = digest_settings(request, track, index)
        self.provenance = Provenance(FORM, str(folder), stamp_input(source), settings, tuple(models))
        # The key covers the song's path, the settings and the models' names. If their contents change, the note is replaced.
        key = _digest([str(source), settings, [model.name for model in models]])
        self.track = safe_name(track)
        self.path = folder / FOLDER / f"{self.track}.{key[:DIGITS]}.json"

    def find(self) -> Done | None:
        """The reply of the job that made these results, if all of them are still present and unchanged."""
        note = _read(self.path, JobNote)
        if note is None or note.origin != self.provenance or not _is_untouched(note):
            return None
        return _reply(note)

    def write(self, done: Done) -> None:
        """Record a finished job. Raises `OutputError`."""
        reports = [path for path in (done.report, done.report_html) if isinstance(path, str)]
        paths = [*done.paths.values(), *reports]
        try:
            files = {path: _stamp_file(Path(path)) for path in paths}
            fields = {name: value for name, value in msgspec.structs.asdict(done).items() if value is not UNSET}
            note = JobNote(self.provenance, files, type(done).__name__, msgspec.to_builtins(fields))
            self._save(json.dumps(msgspec.to_builtins(note), indent=1).encode())
        except OSError as error:
            raise output_error(error, self.path) from error
        # Other notes of the track are void if they list files that were replaced.
        pattern = f"{glob.escape(self.track)}.*.json"
        for name in glob.glob(pattern, root_dir=os_path(self.path.parent)):  # noqa: PTH207 - a Path would undo the form
            path = self.path.parent / name
            other = _read(path, JobNote) if path != self.path else None
            if other is not None and not files.keys().isdisjoint(other.files):
                temporary.remove(path)

    def _save(self, content: bytes) -> None:
        if not is_below(self.path.parent.parent, self.path):
            raise OutputNotWritable(f"'{shown(self.path.parent)}' is a link, which is not followed.", field="output")
        temporary.make_folder(self.path.parent)
        temporary.remove_stale_parts([self.path.parent])
        _save(self.path, content)


class Halfway:
    """The stems between the passes of a job, kept until it is done, so that another try begins after the last whole pass.

    They are in a folder beside the job's note. Only one job at a time has them; those of other jobs with the same track that have
    ended too early are removed.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._origin = notebook.provenance
        self._folder = notebook.path.with_suffix(STEMS)
        self._others = f"{glob.escape(notebook.track)}.*{STEMS}"
        self._hold: temporary.Hold | None = None
        self._stems: dict[str, FileStamp] = {}

    def __enter__(self) -> Self:
        """Where the stems cannot be kept, the job does without."""
        if is_below(self._folder.parent.parent, self._folder):
            with contextlib.suppress(OSError):
                temporary.make_folder(self._folder)
                self._hold = _hold(self._folder)
        if self._hold is not None:
            for name in glob.glob(self._others, root_dir=os_path(self._folder.parent)):  # noqa: PTH207 - as above
                other = self._folder.parent / name
                if other != self._folder and (hold := _hold(other)) is not None:
                    _remove_stems(other, hold)
            note = _read(self._folder / NOTE, HalfwayNote)
            if note is not None and note.origin == self._origin:
                self._stems = dict(note.stems)
        return self

    def __exit__(self, kind: type[BaseException] | None, *unused: object) -> None:
        hold, self._hold = self._hold, None
        if hold is not None and (kind is None or not self._stems):
            _remove_stems(self._folder, hold)
        elif hold is not None:
            hold.release()

    def find(self, stem: str) -> Path | None:
        """The file of a stem that an earlier try has left, if it is unchanged."""
        path = self._path(stem)
        with contextlib.suppress(OSError):
            if self._hold is not None and self._stems.get(stem) == _stamp_file(path):
                return path
        return None

    def keep(self, stem: str, part: temporary.HeldFile) -> Path:
        """Keep the finished file of a stem; returns where it is now."""
        path = self._path(stem)
        if self._hold is None:
            return part.path
        try:
            part.publish(path)
            self._stems[stem] = _stamp_file(path)
            _save(self._folder / NOTE, msgspec.json.encode(HalfwayNote(self._origin, self._stems)))
        except OSError as error:
            raise output_error(error, path) from error
        return path

    def _path(self, stem: str) -> Path:
        return self._folder / f"{_digest(stem)[:DIGITS]}.wav"


def _hold(folder: Path) -> temporary.Hold | None:
    """Hold a folder of stems; None if another job has it."""
    path = folder / "lock"
    try:
        return temporary.Hold.new(path)
    except FileExistsError:
        return temporary.Hold.leftover(path)


def _remove_stems(folder: Path, hold: temporary.Hold) -> None:
    """Remove a folder of stems that is held."""
    with contextlib.suppress(OSError), os.scandir(os_path(folder)) as entries:
        for entry in entries:
            if entry.name != "lock":
                temporary.remove(folder / entry.name)
    if sys.platform == "win32":
        hold.release()
        temporary.remove(folder / "lock")
    else:
        temporary.remove(folder / "lock")
        hold.release()
    temporary.remove_folders([folder])


def _save(path: Path, content: bytes) -> None:
    part = temporary.HeldFile(path)
    try:
        with open(os_path(part.path), "wb") as file:  # noqa: PTH123 - a Path would undo the extended form
            file.write(content)
        temporary.sync(part.path)
        part.publish(path)
    finally:
        part.discard()


def _read(path: Path, kind: type[N]) -> N | None:
    """The note in a file; None if it is missing or invalid."""
    try:
        with open(os_path(path), "rb") as file:  # noqa: PTH123 - a Path would undo the extended form
            return convert(json.loads(file.read()), kind)
    except (OSError, ValueError, RecursionError, msgspec.ValidationError):
        return None


def _is_untouched(note: JobNote) -> bool:
    """Is every file unchanged, and within the output directory?"""
    try:
        return bool(note.files) and all(
            absolute(Path(path)).is_relative_to(note.origin.folder) and _stamp_file(Path(path)) == left
            for path, left in note.files.items()
        )
    except (OSError, ValueError):  # missing, or a path that the system does not allow
        return False


def _stamp_file(path: Path) -> FileStamp:
    status = os.stat(os_path(path))  # noqa: PTH116 - a Path would undo the extended form
    return FileStamp(status.st_size, status.st_mtime_ns)


def _reply(note: JobNote) -> Done | None:
    """The reply that the note holds, marked as skipped."""
    kinds: list[type[Done]] = [Done, *Done.__subclasses__()]
    kind = next((kind for kind in kinds if kind.__name__ == note.reply), Done)
    with contextlib.suppress(msgspec.ValidationError):
        done = convert({"status": "done", **note.done}, kind)
        if all(path in note.files for path in done.paths.values()):
            return msgspec.structs.replace(done, skipped=True)
    return None
