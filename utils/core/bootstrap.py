"""How a worker sets up its own process before anything heavy is imported: streams, threads, frozen builds.

Standard library only, and nothing slow: the client waits for the first line while this runs. Libraries and C code may
print at any time, so the protocol gets private copies of the standard streams, and everything else gets descriptors
that cannot disturb it.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple, cast

# OpenMP, MKL, OpenBLAS and Accelerate read these when they are loaded, so they must be set before torch is imported.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# Milliseconds for which an idle Intel OpenMP thread keeps its core busy. The default of 200 starves the threads that
# read and write audio. Threads are not pinned (KMP_AFFINITY): two workers would end up on the same cores.
BLOCK_TIME_MS = "1"
# The same for GNU OpenMP, which torch uses on Linux, in loop iterations. By default its threads spin until they are
# needed, which makes networks half as fast when other programs use the cores too. This limit costs nothing otherwise.
SPIN_COUNT = "30000"
ISOLATED = "--isolated"  # the argument by which a program of the frozen folder is a child of another: see `isolation`
PATIENCE_MS = 100  # for a reader of messages that is slow
READER_LEFT = (errno.EPIPE, errno.EINVAL)  # the second on Windows


class Streams(NamedTuple):
    """The protocol's own descriptors of the pipes, and the process that started the worker."""

    input_fd: int
    output_fd: int
    parent_pid: int


_claimed: Streams | None = None


def is_frozen() -> bool:
    """Whether this is an executable of the frozen build rather than a script."""
    return bool(getattr(sys, "frozen", False))


def own_command() -> list[str]:
    """What starts this program."""
    return [sys.executable] if is_frozen() else [sys.executable, sys.argv[0]]


def apart() -> dict[str, Any]:
    """How to start another process so that Ctrl-C in a terminal is for this one alone, which then ends the other in order."""
    if sys.platform == "win32":
        import subprocess

        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"process_group": 0}


def prepare_process() -> None:
    """The setup that worker and command line have in common."""
    open_closed_streams()
    sys.stdout, sys.stderr = outlasting(sys.stdout), outlasting(sys.stderr)
    use_utf8(sys.stdin, sys.stdout, sys.stderr)
    if is_frozen():
        sys.dont_write_bytecode = True  # the folder may be read-only or shared by several users
        quieten_frozen_imports()
        ignore_readers_that_left()


def ignore_readers_that_left() -> None:
    """As Python does when it is not frozen: writing to a pipe without a reader is an error, which can be handled, and not
    the end of the process, which would leave half-written files.
    """
    import signal

    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)


# The end ----------------------------------------------------------------------------------------------------------


def end(program: str, status: int) -> int:
    """The exit status of a program. One below 0 is a signal's number, and the process ends by that signal.

    Work goes on where its messages cannot be written, but a full disk under stdout is no success. A reader who has seen
    enough is none of our business.
    """
    if status == 0 and (lost := lost_output(sys.stdout)) is not None:
        sys.stderr.write(f"{program}: Standard output cannot be written to: {lost.strerror}.\n")
        return 1
    if status >= 0:
        return status
    if sys.platform == "win32":
        return 128 - status
    import signal

    signal.signal(-status, signal.SIG_DFL)
    return end_by(-status)


def end_by(number: int) -> int:
    """End the process by a signal whose handler is the system's own. Windows has none; there a shell's status must do."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    if sys.platform == "win32":
        os._exit(128 + number)
    os.kill(os.getpid(), number)
    return 128 + number


# Streams ----------------------------------------------------------------------------------------------------------


def use_utf8(*streams: object) -> None:
    """Read and write text as UTF-8, whatever the locale; characters that cannot be encoded are escaped."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def open_closed_streams() -> None:
    """Open what was closed when the process began: a file that is opened later must never get the number of a stream."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)


class Outlasting(io.RawIOBase):
    """Passes bytes on for as long as they can be written; from then on they are dropped, since the work is not about them.

    With `waits` set to false, what a full pipe does not take is dropped as well, and how much that was is told once there is
    room again. (Windows cannot tell how full a pipe is, so there it waits.)
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__()
        self._raw = raw
        self._dropped_bytes = 0
        self.lost: OSError | None = None  # why something was dropped
        self.waits = True

    def write(self, data: Any) -> int | None:
        if self.lost is None:
            try:
                return self._raw.write(data) if self.waits else self._write_at_once(data)
            except OSError as error:
                self.lost = error
        return len(data)

    if sys.platform == "win32":

        def _write_at_once(self, data: Any) -> int | None:
            return self._raw.write(data)

    else:

        def _write_at_once(self, data: Any) -> int:
            """A pipe that can be written to takes PIPE_BUF bytes without waiting."""
            import select

            poll = select.poll()
            poll.register(self._raw.fileno(), select.POLLOUT)
            rest = bytes(data)
            while rest:
                if not poll.poll(0 if self._dropped_bytes else PATIENCE_MS):
                    self._dropped_bytes += len(rest)
                    break
                if self._dropped_bytes:
                    rest = b"(%d bytes of messages were dropped: nobody read them.)\n" % self._dropped_bytes + rest
                    self._dropped_bytes = 0
                rest = rest[self._raw.write(rest[: select.PIPE_BUF]) or 0 :]
            return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()


def outlasting(stream: Any) -> Any:
    """A stream of text to where this one goes, which never raises because nobody reads it or the disk is full."""
    if stream is None:  # it was closed, or there is no console
        return Path(os.devnull).open("w", encoding="utf-8")
    if type(stream) is not io.TextIOWrapper:  # a test's own
        return stream
    raw = Outlasting(_raw_of(stream))
    if sys.platform != "win32":
        os.set_blocking(raw.fileno(), True)  # a parent may have left its pipe non-blocking
    at_once = stream.write_through  # PYTHONUNBUFFERED
    return io.TextIOWrapper(
        cast(BinaryIO, raw) if at_once else io.BufferedWriter(raw),
        line_buffering=stream.line_buffering,
        write_through=at_once,
    )


def lost_output(stream: Any) -> OSError | None:
    """Why a stream has dropped something, except that its reader has left."""
    raw = _raw_of(stream)
    if not isinstance(raw, Outlasting):
        return None
    stream.flush()
    return None if raw.lost is None or raw.lost.errno in READER_LEFT else raw.lost


def output_fd() -> int:
    """The descriptor of what clients and people read: that of the protocol where it has been claimed."""
    return 1 if _claimed is None else _claimed.output_fd


def reader_is_gone(fd: int) -> bool:
    """Whether the other end of this pipe, socket or terminal is closed. Never true for files, and on Windows."""
    if sys.platform == "win32":
        return False
    import select

    poll = select.poll()
    poll.register(fd, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _raw_of(stream: Any) -> Any:
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


def claim_streams() -> Streams:
    """Take stdin and stdout for the protocol alone.

    Afterwards fd 0 is empty, so that no child process swallows a command, and fd 1 is stderr, so that prints, even those
    of C code and child processes, never end up between two lines of the protocol.
    """
    open_closed_streams()
    if sys.stdout is not None:
        sys.stdout.flush()
    streams = Streams(os.dup(0), os.dup(1), os.getppid())
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    messages = _raw_of(sys.stderr)
    if isinstance(messages, Outlasting):
        messages.waits = False  # no job is held up by a client that does not read them
    for fd in (streams.input_fd, streams.output_fd):
        if sys.platform == "win32":
            import msvcrt

            msvcrt.setmode(fd, os.O_BINARY)  # no newline translation
        else:
            os.set_blocking(fd, True)  # a parent may have left its pipe non-blocking
    global _claimed  # noqa: PLW0603 - a process has one standard output
    _claimed = streams
    return streams


# Imports ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def left_out(module: str) -> Iterator[None]:
    """Whoever imports this module in the meantime finds it empty. Later it can be imported as it is."""
    stand_in = ModuleType(module)
    is_new = sys.modules.setdefault(module, stand_in) is stand_in
    try:
        yield
    finally:
        if is_new:
            del sys.modules[module]


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """What is made in the meantime is not looked through for garbage. Of imports there is none, and looking takes a tenth of their time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# Threads ----------------------------------------------------------------------------------------------------------


def limit_threads(requested: int | None) -> int:
    """Set how many threads numerical libraries start, and return the number. Call it before torch is imported.

    The worker's own setting wins, then OMP_NUM_THREADS, then the number of physical cores.
    """
    count = requested or default_threads()
    for name in THREAD_VARIABLES:
        if requested:
            os.environ[name] = str(count)
        else:
            os.environ.setdefault(name, str(count))
    os.environ.setdefault("KMP_BLOCKTIME", BLOCK_TIME_MS)
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    return count


def default_threads() -> int:
    """OMP_NUM_THREADS or, where that is not set, the number of physical cores."""
    variable = os.environ.get("OMP_NUM_THREADS", "")
    inherited = int(variable) if variable.isascii() and variable.isdigit() else 0
    return inherited or physical_cores()


def physical_cores() -> int:
    """How many physical cores this process may use: hyper-threads do not count, and a container's limit applies."""
    return max(1, _count_cores() or os.cpu_count() or 1)


if sys.platform == "win32":

    def _count_cores() -> int:
        import ctypes
        from ctypes import wintypes

        query = ctypes.windll.kernel32.GetLogicalProcessorInformationEx
        only_cores, size = 0, wintypes.DWORD(0)
        query(only_cores, None, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        if not query(only_cores, buffer, ctypes.byref(size)):
            return 0
        return count_records(buffer.raw[: size.value])

elif sys.platform == "darwin":

    def _count_cores() -> int:
        import ctypes

        count, size = ctypes.c_int(0), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
        failed = ctypes.CDLL(None).sysctlbyname(b"hw.physicalcpu", ctypes.byref(count), ctypes.byref(size), None, 0)
        return 0 if failed else count.value

else:

    def _count_cores() -> int:
        topology = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
        cores = {_read(topology.format(cpu)) or str(cpu) for cpu in os.sched_getaffinity(0)}
        limit = cgroup_limit(_read("/sys/fs/cgroup/cpu.max"))
        return min(len(cores), limit) if limit else len(cores)


def count_records(data: bytes) -> int:
    """How many records Windows returned. Each has a variable length: kind and size, four bytes each, then the rest."""
    count = offset = 0
    while offset + 8 <= len(data):
        size = int.from_bytes(data[offset + 4 : offset + 8], "little")
        if size < 8:
            break
        offset += size
        count += 1
    return count


def cgroup_limit(text: str) -> int | None:
    """How many whole cores `cpu.max` (`QUOTA PERIOD` or `max PERIOD`) allows; `None` means no limit."""
    quota, _, period = text.partition(" ")
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return max(1, int(quota) // int(period))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""


# Frozen builds ----------------------------------------------------------------------------------------------------


def quieten_frozen_imports() -> None:
    """Spare torch the search for sources that a frozen build does not have, and users the warnings about it.

    While it is imported, torch asks `inspect` about hundreds of frames. Without sources, each question walks all loaded
    modules, which adds a quarter of a second.
    """
    import inspect
    import warnings
    from types import FrameType, FunctionType

    patched: Any = inspect
    find_module, find_source = patched.getmodule, patched.findsource

    def getmodule(thing: object, filename: str | None = None) -> Any:
        """Frames know the name of their module."""
        known = sys.modules.get(thing.f_globals.get("__name__", "")) if isinstance(thing, FrameType) else None
        return known or find_module(thing, filename)

    def findsource(thing: object) -> Any:
        """Give up at once if the file of the code does not exist."""
        # By type and not by attribute: some of torch's objects raise when they are asked for an unknown attribute.
        codes = [thing.f_code] if isinstance(thing, FrameType) else []
        codes += [thing.__code__] if isinstance(thing, FunctionType) else []
        if not all(Path(code.co_filename).exists() for code in codes):
            raise OSError("could not get source code")
        return find_source(thing)

    warnings.filterwarnings("ignore", message="Unable to retrieve source for @torch.jit._overload")
    patched.getmodule, patched.findsource = getmodule, findsource
