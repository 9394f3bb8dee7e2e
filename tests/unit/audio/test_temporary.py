"""Temporary names, and what killed processes have left."""

import os
from pathlib import Path

import pytest

from utils.audio import temporary

NO_PROCESS = 4194999  # above every process number


def test_a_part_lies_beside_its_file(tmp_path):
    """Hidden, with the process and something random in its name; never the same twice."""
    first, second = (temporary.part_path(tmp_path / "vocals.wav") for _ in range(2))
    assert first.parent == tmp_path
    assert first.name.startswith(f".vocals.wav.{os.getpid()}-")
    assert first.suffix == ".part"
    assert first != second


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "🎵" * 63])
def test_a_part_of_a_long_name_can_be_created(tmp_path, name):
    """The name of the part does not pass the system's limit."""
    path = temporary.part_path(tmp_path / name)
    assert len(os.fsencode(path.name)) <= 255
    path.touch()
    assert path.exists()


def test_leftovers_of_the_dead_are_removed(tmp_path):
    """Those of the living, of this process, of other machines and everything else stay."""
    mine = temporary.part_path(tmp_path / "a.wav")
    dead = Path(str(mine).replace(f".{os.getpid()}-", f".{NO_PROCESS}-"))
    parent = Path(str(mine).replace(f".{os.getpid()}-", f".{os.getppid()}-"))
    machine = temporary._machine()
    elsewhere = Path(str(dead).replace(machine, f"{int(machine, 16) ^ 1:08x}"))
    others = [tmp_path / name for name in ("a.wav", ".hidden.part", ".a.wav.12-zz.part", "b.part")]
    for path in (mine, dead, parent, elsewhere, *others):
        path.touch()
    temporary.remove_stale_parts([tmp_path, tmp_path / "missing"])
    assert set(tmp_path.iterdir()) == {mine, parent, elsewhere, *others}


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
