"""What a worker needs of its machine besides a device: disks, files, codecs, threads."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn, get_args

import numpy as np

from utils.audio.disk import output_error
from utils.audio.encoders import Contents, open_encoder
from utils.audio.formats import OutputFormat
from utils.audio.paths import shown
from utils.audio.reading import open_audio
from utils.core.bootstrap import output_fd, physical_cores, reader_is_gone
from utils.core.errors import DsuError
from utils.core.replies import MachineFinding
from utils.core.requests import AudioFormat
from utils.core.settings import Settings

LEAST_MODELS_BYTES = 2 << 30  # room for a large model and its parts
LEAST_TEMPORARY_BYTES = 1 << 30
LEAST_HANDLES = 256
FILES, SLOW_S = 20, 5.0
UNREAD_S = 1.0
READ_IT = "Read it all the time, in a thread of its own: a worker whose pipe is full waits for its reader."
RATE, CHANNELS, SECONDS = 48000, 2, 0.5  # a rate that every format has
DJ_TRACKS = ("mix", "drums", "bass", "other", "vocals")
LEAST_DB = {True: 10.0, False: 80.0}  # by whether the format is lossy


class _Trouble(Exception):
    """A check has found something; with what to do about it."""

    def __init__(self, message: str, hint: str, *, is_problem: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.is_problem = is_problem


def survey(settings: Settings) -> Iterator[MachineFinding]:
    """The findings of all checks, one after the other."""
    checks: dict[str, Callable[[], str]] = {
        "models": lambda: _models_folder(settings.models_dir),
        "temporary files": _temporary_folder,
        "files": _new_files,
        **{f"format {name}": _format_check(name) for name in get_args(AudioFormat)},
        "threads": lambda: _threads(settings),
        "handles": _handles,
        "output": _output,
    }
    for check, run in checks.items():
        try:
            yield MachineFinding(check=check, state="good", message=run())
        except _Trouble as trouble:
            yield MachineFinding(
                check=check,
                state="problem" if trouble.is_problem else "warning",
                message=str(trouble),
                hint=trouble.hint,
            )
        except (DsuError, OSError) as error:
            told = error if isinstance(error, DsuError) else output_error(error, Path(error.filename or "a file"))
            yield MachineFinding(check=check, state="problem", message=told.message, hint=told.hint or "")


# Disks --------------------------------------------------------------------------------------------------------------


def _models_folder(folder: Path) -> str:
    """Models can be kept there."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        _warn(
            f"Models cannot be downloaded into '{shown(folder)}': it is not yours to write.",
            "Choose another folder with --models-dir, or download as the user who owns it.",
        )
    if free < LEAST_MODELS_BYTES:
        _warn(
            f"The disk of the models, '{shown(folder)}', has only {free / 1e9:.1f} GB left.",
            "Large models have up to 4 GB: free some space, or choose another folder with --models-dir.",
        )
    return f"{free / 1e9:.0f} GB are free for models."


def _temporary_folder() -> str:
    """There is room for temporary files."""
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if free < LEAST_TEMPORARY_BYTES:
        _warn(
            f"The folder for temporary files, '{shown(folder)}', has only {free / 1e9:.1f} GB left.",
            "Empty it, or set TMPDIR (Windows: TEMP) to a folder on a disk with more room.",
        )
    return f"{free / 1e9:.0f} GB are free for temporary files."


def _new_files() -> str:
    """New files can be renamed and deleted at once, which virus scanners may prevent."""
    started = time.perf_counter()
    with _folder() as folder:
        for number in range(FILES):
            path = folder / f"{number}.part"
            path.write_bytes(bytes(1 << 16))
            try:
                path.rename(path.with_suffix(".wav")).unlink()
            except PermissionError:
                _fail(
                    "Another program holds new files, so that they cannot be renamed.",
                    f"A virus scanner does this: exclude the folders that DSU writes to, such as '{shown(folder)}'.",
                )
    taken = time.perf_counter() - started
    if taken > SLOW_S:
        _warn(
            f"Writing {FILES} small files took {taken:.0f} s.",
            "A virus scanner or a network disk slows it: exclude the folders that DSU writes to.",
        )
    return "New files can be renamed and deleted at once."


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dsu-doctor-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


# Codecs -------------------------------------------------------------------------------------------------------------


def _format_check(name: AudioFormat) -> Callable[[], str]:
    """Whether what is written in a format can be read again."""

    def check() -> str:
        output = OutputFormat(name, "FLOAT" if name in ("wav", "aiff") else "PCM_24", None, RATE, "none")
        with _folder() as folder:
            path = folder / f"tone.{name}"
            tone = _tone()
            contents = Contents(DJ_TRACKS) if name == "stem.m4a" else Contents()
            with closing(open_encoder(path, output, channels=CHANNELS, frames=len(tone), contents=contents)) as encoder:
                for track in range(len(contents.tracks)):
                    encoder.write(tone, track)
            with open_audio(path, sample_rate=RATE, channels=CHANNELS) as reader:
                again = np.concatenate([np.asarray(block) for block in reader], axis=1).T
        frames = min(len(again), len(tone))
        difference = float(np.square(again[:frames] - tone[:frames]).sum()) + 1e-12
        agreement = 10 * np.log10(float(np.square(tone).sum()) / difference)
        if agreement < LEAST_DB[output.is_lossy] or len(again) != len(tone):
            _fail(f"What is written as {name} is not what is read again ({agreement:.0f} dB).", "Install DSU again.")
        return f"Written and read again, {agreement:.0f} dB."

    return check


def _tone() -> np.ndarray:
    time_s = np.arange(int(RATE * SECONDS)) / RATE
    return np.stack([0.5 * np.sin(2 * np.pi * hertz * time_s) for hertz in (440.0, 660.0)], axis=1).astype(np.float32)


# The process --------------------------------------------------------------------------------------------------------


def _threads(settings: Settings) -> str:
    """How many threads compute, and how many could."""
    cores, threads = physical_cores(), settings.threads or physical_cores()
    if threads > cores:
        _warn(
            f"{threads} threads are to compute on {cores} cores.",
            "More threads than cores make it slower: leave `threads` out.",
        )
    return f"{threads} of {cores} cores compute."


def _handles() -> str:
    """How many files may be open at once."""
    if sys.platform == "win32":
        return "Windows has no low limit of open files."
    import resource

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < LEAST_HANDLES:
        _warn(f"Only {allowed} files may be open at once.", f"Raise the limit: `ulimit -n {4 * LEAST_HANDLES}`.")
    return f"{allowed} files may be open at once."


def _output() -> str:
    """Standard output goes to somebody who reads it. A pipe that is full stops whoever writes."""
    fd = output_fd()
    kind = os.fstat(fd).st_mode
    if not stat.S_ISFIFO(kind) and not stat.S_ISSOCK(kind):
        return "Standard output goes to a terminal." if os.isatty(fd) else "Standard output goes to a file or a device."
    if reader_is_gone(fd):
        _warn("Nobody reads the standard output: the other end of its pipe is closed.", READ_IT)
    end = time.monotonic() + UNREAD_S
    while waiting := _unread_bytes(fd) if stat.S_ISFIFO(kind) else 0:
        if time.monotonic() > end:
            _warn(f"Nobody reads the standard output: {waiting} bytes wait in its pipe.", READ_IT)
        time.sleep(0.02)
    return "Standard output goes to a pipe, and nothing waits there to be read."


def _unread_bytes(fd: int) -> int:
    """What waits in a pipe; Windows does not tell those who write."""
    if sys.platform == "win32":
        return 0
    import array
    import fcntl
    import termios

    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


def _warn(message: str, hint: str) -> NoReturn:
    raise _Trouble(message, hint)


def _fail(message: str, hint: str) -> NoReturn:
    raise _Trouble(message, hint, is_problem=True)
