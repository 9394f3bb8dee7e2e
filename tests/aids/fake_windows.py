"""Modules as they are on Windows, loaded on another system, with a kernel and a C runtime of the test's own."""

import ctypes
import importlib.util
import signal
import sys


def as_on_windows(monkeypatch, module, kernel, runtime=None):
    """A second copy of a module, which took the branches for Windows when it was loaded."""
    monkeypatch.setitem(sys.modules, "msvcrt", runtime)
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: kernel, raising=False)
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        spec = importlib.util.spec_from_file_location(f"{module.__name__}_on_windows", module.__file__)
        loaded = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, spec.name, loaded)
        spec.loader.exec_module(loaded)
    return loaded
