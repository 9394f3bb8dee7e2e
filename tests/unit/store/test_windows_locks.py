"""Locks of files as on Windows."""

import os
import sys
from types import SimpleNamespace

import pytest
from fake_windows import as_on_windows

from utils.store import locks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this is the real one")


def test_locks_are_released_before_they_are_removed(monkeypatch, tmp_path):
    """An open file cannot be removed; one that somebody else holds by then stays."""
    held = set()

    def locking(descriptor, mode, count):
        del mode, count
        inode = os.fstat(descriptor).st_ino
        if inode in held:
            raise PermissionError(13, "locked")
        held.add(inode)

    runtime = SimpleNamespace(locking=locking, LK_NBLCK=2)
    windows = as_on_windows(monkeypatch, locks, None, runtime)
    first, second = (windows.FileLock(tmp_path / "a.lock") for _ in range(2))
    assert first.try_acquire()
    assert not second.try_acquire()
    close, order = os.close, []
    monkeypatch.setattr(os, "close", lambda descriptor: order.append("closed") or close(descriptor))
    unlink = type(tmp_path).unlink
    monkeypatch.setattr(type(tmp_path), "unlink", lambda path: order.append("removed") or unlink(path))
    first.release()
    assert order == ["closed", "removed"]
    assert list(tmp_path.iterdir()) == []
