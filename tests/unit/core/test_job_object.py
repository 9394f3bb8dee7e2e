"""How Windows would limit a child process, with what it is told recorded."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

SOURCE = Path(__file__).parents[3] / "utils" / "core" / "job_object.py"
KILL_ON_CLOSE, PROCESS_TIME, PROCESS_MEMORY = 0x2000, 0x2, 0x100


class Kernel32:
    """Notes what is called, and with what."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        def called(*arguments):
            self.calls.append((name, arguments))
            return 7

        return called


@pytest.fixture
def kernel32(monkeypatch):
    kernel32 = Kernel32()
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: kernel32, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    return kernel32


def test_a_child_is_held_to_its_limits_from_the_start(kernel32):
    """Its memory and its time, and it ends with the object, which ends with the worker."""
    spec = importlib.util.spec_from_file_location("job_object_of_windows", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    job = module.JobObject(SimpleNamespace(_handle=5), 1 << 30, 30)
    job.close()
    (_, (_, kind, pointer, size)) = kernel32.calls[1]
    limits = pointer._obj
    assert [name for name, _ in kernel32.calls] == [
        "CreateJobObjectW",
        "SetInformationJobObject",
        "AssignProcessToJobObject",
        "CloseHandle",
    ]
    assert (kind, size) == (9, 144)  # as Windows defines them, for programs of 64 bits
    assert (limits.process_memory, limits.basic.process_time) == (1 << 30, 31 * 10_000_000)
    wanted = KILL_ON_CLOSE | PROCESS_TIME | PROCESS_MEMORY
    assert limits.basic.flags & wanted == wanted
    (_, (_, handle)) = kernel32.calls[2]
    assert handle.value == 5
