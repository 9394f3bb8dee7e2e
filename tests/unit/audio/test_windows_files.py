"""Temporary files as on Windows, where open files can be renamed and removed only if whoever opened them allows it."""

import ctypes
import itertools
import os
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_windows import as_on_windows

from utils.audio import publishing, temporary

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this is the real one")
SHARE_DELETE, CREATE_NEW = 4, 1
LOCK_VIOLATION = 33


class Windows:
    """As much of it as these files need, on this system: what is open, and by whom it may be renamed or removed."""

    def __init__(self):
        self.opened = {}  # descriptors, with whether others may rename and remove the file
        self.scanned = 0  # how often somebody else still has the file open
        self.error = 0

    def create_file(self, name, access, share, security, disposition, flags, template):
        del access, security, flags, template
        kind = os.O_CREAT | os.O_EXCL if disposition == CREATE_NEW else 0
        descriptor = os.open(name.value, os.O_RDWR | kind, 0o666)
        self.opened[descriptor] = bool(share & SHARE_DELETE)
        return descriptor

    def lock_file(self, handle, low, high, count, more):
        assert (low, high << 32, count, more) == (0, temporary._LOCKED_BYTE, 1, 0)
        self.error = LOCK_VIOLATION
        return bool(temporary._lock(handle.value))

    def require_movable(self, path):
        """Raise `PermissionError` if somebody has the file open who does not share it."""
        if self.scanned:
            self.scanned -= 1
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        inode = Path(path).stat().st_ino
        for descriptor, is_shared in self.opened.items():
            try:
                is_open = os.fstat(descriptor).st_ino == inode
            except OSError:
                continue
            if is_open and not is_shared:
                raise PermissionError(13, "The process cannot access the file")


@pytest.fixture
def windows():
    return Windows()


@pytest.fixture
def files(windows, monkeypatch):
    """The module of temporary files as it is on Windows; those of sets use it, too."""
    kernel = SimpleNamespace(CreateFileW=partial(windows.create_file), LockFile=windows.lock_file)
    runtime = SimpleNamespace(open_osfhandle=lambda handle, flags: handle, get_osfhandle=lambda descriptor: descriptor)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: windows.error, raising=False)
    monkeypatch.setattr(os, "O_BINARY", 0, raising=False)
    monkeypatch.setattr(os, "supports_follow_symlinks", set())
    replace = os.replace

    def replacing(source, target):
        windows.require_movable(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", replacing)
    module = as_on_windows(monkeypatch, temporary, kernel, runtime)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    monkeypatch.setattr(publishing, "temporary", module)
    monkeypatch.setattr(publishing, "Hold", module.Hold)
    return module


def swept_before(files, folder, monkeypatch):
    """Another process removes leftovers right before each file is renamed."""
    replace = os.replace

    def replacing(source, target):
        files.remove_stale_parts([folder])
        replace(source, target)

    monkeypatch.setattr(os, "replace", replacing)


def test_a_file_is_held_until_it_has_its_name(files, tmp_path, monkeypatch):
    """A sweep that comes right before finds it in use, and what is left of the dead is removed all the same."""
    swept_before(files, tmp_path, monkeypatch)
    part = files.HeldFile(tmp_path / "a.wav")
    part.path.write_text("stem")
    leftover = files.part_path(tmp_path / "b.wav")
    leftover.touch()
    part.publish(tmp_path / "a.wav")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.wav": "stem"}


def test_sets_are_held_until_they_have_their_names(files, tmp_path, monkeypatch):
    """The last one as long as the first; old files are kept as second names, and go at the end."""
    swept_before(files, tmp_path, monkeypatch)
    targets = [tmp_path / f"{name}.wav" for name in "abc"]
    targets[1].write_text("old")
    parts = [(files.HeldFile(target), target) for target in targets]
    for part, target in parts:
        part.path.write_text(f"new {target.name}")
    publishing.publish(tmp_path, parts, lambda target: None)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        f"{name}.wav": f"new {name}.wav" for name in "abc"
    }


def test_a_file_is_discarded_while_it_is_held(files, tmp_path):
    """Nothing of it is left."""
    files.HeldFile(tmp_path / "a.wav").discard()
    assert list(tmp_path.iterdir()) == []


def test_a_virus_scanner_holds_up_a_file_but_does_not_fail_it(files, windows, tmp_path):
    """It is tried again, without our own hold, for about a second; then its error counts."""
    for times, target in enumerate((tmp_path / "a.wav", tmp_path / "b.wav"), start=1):
        windows.scanned = times * len(files._PAUSES_S)
        part = files.HeldFile(target)
        if times == 1:
            part.publish(target)
            assert target.exists()
        else:
            with pytest.raises(PermissionError):
                part.publish(target)
            part.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert temporary._PAUSES_S == ()


def test_an_old_file_is_never_gone_while_it_is_replaced(files, tmp_path, monkeypatch):
    """It has a second name, except a link, which would lead to what it points to."""
    target = tmp_path / "a.wav"
    target.write_text("old")
    there = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: there.append(target.exists()) or replace(*names))
    for count in itertools.count(1):
        part = files.HeldFile(target)
        part.path.write_text(f"new {count}")
        publishing.publish(tmp_path, [(part, target)], lambda target: None)
        assert target.read_text() == f"new {count}"
        if count == 2:
            break
        assert there == [True]
        target.unlink()
        (tmp_path / "elsewhere").write_text("precious")
        target.symlink_to(tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere").read_text() == "precious"
    assert not target.is_symlink()
