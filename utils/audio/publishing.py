"""Files that get their final names together: all of them or none, even if the process is killed between two of them.

Before the first file is renamed, a journal in the output folder tells what is to happen. Whatever goes wrong in between is
undone at once, from the old files, which are kept until the end. If the process is killed, the journal is still there, and
nobody holds it: the next job with that output folder, or in a folder of a kept file, finishes what it tells or, where that is
not possible, undoes it.

What the next step relies on is flushed to the disk before it: the names of the temporary files and of the journal before the
first file is renamed, the final names before an old file is removed, and that before the journal is.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from utils.audio import temporary
from utils.audio.disk import output_error
from utils.audio.paths import os_path
from utils.audio.temporary import HeldFile, Hold, sync_folder
from utils.core.typed import decode

_DIGITS = "[0-9a-f]{16}"  # of a random number in a name
_JOURNAL = re.compile(rf"\.dsu-{_DIGITS}\.journal")
_MAX_JOURNAL_BYTES = 1 << 20
_KEPT = re.compile(rf"\.{_DIGITS}\.(?P<journal>{_DIGITS})\.kept")


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a set: paths below the output folder, and how to recognise the new file under either name."""

    part: str
    target: str
    kept: str  # for the file that had the name before, if there was one
    size_bytes: int
    modified_ns: int


class _Moves:
    """The files of a set, on their way from their temporary to their final names."""

    def __init__(self, root: Path, moves: Sequence[Move], parts: Sequence[HeldFile] = ()) -> None:
        """`parts` are the files in the same order, if this process holds them."""
        self._root = root
        self._moves = moves
        self._parts = {part.path: part for part in parts}
        self._renamed: set[Move] = set()

    def finish(self, before_each: Callable[[Path], object]) -> None:
        """Rename what has not been renamed. `before_each` may raise, and makes sure that the folder exists."""
        for move in self._moves:
            part, target, kept = self._paths(move)
            if not _is_part(part, move):
                if not _is_new(target, move):
                    raise output_error(FileNotFoundError(errno.ENOENT, "its temporary file is gone"), target)
                continue
            before_each(target)
            if os.path.lexists(os_path(target)):
                _keep(target, kept)
            try:
                temporary.rename(part, target, self._parts[part].release if part in self._parts else _nothing)
            except OSError as error:
                raise output_error(error, target) from error
            self._renamed.add(move)
        self.sync()
        for move in self._moves:
            temporary.remove(self._paths(move)[2])
        self.sync()

    def undo(self) -> None:
        """Give the old files their names again, and remove the new ones."""
        for move in reversed(self._moves):
            part, target, kept = self._paths(move)
            temporary.remove(part)
            is_new = move in self._renamed or _is_new(target, move)
            if os.path.lexists(os_path(kept)):
                if is_new or not os.path.lexists(os_path(target)):
                    with contextlib.suppress(OSError):
                        temporary.rename(kept, target)
                else:
                    temporary.remove(kept)
            elif is_new:
                temporary.remove(target)
        self.sync()

    def are_renamed(self) -> bool:
        """Whether no new file has its temporary name any more."""
        return not any(_is_part(self._root / move.part, move) for move in self._moves)

    def are_forgotten(self) -> bool:
        """Whether no old file is kept any more."""
        return not any(os.path.lexists(os_path(self._paths(move)[2])) for move in self._moves)

    def tidy(self) -> None:
        """Forget the old files, except where the new one is gone: somebody has moved it since."""
        for move in self._moves:
            _, target, kept = self._paths(move)
            if os.path.lexists(os_path(target)):
                temporary.remove(kept)
            else:
                with contextlib.suppress(OSError):
                    temporary.rename(kept, target)
        self.sync()

    def sync(self) -> None:
        """Flush the names in all folders of the set to the disk."""
        for folder in {self._root, *(path.parent for move in self._moves for path in self._paths(move))}:
            sync_folder(folder)

    def _paths(self, move: Move) -> tuple[Path, Path, Path]:
        return self._root / move.part, self._root / move.target, self._root / move.kept


def publish(root: Path, parts: Sequence[tuple[HeldFile, Path]], before_each: Callable[[Path], object]) -> None:
    """Rename all parts to their targets below `root`, or none. Raises what `before_each` does, and `OutputError`."""
    try:
        hold = None
        while hold is None:
            token = secrets.token_hex(8)
            journal = _journal_of(root, token)
            hold = Hold.new(journal)
    except OSError as error:
        raise output_error(error, root) from error
    doing = _Moves(root, [])
    is_over = True
    try:
        try:
            moves = [_move(root, part.path, target, token) for part, target in parts]
            os.write(hold.descriptor, msgspec.json.encode(moves))
            os.fsync(hold.descriptor)
        except OSError as error:
            raise output_error(error, journal) from error
        doing = _Moves(root, moves, [part for part, _ in parts])
        doing.sync()
        doing.finish(before_each)
        is_over = doing.are_forgotten()
    except BaseException:
        doing.undo()
        raise
    finally:
        _end(journal, hold, is_over=is_over)
        for part, _ in parts:
            part.release()


def settle(root: Path) -> None:
    """Finish or undo the sets in this output folder whose process was killed while it published them."""
    try:
        with os.scandir(os_path(root)) as entries:
            journals = [root / entry.name for entry in entries if _JOURNAL.fullmatch(entry.name)]
    except OSError:
        return
    for journal in journals:
        hold = Hold.leftover(journal)
        if hold is None:
            continue
        is_over, moves = True, _read(hold, root)
        if moves is not None:
            doing = _Moves(root, moves)
            if doing.are_renamed():  # only the journal was left; people may have used the files, and nothing is undone
                doing.tidy()
                is_over = doing.are_forgotten()
            else:
                try:
                    doing.finish(lambda target: temporary.make_folder(target.parent))
                    is_over = doing.are_forgotten()
                except Exception:  # noqa: BLE001 - whatever stands in the way, half a set is worse than none
                    doing.undo()
        _end(journal, hold, is_over=is_over)


def _end(journal: Path, hold: Hold, *, is_over: bool) -> None:
    """Remove the journal or, where an old file could not be removed, leave it to the next job."""
    if is_over:
        temporary.remove(journal)
    hold.release()


def _nothing() -> None:
    pass


def settle_kept(folders: Iterable[Path]) -> None:
    """Settle also the sets whose old files lie in these folders, wherever above them their output folder is."""
    for folder in set(folders):
        with contextlib.suppress(OSError), os.scandir(os_path(folder)) as entries:
            tokens = {found["journal"] for entry in entries if (found := _KEPT.fullmatch(entry.name))}
            for token, above in itertools.product(tokens, (folder, *folder.parents)):
                if os.path.lexists(os_path(_journal_of(above, token))):
                    settle(above)


def _journal_of(root: Path, token: str) -> Path:
    return root / f".dsu-{token}.journal"


def _move(root: Path, part: Path, target: Path, token: str) -> Move:
    status = os.stat(os_path(part))  # noqa: PTH116 - a Path would undo the extended form
    kept = target.with_name(f".{secrets.token_hex(8)}.{token}.kept")
    names = (path.relative_to(root).as_posix() for path in (part, target, kept))
    return Move(next(names), next(names), next(names), status.st_size, status.st_mtime_ns)


def _is_part(path: Path, move: Move) -> bool:
    """Whether the new file is still under its temporary name, which is random; network drives may change its time late."""
    try:
        status = os.lstat(os_path(path))
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == move.size_bytes


def _is_new(path: Path, move: Move) -> bool:
    try:
        status = os.lstat(os_path(path))
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == (move.size_bytes, move.modified_ns)


def _keep(target: Path, kept: Path) -> None:
    """Keep the old file under a second name; where the file system has no links, it moves there."""
    try:
        try:
            _link(target, kept)
        except OSError:
            temporary.rename(target, kept)
    except OSError as error:
        raise output_error(error, target) from error


def _link(target: Path, kept: Path) -> None:
    """Give a file a second name; a link itself, and not what it points to."""
    if os.link in os.supports_follow_symlinks:
        os.link(os_path(target), os_path(kept), follow_symlinks=False)
    elif os.path.islink(os_path(target)):  # noqa: PTH114 - a Path would undo the extended form
        raise OSError(errno.EPERM, "this system's links follow links")
    else:
        os.link(os_path(target), os_path(kept))  # as on Windows


def _read(hold: Hold, root: Path) -> list[Move] | None:
    """What a journal tells; None if it was never complete, or is none of ours. Then nothing has been renamed."""
    try:
        status = os.fstat(hold.descriptor)
        if not stat.S_ISREG(status.st_mode) or (hasattr(os, "geteuid") and status.st_uid != os.geteuid()):
            return None
        moves = decode(os.read(hold.descriptor, _MAX_JOURNAL_BYTES), list[Move])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    are_ours = all(
        temporary.is_part(PurePosixPath(move.part).name)
        and _KEPT.fullmatch(PurePosixPath(move.kept).name)
        and all(is_below(root, root / name) for name in (move.part, move.target, move.kept))
        for move in moves
    )
    return moves if are_ours else None


def is_below(root: Path, path: Path) -> bool:
    """Whether a path stays below the folder: neither `..` nor a link leads out."""
    if not path.is_relative_to(root) or path == root or ".." in path.parts:
        return False
    return not any(
        os.path.islink(os_path(folder))  # noqa: PTH114 - a Path would undo the extended form
        for folder in path.parents
        if folder != root and folder.is_relative_to(root)
    )
