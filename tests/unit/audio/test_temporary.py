"""Temporary names, and what killed processes have left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.audio import temporary


def test_a_part_lies_beside_its_file(tmp_path):
    """Hidden, with something random in its name; never the same twice."""
    first, second = (temporary.part_path(tmp_path / "vocals.wav") for _ in range(2))
    assert first.parent == tmp_path
    assert first.name.startswith(".vocals.wav.")
    assert first.suffix == ".part"
    assert first != second


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "🎵" * 63])
def test_a_part_of_a_long_name_can_be_created(tmp_path, name):
    """The name of the part does not pass the system's limit."""
    path = temporary.part_path(tmp_path / name)
    assert len(os.fsencode(path.name)) <= 255
    path.touch()
    assert path.exists()


HOLD_A_PART = """
import sys
from pathlib import Path
from utils.audio.temporary import HeldFile
part = HeldFile(Path(sys.argv[1]))
print(part.path, flush=True)
sys.stdin.read()
"""


def test_leftovers_of_the_dead_are_removed(tmp_path):
    """What a living process holds stays, wherever it runs and whatever its number is; so does everything else."""
    mine = temporary.HeldFile(tmp_path / "a.wav")
    others = {tmp_path / name for name in ("a.wav", ".hidden.part", ".a.wav.12-zz.part", "b.part")}
    for path in others:
        path.touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_PART, tmp_path / "a.wav"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        held = Path(process.stdout.readline().rstrip("\n"))
        temporary.remove_stale_parts([tmp_path, tmp_path / "missing"])
        assert set(tmp_path.iterdir()) == {mine.path, held, *others}
        process.kill()
    temporary.remove_stale_parts([tmp_path])
    assert set(tmp_path.iterdir()) == {mine.path, *others}
    mine.discard()
    assert set(tmp_path.iterdir()) == others


def test_a_file_that_cannot_be_closed_is_released(tmp_path, monkeypatch):
    """What was written to it is on the disk, so that costs no job its results."""
    part, close = temporary.HeldFile(tmp_path / "a.wav"), os.close

    def fail(descriptor):
        close(descriptor)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "close", fail)
    part.publish(tmp_path / "a.wav")
    assert (tmp_path / "a.wav").exists()


def test_nothing_is_swept_where_files_cannot_be_locked(tmp_path, monkeypatch):
    """A file system without locks does not show who is at work, but work goes on."""
    monkeypatch.setattr(temporary, "_lock", lambda descriptor: None)
    part = temporary.HeldFile(tmp_path / "a.wav")
    temporary.remove_stale_parts([tmp_path])
    assert part.path.exists()
    part.discard()
    assert not part.path.exists()


def test_what_a_sweep_took_before_it_was_locked_gets_another_name(tmp_path, monkeypatch):
    """The sweep may not yet have removed it."""
    locked = iter([False, True])
    monkeypatch.setattr(temporary, "_lock", lambda descriptor: next(locked))
    part = temporary.HeldFile(tmp_path / "a.wav")
    (swept,) = set(tmp_path.iterdir()) - {part.path}
    assert temporary.is_part(swept.name)
    part.discard()


@pytest.mark.skipif(sys.platform == "darwin", reason="it has only locks of whole files")
def test_the_lock_of_a_part_lies_behind_any_samples(tmp_path):
    """Windows and its network shares let nobody else write to what is locked, and stems are longer than a gigabyte."""
    part = temporary.HeldFile(tmp_path / "a.wav")
    with part.path.open("r+b") as file:
        assert is_free(file, 0, 1 << 40)
        assert not is_free(file, 1 << 62, 1)
    part.discard()


def is_free(file, start, length):
    """Whether another descriptor can lock these bytes."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        words = (word for number in (start, length) for word in (number & 0xFFFFFFFF, number >> 32))
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(file.fileno()))
        return bool(ctypes.WinDLL("kernel32").LockFile(handle, *words))
    import fcntl

    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
    except OSError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_with_the_name_of_a_leftover_is_not_followed(tmp_path):
    """What it points to is somebody's."""
    (tmp_path / "precious").write_text("mine")
    link = temporary.part_path(tmp_path / "a.wav")
    link.symlink_to(tmp_path / "precious")
    temporary.remove_stale_parts([tmp_path])
    assert (tmp_path / "precious").read_text() == "mine"


def test_folders_are_made_and_those_that_were_there_are_kept(tmp_path):
    """Only what was made is named, and only what is empty is removed."""
    (tmp_path / "old").mkdir()
    made = temporary.make_folder(tmp_path / "old" / "a" / "b")
    assert made == [tmp_path / "old" / "a", tmp_path / "old" / "a" / "b"]
    assert temporary.make_folder(tmp_path / "old" / "a" / "b") == []
    (tmp_path / "old" / "a" / "file").touch()
    temporary.remove_folders(made)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "old", tmp_path / "old" / "a", tmp_path / "old" / "a" / "file"]


def test_a_folder_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch):
    """Those above it that were made are removed again."""
    make = os.mkdir

    def refuse(path, *args):
        if path.endswith("c"):
            raise PermissionError(13, "Permission denied")
        make(path, *args)

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(PermissionError):
        temporary.make_folder(tmp_path / "a" / "b" / "c")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_an_error(tmp_path):
    """A file is no folder."""
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match="a"):
        temporary.make_folder(tmp_path / "a" / "b")


def test_removing_what_is_gone_is_fine(tmp_path):
    """Rollback may come twice."""
    temporary.remove(tmp_path / "none")
    temporary.remove_folders([tmp_path / "none"])
