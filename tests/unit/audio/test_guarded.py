"""Files for libraries: no exception is raised inside of them, and no error is lost."""

import errno

import pytest

from utils.audio.guarded import GuardedFile
from utils.core.errors import DiskFull, OutputNotWritable


class FullDisk:
    """A file whose writes fail."""

    closed = False

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self):
        raise OSError(errno.EIO, "Input/output error")

    def close(self):
        raise OSError(errno.EIO, "Input/output error")


def test_what_is_written_can_be_read(tmp_path):
    """It behaves like the file it stands for."""
    file = GuardedFile(tmp_path / "f", "w+b")
    assert file.write(b"hello") == 5
    assert file.seek(1) == 1
    buffer = bytearray(3)
    assert file.readinto(buffer) == 3
    assert (bytes(buffer), file.tell(), file.at_end) == (b"ell", 4, False)
    assert file.read(10) == b"o"
    assert file.at_end
    file.close()
    file.require_written()


def test_the_first_fault_is_kept(tmp_path):
    """A failed write says that it wrote nothing; the reason is raised by `require_written`, and later ones do not hide it."""
    file = GuardedFile(tmp_path / "f", "w+b")
    file._file.close()
    file._file = FullDisk()
    assert file.write(b"x") == 0
    file.close()
    with pytest.raises(DiskFull, match="disk is full") as caught:
        file.require_written()
    assert caught.value.__cause__.errno == errno.ENOSPC


def test_a_file_closed_under_the_librarys_hands_is_a_fault(tmp_path):
    """After `close`, reads and writes do nothing and are remembered."""
    file = GuardedFile(tmp_path / "f", "w+b")
    file.close()
    file.require_written()
    assert (file.write(b"x"), file.read(1), file.tell(), file.seek(0)) == (0, b"", -1, -1)
    with pytest.raises(OutputNotWritable, match="Bad file descriptor"):
        file.require_written()


def test_closing_twice_is_fine(tmp_path):
    """The second close is nothing."""
    file = GuardedFile(tmp_path / "f", "w+b")
    file.close()
    file.close()
    file.require_written()
