"""How Windows limits a process: by an object that holds it and its children, and ends them when it is closed."""

from __future__ import annotations

import ctypes
import subprocess
import sys

if sys.platform == "win32":
    _EXTENDED_LIMITS = 9
    _PROCESS_TIME, _PROCESS_MEMORY, _KILL_ON_CLOSE, _DIE_ON_ERROR = 0x2, 0x100, 0x2000, 0x400
    _TICKS_PER_S = 10_000_000

    class _BasicLimits(ctypes.Structure):
        _fields_ = (
            ("process_time", ctypes.c_int64),
            ("job_time", ctypes.c_int64),
            ("flags", ctypes.c_uint32),
            ("least_working_set", ctypes.c_size_t),
            ("most_working_set", ctypes.c_size_t),
            ("most_processes", ctypes.c_uint32),
            ("affinity", ctypes.c_size_t),
            ("priority", ctypes.c_uint32),
            ("scheduling", ctypes.c_uint32),
        )

    class _ExtendedLimits(ctypes.Structure):
        _fields_ = (
            ("basic", _BasicLimits),
            ("counters", ctypes.c_uint64 * 6),
            ("process_memory", ctypes.c_size_t),
            ("job_memory", ctypes.c_size_t),
            ("most_process_memory_used", ctypes.c_size_t),
            ("most_job_memory_used", ctypes.c_size_t),
        )

    class JobObject:
        """Holds a process that has just been started, to these limits. Where the system refuses, the deadline remains."""

        def __init__(self, process: subprocess.Popen[bytes], memory_bytes: int, seconds: float) -> None:
            self._kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
            self._kernel32.CreateJobObjectW.restype = ctypes.c_void_p
            self._handle = ctypes.c_void_p(self._kernel32.CreateJobObjectW(None, None))
            limits = _ExtendedLimits(process_memory=memory_bytes)
            limits.basic.flags = _PROCESS_TIME | _PROCESS_MEMORY | _KILL_ON_CLOSE | _DIE_ON_ERROR
            limits.basic.process_time = int((seconds + 1) * _TICKS_PER_S)
            self._kernel32.SetInformationJobObject(
                self._handle, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
            )
            handle = ctypes.c_void_p(int(getattr(process, "_handle")))  # noqa: B009 - types do not know it
            self._kernel32.AssignProcessToJobObject(self._handle, handle)

        def close(self) -> None:
            self._kernel32.CloseHandle(self._handle)
