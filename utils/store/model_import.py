"""Files of known models in the folders of other programs: found, checked, and brought into the models directory.

A file is recognised by its name (ours, a published one, or the model's) or by its size, and then by its hash where that is
known. Bringing one in is a hard link where the file system allows it, so that it takes no space, or else a copy. Nothing is
changed in the folder, and no good file is replaced. Models are never read, so a file can do no harm here.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from utils.core import cleanup
from utils.core.catalogue import AUDIO_SEPARATOR_SUFFIXES
from utils.core.errors import DsuError, InputNotFound
from utils.core.job import Job
from utils.store.audio_separator_models import is_published
from utils.store.folders import ModelFolders
from utils.store.found_networks import CHECKPOINT_SUFFIXES
from utils.store.hashes import BLOCK_BYTES, remembered_sha256
from utils.store.known_hashes import remember
from utils.store.locks import held
from utils.store.new_folders import made, require_space
from utils.store.part_file import PartFile, part_path
from utils.store.plain_files import open_file
from utils.store.records import FileRecord, ModelRecord
from utils.store.registry import Registry
from utils.store.transfer import WAIT_STEP_S

DEEPEST = 8  # folders below each other that are looked into
MOST_ENTRIES = 100_000  # of all folders together that are looked at
GENERIC = frozenset({"pytorch_model.bin"})  # names that files of other things have, too
SUFFIXES = CHECKPOINT_SUFFIXES | AUDIO_SEPARATOR_SUFFIXES.keys()

State = Literal["new", "linked", "copied", "there", "wrong", "unknown"]


class Candidate(NamedTuple):
    """A file of the folder."""

    path: Path
    size_bytes: int


class Wanted(NamedTuple):
    """A file that a model consists of."""

    record: ModelRecord
    file: FileRecord


@dataclass(frozen=True)
class Finding:
    """What a file of the folder is, and what becomes of it. `target` is where it lies in the models directory."""

    path: Path
    size_bytes: int
    state: State
    model: ModelRecord | None = None
    target: Path | None = None
    note: str = ""


# Looking ----------------------------------------------------------------------------------------------------------


def candidates(folder: Path, job: Job) -> tuple[list[Candidate], bool]:
    """The files in a folder and below it, and whether that is all. Hidden folders and links to folders are left out.

    A file stands for itself.
    """
    if folder.is_file():
        return [Candidate(folder, folder.stat().st_size)], True
    if not folder.is_dir():
        raise InputNotFound(f"There is no folder `{folder}`.")
    entries = islice(_entries(folder, 0, job), MOST_ENTRIES + 1)
    found: list[Candidate] = []
    for count, entry in enumerate(entries):
        if count == MOST_ENTRIES:
            return found, False
        with contextlib.suppress(OSError):  # it has gone, or a link leads nowhere
            known = entry.stat()
            if stat.S_ISREG(known.st_mode):
                found.append(Candidate(Path(entry.path), known.st_size))
    return found, True


def _entries(folder: Path | str, depth: int, job: Job) -> Iterator[os.DirEntry[str]]:
    job.checkpoint()
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError:
        return  # what may not be read has nothing to import
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            yield entry
        elif depth < DEEPEST and not entry.name.startswith("."):
            yield from _entries(entry.path, depth + 1, job)


def usual_places(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """The folders in which other programs keep their models by default, of those that there are."""
    home = Path.home()
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    torch = Path(environ.get("TORCH_HOME") or cache / "torch")
    named = environ.get("AUDIO_SEPARATOR_MODEL_DIR")
    places = [
        torch / "hub" / "checkpoints",  # demucs
        *([Path(named)] if named else []),
        Path("/tmp/audio-separator-models"),  # noqa: S108  # the default of that program
        home / "ultimatevocalremovergui" / "models",
        home / "Music-Source-Separation-Training" / "pretrain",
        home / "MSST-WebUI" / "pretrain",
        Path(environ.get("HF_HOME") or cache / "huggingface") / "hub",
        home / "Documents" / "DSU" / "ThirdPartyApps" / "Models",  # earlier versions of this one
    ]
    if sys.platform == "win32" and environ.get("LOCALAPPDATA"):
        places.append(Path(environ["LOCALAPPDATA"], "Programs", "Ultimate Vocal Remover", "models"))
    if sys.platform == "darwin":
        places.append(Path("/Applications/Ultimate Vocal Remover.app/Contents/MacOS/models"))
    return [place for place in dict.fromkeys(places) if place.is_dir()]


# Checking ---------------------------------------------------------------------------------------------------------


class Importer:
    """Knows the files of all models, and which of them a models directory has."""

    def __init__(self, registry: Registry, folders: ModelFolders, job: Job) -> None:
        self._registry = registry
        self._folders = folders
        self._job = job
        self._by_name: dict[str, list[Wanted]] = defaultdict(list)
        self._by_size: dict[int, list[Wanted]] = defaultdict(list)
        self._by_hash: dict[str, list[Wanted]] = defaultdict(list)
        seen: set[Path] = set()
        for record in registry:
            signatures = {file: signature for signature, file in record.files_by_signature().items()}
            for file in record.files:
                target = folders.path_of(record, file)
                if target in seen:  # bags share networks
                    continue
                seen.add(target)
                wanted = Wanted(record, file)
                names = [file.name, *record.other_names(file)]
                names += [f"{signatures[file]}.th"] if file in signatures else []
                for name in dict.fromkeys(name.casefold() for name in names):
                    self._by_name[name].append(wanted)
                if file.sha256 is not None:
                    self._by_hash[file.sha256].append(wanted)
                    if file.size_bytes is not None:
                        self._by_size[file.size_bytes].append(wanted)

    def looks_known(self, found: Candidate) -> bool:
        """Whether the name and the size are those of a file that is not there yet. Reads nothing."""
        named = [wanted for wanted in self._named(found) if wanted.file.size_bytes in (None, found.size_bytes)]
        return any(self._folders.find(*wanted) is None for wanted in named)

    def check(self, found: Sequence[Candidate]) -> list[Finding]:
        """What each file is. Those that may be of a model are read to the end, unless the models directory has it."""
        total = sum(each.size_bytes for each in found if self._hashed(each))
        done = 0
        findings: list[Finding] = []
        for each in found:

            def tick(position: int, done: int = done) -> None:
                self._job.checkpoint()
                self._job.progress("check", done + position, total)

            findings += self._check(each, tick)
            done += each.size_bytes if self._hashed(each) else 0
        taken: set[Path] = set()
        for index, finding in enumerate(findings):  # of two equal files one is enough
            if finding.state == "new" and finding.target is not None:
                if finding.target in taken:
                    findings[index] = replace(finding, state="there")
                taken.add(finding.target)
        return findings

    def _named(self, found: Candidate) -> list[Wanted]:
        """What a file could be by its name. One that has a folder of its own must lie in a folder of that name."""
        return [
            wanted
            for wanted in self._by_name.get(found.path.name.casefold(), ())
            if wanted.file.folder is None or found.path.parent.name == Path(wanted.file.folder).name
        ]

    def _hashed(self, found: Candidate) -> list[Wanted]:
        """What a file could be whose hash tells whether it is that."""
        named = self._named(found)
        if named and all(map(self._is_there, named)):
            return []
        fitting = [each for each in named if each.file.sha256 and each.file.size_bytes in (None, found.size_bytes)]
        return [*fitting, *self._by_size.get(found.size_bytes, ())]

    def _check(self, found: Candidate, tick: Callable[[int], None]) -> Iterator[Finding]:
        named = self._named(found)
        if named and all(map(self._is_there, named)):
            yield self._finding(found, "there", named[0])
            return
        try:
            right, note = self._right(found, named, tick)
        except OSError as error:
            yield self._finding(found, "wrong", next(iter(named), None), note=f"cannot be read: {error.strerror}")
            return
        for wanted in right:
            yield self._finding(found, "there" if self._is_there(wanted) else "new", wanted, note=note)
        if not right and named and found.path.name not in GENERIC:
            yield self._finding(found, "wrong", named[0], note=note)
        elif not right and found.path.suffix.lower() in SUFFIXES:
            yield self._finding(found, "unknown")

    def _right(self, found: Candidate, named: list[Wanted], tick: Callable[[int], None]) -> tuple[list[Wanted], str]:
        """What a file is beyond doubt, or as far as is known; and what there is to say about it."""
        if self._hashed(found):
            position = 0

            def on_block() -> None:
                nonlocal position
                tick(position)
                position += BLOCK_BYTES

            digest = remembered_sha256(found.path, on_block)
            if digest in self._by_hash:
                return self._by_hash[digest], ""
        fitting = [each for each in named if each.file.size_bytes in (None, found.size_bytes)]
        if not fitting and named:
            return [], f"has {found.size_bytes} bytes instead of {named[0].file.size_bytes}"
        unhashed = [each for each in fitting if each.file.sha256 is None]
        if not unhashed:
            return [], "is not the published file, though it is called like it: its SHA-256 is another"
        published = is_published(found.path) if unhashed[0].file.size_bytes is None else None
        if published is False:
            return [], "is not the published file, though it is called like it: it ends differently"
        checked = "only its end" if published else "only its size" if unhashed[0].file.size_bytes else "only its name"
        return unhashed, f"{checked} could be checked"

    def _is_there(self, wanted: Wanted) -> bool:
        """Whether the models directory has a good file. Where only its hash can tell, that is read once."""
        path = self._folders.find(*wanted)
        if path is None:
            return False
        if wanted.file.size_bytes is not None or wanted.file.sha256 is None:
            return True
        return remembered_sha256(path, self._job.checkpoint) == wanted.file.sha256

    def _finding(self, found: Candidate, state: State, wanted: Wanted | None = None, note: str = "") -> Finding:
        if wanted is None:
            return Finding(*found, state)
        return Finding(*found, state, wanted.record, self._folders.path_of(*wanted), note)

    # Importing ----------------------------------------------------------------------------------------------------

    def bring(self, findings: Iterable[Finding], *, copy: bool) -> Iterator[Finding]:
        """Link or copy what is new; one file that cannot be brought does not stop the rest."""
        findings = list(findings)
        total = sum(finding.size_bytes for finding in findings if finding.state == "new")
        done = 0
        for finding in findings:
            if finding.state != "new" or finding.target is None:
                yield finding
                continue

            def tick(position: int, done: int = done) -> None:
                self._job.checkpoint()
                self._job.progress("bring", done + position, total)

            try:
                state = bring_file(finding.path, finding.target, copy=copy, tick=tick)
                sha256 = remembered_sha256(finding.path, self._job.checkpoint)
                remember(finding.target, sha256, published=sha256 in self._by_hash, on_wait=self._job.checkpoint)
                yield replace(finding, state=state)
            except (DsuError, OSError) as error:
                why = error.message if isinstance(error, DsuError) else f"cannot be read: {error.strerror}"
                yield replace(finding, state="wrong", note=why)
            done += finding.size_bytes

    def models_with(self, findings: Iterable[Finding]) -> dict[str, list[FileRecord]]:
        """The models to which files belong that were brought in, with what each of them lacks."""
        brought = {finding.target for finding in findings if finding.state in ("linked", "copied")}
        return {
            record.name: self._folders.missing(record)
            for record in self._registry
            if any(self._folders.path_of(record, file) in brought for file in record.files)
        }


def bring_file(source: Path, target: Path, *, copy: bool, tick: Callable[[int], None]) -> State:
    """Give a file its place in the models directory, as a second name or as a copy."""
    tick(0)
    source = source.resolve(strict=True)  # a link of a link would end with the folder that it leads to
    with made(target.parent), held(target.with_name(f"{target.name}.lock"), lambda: _wait(tick)):
        if not copy and _linked(source, target):
            return "linked"
        require_space(target.parent, source.stat().st_size, f"The copy of `{source.name}`")
        _copy(source, target, tick)
        return "copied"


def _wait(tick: Callable[[int], None]) -> None:
    """Somebody downloads this file now."""
    tick(0)
    time.sleep(WAIT_STEP_S)


def _linked(source: Path, target: Path) -> bool:
    """Give the file a second name, in place of a file that is none of the model's. False where that is not possible."""
    new = target.with_name(f".{target.name}.{os.getpid()}.link")
    with cleanup.undone_on_exit(lambda: new.unlink(missing_ok=True)):
        try:
            os.link(source, new)
        except OSError:  # another disk, or a file system without them
            return False
        try:
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
    return True


def _copy(source: Path, target: Path, tick: Callable[[int], None]) -> None:
    part_path(target).unlink(missing_ok=True)  # of a download that this makes unnecessary
    with open_file(source) as file, PartFile(target, lambda: tick(0)) as part:
        try:
            while block := file.read(BLOCK_BYTES):
                tick(part.size_bytes)
                part.write(block)
        except BaseException:
            part.restart()  # a part is kept for downloads only
            raise
        part.publish()
