"""Many files in one request: find them, name their results, and separate one after the other.

Shared by the worker's `separate` with `inputs` and by the command line. One bad file never stops the rest.
"""

from __future__ import annotations

import contextlib
import os
import time
import traceback
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import TypeVar

import msgspec
from msgspec import UNSET

from utils.core.api import EngineApi
from utils.core.errors import DsuError, InputNotFound, InvalidRequest
from utils.core.failures import error_reply, is_device_lost
from utils.core.job import Job, JobCancelled, PartOfJob
from utils.core.package_request import PackageSeparate
from utils.core.replies import Done, Error, FileDone, ManyDone, Reply
from utils.core.requests import IntoFile, Separate

R = TypeVar("R", bound=Reply)

# fmt: off
AUDIO_EXTENSIONS = frozenset({
    "aac", "ac3", "aif", "aifc", "aiff", "alac", "ape", "au", "caf", "flac", "m4a", "m4b", "mka", "mp2", "mp3",
    "mpc", "oga", "ogg", "opus", "ra", "rf64", "snd", "tta", "w64", "wav", "wave", "weba", "webm", "wma", "wv",
})
VIDEO_EXTENSIONS = frozenset({
    "3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "ts", "vob", "wmv",
})
# fmt: on


# Finding files ------------------------------------------------------------------------------------------------------


def collect_inputs(
    paths: Sequence[str | Path], *, leave_out: str | Path | None = None, extensions: Collection[str] = AUDIO_EXTENSIONS
) -> list[Path]:
    """The files in `paths`, in that order; a folder stands for all files below it with these extensions, sorted.

    A file that is named is kept whatever its extension, even if it does not exist: that error belongs to this file.
    `leave_out` is a folder to skip, such as the output directory.
    """
    if not all(os.fspath(path) for path in paths):  # which would be the working directory
        raise InvalidRequest("The name of a song is empty.", field="inputs")
    skipped = None if leave_out is None else os.path.abspath(leave_out)  # noqa: PTH100 - as the user named it
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        for file in files_below(path, skipped, extensions) if path.is_dir() else [path]:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100 - links keep their own names
    if not found:
        raise InputNotFound(f"No audio files found in {', '.join(f'`{path}`' for path in paths)}.", field="inputs")
    return list(found.values())


def files_below(folder: Path, skipped: str | None, extensions: Collection[str]) -> Iterator[Path]:
    """Files in a folder and its subfolders, sorted. Hidden ones are skipped, and links to folders too."""
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.abspath(os.path.join(where, name)) != skipped  # noqa: PTH100, PTH118
        )
        yield from (
            Path(where, name)
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix[1:].lower() in extensions
        )


# Naming results ---------------------------------------------------------------------------------------------------


def unique_tracks(paths: Iterable[str | Path], trees: Sequence[str | Path] = ()) -> list[str]:
    """A name for each file, from its own: `song`, and `song (2)` for another file named `song`.

    The name of a file below one of `trees` begins with that folder's name and those between: `Album/song`. Names that
    differ only in case, Unicode normalization or invisible characters count as equal, as they do on many file systems.
    """
    roots = [Path(os.path.abspath(tree)) for tree in trees]  # noqa: PTH100 - links keep their own names
    names = [_in_its_tree(Path(path), roots) for path in paths]
    taken: set[str] = set()
    own = {_key(name) for name in names}
    return [_unused(name, taken, own) for name in names]


def _in_its_tree(path: Path, roots: Iterable[Path]) -> str:
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - as above
    root = next((root for root in roots if folder.is_relative_to(root)), None)
    if root is None:
        return path.stem
    return PurePath(root.name, folder.relative_to(root), path.stem).as_posix()


def _unused(name: str, taken: set[str], own: set[str]) -> str:
    candidate, number = name, 2
    # `song (2)` may be the original name of another file, which then keeps it.
    while _key(candidate) in taken or (candidate != name and _key(candidate) in own):
        candidate = f"{name} ({number})"
        number += 1
    taken.add(_key(candidate))
    return candidate


def _key(name: str) -> str:
    seen = "".join(character for character in name if unicodedata.category(character) != "Cf")  # as files are named
    return unicodedata.normalize("NFC", seen).casefold()


# Separating -------------------------------------------------------------------------------------------------------


def separate_each(
    engine: EngineApi,
    request: Separate,
    inputs: Sequence[Path],
    job: Job,
    on_file: Callable[[FileDone], None],
    *,
    tracks: Sequence[str] | None = None,
    request_for: Callable[[Path], Separate] | None = None,
    debug: bool = False,
) -> ManyDone:
    """Separate every file as `request` says, call `on_file` after each, and report overall progress.

    `tracks` are the names of their results, by default from `unique_tracks`. `request_for` is asked, when its turn comes, where
    a file has a request of its own.

    If a file fails, the others go on; if all fail, the first error is raised. Cancelling ends the whole job.
    """
    check_names(request, len(inputs), job)
    started = time.monotonic()
    results: list[Done | Error] = []
    first_error: Exception | SystemExit | None = None
    tracks = unique_tracks(inputs) if tracks is None else tracks
    job.songs = _identities(inputs)
    for index, (path, track) in enumerate(zip(inputs, tracks, strict=True)):
        began = time.monotonic()
        part = part_of(job, "files", index, len(inputs))
        try:
            own = request if request_for is None else request_for(path)
            one = msgspec.structs.replace(own, input=str(path), inputs=None)
            job.checkpoint()
            done = engine.separate(one, part, track=None if track == path.stem else track, index=index + 1)
        except JobCancelled as cancelled:
            raise JobCancelled(results, cancelled.message) from cancelled
        except (Exception, SystemExit) as error:
            if is_device_lost(error):  # none of the rest could go on
                raise
            traceback.clear_frames(error.__traceback__)  # the frames may hold large arrays, and more files follow
            first_error = first_error or error
            results.append(error_reply(error, debug=debug))
        else:
            results.append(done)
        part.finish()
        results[-1] = hand_over_warnings(results[-1], part, job)
        on_file(_file_done(path, index, results[-1], time.monotonic() - began))
    separated = [result for result in results if isinstance(result, Done)]
    if first_error is not None and not separated:
        if len(results) == 1 or not isinstance(first_error, DsuError):
            raise first_error
        message = f"None of the {len(results)} files could be separated. The first error: {first_error.message}"
        raise type(first_error)(
            message, hint=first_error.hint, suggestions=first_error.suggestions, field=first_error.field
        ) from first_error
    return ManyDone(
        elapsed=round(time.monotonic() - started, 3),
        results=[msgspec.to_builtins(result) for result in results],
        succeeded=len(separated),
        failed=len(results) - len(separated),
        skipped=sum(result.skipped is True for result in separated),
        files=[path for result in separated for path in dict.fromkeys(result.paths.values())],
    )


def _identities(inputs: Sequence[Path]) -> frozenset[tuple[int, int]]:
    """The files that no result may replace, since their turn may still come; whoever sends them wants to keep them."""
    found = set()
    for path in inputs if len(inputs) > 1 else ():
        with contextlib.suppress(OSError, ValueError):
            is_at = path.stat()
            found.add((is_at.st_dev, is_at.st_ino))
    return frozenset(found)


def check_names(request: Separate, count: int, job: Job) -> None:
    """Raise if the results of several files would overwrite each other; the audio-separator package lets them do so."""
    if isinstance(request, PackageSeparate) and request.custom_output_names and count > 1:
        job.warn(
            f"`custom_output_names` gives stems of all {count} files the same names: those of the last file replace the others."
        )
    template = request.name_template
    if isinstance(request, IntoFile) and request.output is not None and count > 1:
        raise InvalidRequest("Several files cannot become one: give a directory in `output_dir`.", field="output")
    if template is not None and count > 1 and "{track}" not in template and "{index}" not in template:
        raise InvalidRequest(
            f"`name_template` gives the results of all {count} files the same names. Add {{track}} or {{index}} to it.",
            field="name_template",
        )


def part_of(job: Job, stage: str, position: int, count: int, *, index: int | None = None) -> PartOfJob:
    """The part of `job` for one of `count` items, with warnings of its own."""
    part = PartOfJob(job, stage, position, count, index=index)
    part.warnings = []
    return part


def hand_over_warnings(result: R, part: Job, job: Job) -> R:
    """Put the warnings of a part into its result, and into the outer job as well."""
    for warning in part.warnings:
        job.warn(warning)
    return msgspec.structs.replace(result, warnings=list(part.warnings)) if part.warnings else result


def _file_done(path: Path, index: int, result: Done | Error, elapsed: float) -> FileDone:
    if isinstance(result, Error):
        names = ("code", "message", "hint", "field", "traceback")
        error = {name: value for name in names if (value := getattr(result, name)) is not UNSET}
        return FileDone(input=str(path), index=index, ok=False, error=error, elapsed=round(elapsed, 3))
    return FileDone(
        input=str(path),
        index=index,
        ok=True,
        output_dir=result.output_dir,
        files=result.files,
        stems=result.stems,
        paths=result.paths,
        skipped=result.skipped,
        model=result.model,
        elapsed=round(elapsed, 3),
    )
