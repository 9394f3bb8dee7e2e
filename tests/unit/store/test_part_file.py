"""The part of a download that is there so far."""

from __future__ import annotations

import errno
import hashlib
import os
import sys

import pytest

from utils.core.errors import DiskFull, OutputNotWritable
from utils.store.part_file import PartFile, part_path


def nothing():
    """Nobody listens."""


def test_writing_and_publishing(tmp_path):
    """Blocks become the file, and its hash is known without reading it again."""
    target = tmp_path / "a.th"
    with PartFile(target, nothing) as part:
        part.write(b"abc")
        part.write(b"def")
        assert (part.size_bytes, part.sha256) == (6, hashlib.sha256(b"abcdef").hexdigest())
        part.publish()
    assert target.read_bytes() == b"abcdef"
    assert not part_path(target).exists()


def test_going_on_where_it_ended(tmp_path):
    """A part that was closed is hashed from its beginning when it is opened again."""
    target = tmp_path / "a.th"
    with PartFile(target, nothing) as part:
        part.write(b"abc")
    with PartFile(target, nothing) as part:
        assert part.size_bytes == 3
        part.write(b"def")
        assert part.sha256 == hashlib.sha256(b"abcdef").hexdigest()
    assert part_path(target).read_bytes() == b"abcdef"


def test_starting_over(tmp_path):
    """After a restart nothing of the earlier bytes is left, in the file or in the hash."""
    with PartFile(tmp_path / "a.th", nothing) as part:
        part.write(b"abcdef")
        part.restart()
        part.write(b"x")
        assert part.sha256 == hashlib.sha256(b"x").hexdigest()
    assert part_path(tmp_path / "a.th").read_bytes() == b"x"


def test_empty_part_is_not_left(tmp_path):
    """A part without a byte is of no use to anybody."""
    with PartFile(tmp_path / "a.th", nothing):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, DiskFull), (errno.EIO, OutputNotWritable)])
def test_failed_write_leaves_only_whole_blocks(tmp_path, monkeypatch, number, error):
    """A disk that fills up in the middle of a block leaves what was counted, so that it can be resumed."""
    target = tmp_path / "a.th"

    class FailsAfterThree:
        def __init__(self, file):
            self._file = file

        def write(self, block):
            if len(block) <= 3:
                raise OSError(number, "no")
            return self._file.write(block[:3])

        def __getattr__(self, name):
            return getattr(self._file, name)

    with PartFile(target, nothing) as part:
        part.write(b"abcdef")
        monkeypatch.setattr(part, "_file", FailsAfterThree(part._file))
        with pytest.raises(error, match=r"a\.th"):
            part.write(b"ghijkl")
    assert part_path(target).read_bytes() == b"abcdef"


def test_folder_that_is_not_there(tmp_path):
    """A part that cannot be opened is an error about the folder."""
    with pytest.raises(OutputNotWritable, match="none"):
        PartFile(tmp_path / "none" / "a.th", nothing)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders, and links need a privilege")
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_something_else_in_the_place_of_a_part_is_replaced(tmp_path, kind):
    """A link leads nowhere else, and nobody waits for a pipe."""
    (tmp_path / "elsewhere").write_bytes(b"untouched")
    path = part_path(tmp_path / "a.th")
    if kind == "link":
        path.symlink_to("elsewhere")
    else:
        os.mkfifo(path)
    with PartFile(tmp_path / "a.th", nothing) as part:
        part.write(b"abc")
        part.publish()
    assert (tmp_path / "a.th").read_bytes() == b"abc"
    assert (tmp_path / "elsewhere").read_bytes() == b"untouched"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_a_planted_link_is_replaced_not_followed(tmp_path, kind):
    """The file it leads to keeps its content."""
    (tmp_path / "precious").write_bytes(b"mine")
    target = tmp_path / "a.th"
    getattr(part_path(target), kind)(tmp_path / "precious")
    with PartFile(target, lambda: None) as part:
        assert part.size_bytes == 0
        part.write(b"new")
        part.publish()
    assert (tmp_path / "precious").read_bytes() == b"mine"
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()
