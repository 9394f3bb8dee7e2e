"""What a worker does to its own process before anything heavy is imported: streams, threads, frozen builds.

Standard library only, and nothing slow: the client waits for the first line while this runs. Libraries print when
they like, and so does C code, so the protocol gets private copies of the standard streams and everybody else gets
descriptors that cannot hurt it.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

# Read by OpenMP, MKL, OpenBLAS and Accelerate when they are loaded, so they must be set before torch is imported.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# Milliseconds for which an idle Intel OpenMP thread keeps its core busy. The usual 200 starves the threads that read
# and write audio meanwhile. Pinning threads (KMP_AFFINITY) is left alone: two workers would sit on the same cores.
BLOCK_TIME_MS = "1"
# The same for GNU OpenMP, which torch uses on Linux, in turns of a loop. By default its threads spin until they are
# needed; where other programs want the cores too, that makes networks half as fast, and this costs nothing alone.
SPIN_COUNT = "30000"


class Streams(NamedTuple):
    """The protocol's own ends of the pipes, and who is at the other end."""

    input_fd: int
    output_fd: int
    parent_pid: int


def is_frozen() -> bool:
    """Is this an executable made by the build, and not a script?"""
    return bool(getattr(sys, "frozen", False))


def prepare_process() -> None:
    """What every way of starting needs, worker or command line."""
    use_utf8(sys.stdin, sys.stdout, sys.stderr)
    if is_frozen():
        sys.dont_write_bytecode = True  # the folder may belong to somebody else, or to several users
        quieten_frozen_imports()


# Streams ----------------------------------------------------------------------------------------------------------


def use_utf8(*streams: object) -> None:
    """Read and write text as UTF-8, whatever the locale says; what cannot be shown is escaped, never an error."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def claim_streams() -> Streams:
    """Take stdin and stdout for the protocol alone.

    Afterwards fd 0 is empty, so that no child process swallows a command, and fd 1 is stderr, so that prints, also
    those of C code and of child processes, never end up between two lines of the protocol.
    """
    for fd in (0, 1, 2):
        _open_if_closed(fd)
    if sys.stdout is not None:
        sys.stdout.flush()
    streams = Streams(os.dup(0), os.dup(1), os.getppid())
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    for fd in (streams.input_fd, streams.output_fd):
        _use_plain_bytes(fd)
    return streams


def _open_if_closed(fd: int) -> None:
    """A file that is opened later must never get the number of a standard stream. Called in the order 0, 1, 2."""
    try:
        os.fstat(fd)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != fd:
            os.dup2(null, fd)
            os.close(null)


def _use_plain_bytes(fd: int) -> None:
    """No newline translation on Windows; blocking elsewhere, since a parent may have left its pipe non-blocking."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(fd, os.O_BINARY)
    else:
        os.set_blocking(fd, True)


# Threads ----------------------------------------------------------------------------------------------------------


def limit_threads(asked: int | None) -> int:
    """Set how many threads numerical libraries start, and return the number. Call it before torch is imported.

    What was asked of the worker wins; then what the user has set in OMP_NUM_THREADS; then the physical cores.
    """
    count = asked or _positive(os.environ.get("OMP_NUM_THREADS")) or physical_cores()
    for name in THREAD_VARIABLES:
        if asked:
            os.environ[name] = str(count)
        else:
            os.environ.setdefault(name, str(count))
    os.environ.setdefault("KMP_BLOCKTIME", BLOCK_TIME_MS)
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    return count


def _positive(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and int(text) > 0 else None


def physical_cores() -> int:
    """The physical cores that this process may use; hyper-threads do not count, a container's limit does."""
    if sys.platform == "win32":
        found = _windows_cores()
    elif sys.platform == "darwin":
        found = _macos_cores()
    else:
        found = _linux_cores()
    return max(1, found or os.cpu_count() or 1)


if sys.platform == "win32":

    def _windows_cores() -> int:
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

    def _macos_cores() -> int:
        import ctypes

        count, size = ctypes.c_int(0), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
        failed = ctypes.CDLL(None).sysctlbyname(b"hw.physicalcpu", ctypes.byref(count), ctypes.byref(size), None, 0)
        return 0 if failed else count.value

else:

    def _linux_cores() -> int:
        topology = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
        cores = {_read(topology.format(cpu)) or str(cpu) for cpu in os.sched_getaffinity(0)}
        limit = cgroup_limit(_read("/sys/fs/cgroup/cpu.max"))
        return min(len(cores), limit) if limit else len(cores)


def count_records(data: bytes) -> int:
    """How many variable-length records (kind and size, four bytes each, then the rest) Windows has returned."""
    count = offset = 0
    while offset + 8 <= len(data):
        size = int.from_bytes(data[offset + 4 : offset + 8], "little")
        if size < 8:
            break
        offset += size
        count += 1
    return count


def cgroup_limit(text: str) -> int | None:
    """The whole cores that `cpu.max` (`QUOTA PERIOD` or `max PERIOD`) allows; `None` is no limit."""
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
    """Spare torch the search for sources that a frozen build does not have, and people the warnings about it.

    While it is imported, torch asks `inspect` about hundreds of frames. Without sources each question walks all
    loaded modules, which adds a quarter of a second.
    """
    import inspect
    import warnings

    warnings.filterwarnings("ignore", message="Unable to retrieve source for @torch.jit._overload")
    inspect.getmodule = _module_of(inspect.getmodule)
    inspect.findsource = _source_of(inspect.findsource)


def _module_of(search: Any) -> Any:
    """`inspect.getmodule`, with the short way for frames, which know the name of their module."""
    from types import FrameType

    def getmodule(thing: object, filename: str | None = None) -> Any:
        known = sys.modules.get(thing.f_globals.get("__name__", "")) if isinstance(thing, FrameType) else None
        return known or search(thing, filename)

    return getmodule


def _source_of(search: Any) -> Any:
    """`inspect.findsource`, which gives up at once where the code's file does not exist."""

    def findsource(thing: object) -> Any:
        if any(not Path(name).exists() for name in _code_files(thing)):
            raise OSError("could not get source code")
        return search(thing)

    return findsource


def _code_files(thing: object) -> Iterable[str]:
    # By type and not by attribute: some of torch's objects raise when they are asked for an unknown attribute.
    from types import FrameType, FunctionType

    if isinstance(thing, FrameType):
        yield thing.f_code.co_filename
    elif isinstance(thing, FunctionType):
        yield thing.__code__.co_filename
