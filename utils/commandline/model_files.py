"""`dsu models verify`, `remove` and `du`: what is done with the files of models that are there.

Exit status 1 if a file is damaged, or could not be deleted.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from utils.commandline.display import Display, open_display
from utils.commandline.interrupts import cancelled_by_signals
from utils.commandline.layout import Layout, Run
from utils.commandline.model_list import INSTEAD, shown_size
from utils.commandline.options import Typed
from utils.core.errors import InvalidRequest, ModelNotInstalled, UnknownModel, did_you_mean, nearest
from utils.core.job import Job, JobCancelled
from utils.core.settings import resolve
from utils.store.audio_separator_models import WORKER as AUDIO_SEPARATOR
from utils.store.audio_separator_models import found_models
from utils.store.audiosep_models import WORKER as AUDIOSEP
from utils.store.demucs_models import WORKER as DEMUCS
from utils.store.folders import ModelFolders, embedded_folder
from utils.store.found_networks import found_networks
from utils.store.hashes import BLOCK_BYTES
from utils.store.kept_models import KeptFile, kept_files, removable, verified
from utils.store.network_models import WORKER as NETWORKS
from utils.store.plain_files import files_in, size_of
from utils.store.records import ModelRecord
from utils.store.registry import Registry

WORKERS = (NETWORKS, DEMUCS, AUDIO_SEPARATOR, AUDIOSEP)


class RemoveRun(Run, frozen=True, kw_only=True):
    """How files are deleted."""

    dry_run: Annotated[bool, Meta(description="Say what would be deleted, and delete nothing.")] = False


def _layout(command: str, description: str, usage: str, meaning: str, run: type[Run] = Run) -> Layout:
    return Layout(
        program=f"dsu models {command}",
        description=description,
        requests=(),
        groups={},
        ungrouped=("models_dir",) if run is Run else ("dry_run", "models_dir"),
        machine=(),
        run=run,
        usage=usage,
        things=("NAME", meaning),
        instead=INSTEAD,
    )


VERIFY = _layout(
    "verify",
    "Compare the files of models with the SHA-256 of the published ones, or with what\n"
    "else is known of them. Without a NAME, all that is installed.",
    "[options] [NAME ...]",
    "a name from `dsu models`",
)
REMOVE = _layout(
    "remove",
    "Delete the files of models from the models directory. What other models need,\nor belongs to another program, stays.",
    "[options] NAME ...",
    "a name from `dsu models`",
    RemoveRun,
)
DU = _layout("du", "Show how much space models take, the largest first.", "[options]", "a part of names")


# Verifying --------------------------------------------------------------------------------------------------------


def verify(typed: Typed) -> int:
    """Check files, and say what each of them is."""
    registry, folders = Registry.load(), _folders(typed)
    records = _named(registry, typed.words.tracks) or list(registry)
    kept = list({one.path: one for record in records for one in kept_files(record, folders)}.values())
    if not kept:
        raise ModelNotInstalled(f"No files of these models are in `{folders.models_dir}`.")
    with open_display(sys.stderr) as display:
        job = Job(display.event)
        job.begin_stages(check=1.0)
        with cancelled_by_signals(job, display.line) as interrupts:
            try:
                lines, status = _checked(kept, job, display)
            except JobCancelled:
                display.line("Stopped.")
                return interrupts.status
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return status


def _checked(kept: Sequence[KeptFile], job: Job, display: Display) -> tuple[list[str], int]:
    display.doing("Checking")
    total, done, damaged = sum(one.size_bytes for one in kept), 0, 0
    width = max(len(one.record.name) for one in kept)
    lines: list[str] = []
    for one in kept:
        position = done

        def tick() -> None:
            nonlocal position
            job.checkpoint()
            job.progress("check", min(position, total), total)
            position += BLOCK_BYTES

        try:
            verdict, told = verified(one, tick)
        except OSError as error:
            verdict, told = False, f"cannot be read: {error.strerror}"
        done += one.size_bytes
        state = {True: "intact", False: "DAMAGED", None: "unknown"}[verdict]
        damaged += verdict is False
        note = f"{one.path} {told}" if verdict is False else f"({told})"
        lines.append(f"{state:8} {one.record.name:{width}}  {note}")
        if verdict is False and one.record.downloadable:
            lines.append(f"{'':8} {'':{width}}  delete it, then: dsu download {one.record.name}")
    lines.append(f"{_count(len(kept), 'file')}, {damaged} damaged")
    return lines, 1 if damaged else 0


# Deleting ---------------------------------------------------------------------------------------------------------


def remove(typed: Typed) -> int:
    """Delete what can be deleted, and say what stays."""
    run = typed.run
    if not isinstance(run, RemoveRun):
        raise TypeError(run)
    registry, folders = Registry.load(), _folders(typed)
    if not typed.words.tracks:
        raise InvalidRequest("Name at least one model.", hint=INSTEAD["list_models"])
    for name in typed.words.tracks:
        _refuse_own(name, registry, folders)
    records = _named(registry, typed.words.tracks)
    freed: list[int] = []
    status = 0
    for path, why in [found for record in records for found in removable(record, registry, folders)]:
        reason, size = why, _freed_by(path)
        if not reason and not run.dry_run:
            try:
                path.unlink()
            except OSError as error:
                reason, status = f"it cannot be deleted: {error.strerror}", 1
        done = f"kept    {path}  ({reason})" if reason else f"{'would go' if run.dry_run else 'deleted'} {path}"
        sys.stdout.write(f"{done}\n")
        freed += [] if reason else [size]
    if freed:
        sys.stdout.write(f"{shown_size(sum(freed))} {'would be' if run.dry_run else 'is'} free again\n")
    return status


def _freed_by(path: Path) -> int:
    """What deleting a file frees: nothing if it has a second name, as an imported one has."""
    state = path.stat()
    return state.st_size if state.st_nlink == 1 else 0


def _refuse_own(name: str, registry: Registry, folders: ModelFolders) -> None:
    """Files of the user's own are theirs to delete."""
    if any(registry.find(name, worker) is not None for worker in WORKERS):
        return
    networks = found_networks(folders, NETWORKS)
    files = (
        [*networks[name][:2]]
        if name in networks
        else [path for own, path in found_models(folders).items() if own == name]
    )
    if files:
        raise InvalidRequest(
            f"`{name}` is your own model, which nobody could give back to you.",
            hint=f"If you no longer want it, delete {' and '.join(f'`{path}`' for path in files)}.",
        )


# Space ------------------------------------------------------------------------------------------------------------


def disk_usage(typed: Typed) -> int:
    """What each model takes, and all of them together."""
    registry, folders = Registry.load(), _folders(typed)
    sizes: dict[str, dict[Path, int]] = {}
    built_in: set[Path] = set()
    for record in registry:
        for one in kept_files(record, folders):
            comes_with_dsu = one.path.parent == embedded_folder()
            name = f"{record.name} (comes with DSU)" if comes_with_dsu else record.name
            built_in |= {one.path} if comes_with_dsu else set()
            sizes.setdefault(name, {})[one.path] = one.size_bytes
    known = {path for files in sizes.values() for path in files}
    for name, files in _others(folders):
        others = {path: size for path in files if path not in known and (size := size_of(path)) is not None}
        if others:
            sizes.setdefault(name, {}).update(others)
    for size, name in sorted(((sum(files.values()), name) for name, files in sizes.items()), reverse=True):
        sys.stdout.write(f"{shown_size(size):>9}  {name}\n")
    in_folder = {path: size for files in sizes.values() for path, size in files.items() if path not in built_in}
    total = sum(in_folder.values())
    free = next(
        shutil.disk_usage(place).free for place in (folders.models_dir, *folders.models_dir.parents) if place.is_dir()
    )
    sys.stdout.write(f"{shown_size(total):>9}  together in {folders.models_dir}; {shown_size(free)} free\n")
    return 0


def _others(folders: ModelFolders) -> Iterator[tuple[str, list[Path]]]:
    """The user's own models, and what is left of downloads."""
    for name, network in found_networks(folders, NETWORKS).items():
        yield f"{name} (your own)", [network.checkpoint, network.config]
    for name, path in found_models(folders).items():
        yield f"{name} (your own)", [path]
    for worker in (*WORKERS, "apollo"):
        parts = [path for path in files_in(folders.folder(worker)) if path.suffix == ".part"]
        yield from ((f"{path.name} (an unfinished download)", [path]) for path in parts)


# All --------------------------------------------------------------------------------------------------------------


def _folders(typed: Typed) -> ModelFolders:
    return ModelFolders(resolve(typed.given(("models_dir",))).models_dir)


def _named(registry: Registry, names: Sequence[str]) -> list[ModelRecord]:
    """The records of these names or other names. Raises `UnknownModel`."""
    found: list[ModelRecord] = []
    for name in dict.fromkeys(names):
        record = next((one for worker in WORKERS if (one := registry.find(name, worker)) is not None), None)
        if record is None:
            near = nearest(name, [one.name for one in registry])
            raise UnknownModel(f"There is no model `{name}`.{did_you_mean(near)}", hint=INSTEAD["list_models"])
        found.append(record)
    return found


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


FILE_COMMANDS: dict[str, tuple[Layout, Callable[[Typed], int]]] = {
    "verify": (VERIFY, verify),
    "remove": (REMOVE, remove),
    "du": (DU, disk_usage),
}
