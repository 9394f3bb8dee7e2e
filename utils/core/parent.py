"""The process that started this one, and how its end is noticed: even one that was killed, which can tell nobody.

Standard library only. Workers always end with their parent. A program of the command line does where its parent asks for
that by its own id in the variable DSU_PARENT, because a program that a person starts may be meant to go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "DSU_PARENT"
POLL_S = 0.25
PATIENCE_S = 2.0
OUTERMOST = "pid:[4026531836]"  # where numbers of processes mean the same as outside; Linux has this one as a constant


def end_with_parent() -> None:
    """Interrupt this process when the one that DSU_PARENT names has ended. Its own children do not inherit the wish."""
    named = os.environ.pop(VARIABLE, "")
    if named.isascii() and named.isdigit() and _is_known_here(int(named)):
        threading.Thread(target=_interrupt_after, args=(int(named),), name="dsu-parent", daemon=True).start()


def _interrupt_after(pid: int) -> None:
    """The first signal cancels what is done and undoes what is half done; the second does not wait for it."""
    if wait_for_end(pid, threading.Event()):
        _interrupt()
        time.sleep(PATIENCE_S)
        _interrupt()


def _is_known_here(pid: int) -> bool:
    """Whether a process has this number here, too. In a container it has another one, or none, unless it is in there as well."""
    if sys.platform != "linux":
        return True
    try:
        return str(Path("/proc/self/ns/pid").readlink()) == OUTERMOST or pid in _ancestors()
    except OSError:  # no such place, so no containers either
        return True


def _ancestors() -> Iterator[int]:
    """The parent of this process, its parent, and so on, as far as they are in the same container."""
    pid = os.getppid()
    is_ours = str(Path("/proc/self").readlink()) == str(os.getpid())  # not if it shows the processes outside
    while pid > 0:
        yield pid
        stat = Path(f"/proc/{pid}/stat").read_bytes() if is_ours else b") ? 0"
        pid = int(stat.rpartition(b")")[2].split()[1])


if sys.platform == "win32":

    def wait_for_end(pid: int, over: threading.Event) -> bool:
        """Whether the process has ended before `over` is set. A handle stays with it even after its id is used again."""
        import ctypes

        synchronize, signaled = 0x00100000, 0
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.OpenProcess.restype = ctypes.c_void_p
        process = ctypes.c_void_p(kernel32.OpenProcess(synchronize, False, pid))
        if not process:
            return False  # no permission to watch it
        try:
            while not over.is_set():
                if kernel32.WaitForSingleObject(process, int(POLL_S * 1000)) == signaled:
                    return True
            return False
        finally:
            kernel32.CloseHandle(process)

    def _interrupt() -> None:
        signal.raise_signal(signal.SIGTERM)

else:

    def wait_for_end(pid: int, over: threading.Event) -> bool:
        """Whether the process has ended before `over` is set. An orphan has another parent, also while a dead parent is
        not yet forgotten; a script in between keeps the parent that it has.
        """
        parent = os.getppid()
        while os.getppid() == parent and exists(pid):
            if over.wait(POLL_S):
                return False
        return True

    def exists(pid: int) -> bool:
        """Whether there is such a process, also one that has ended and is not yet forgotten."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _interrupt() -> None:
        """The main thread, so that it does not go on waiting."""
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
