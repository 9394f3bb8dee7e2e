"""Disks that are full, folders that cannot be written: errors for people."""

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from utils.audio.disk import check_disk_space, output_error
from utils.core.errors import DiskFull, OutputNotWritable


def test_enough_space_is_fine(tmp_path):
    """Also for a folder that does not exist yet."""
    check_disk_space(tmp_path / "not" / "yet", 1)


def test_too_little_space_is_told_beforehand(tmp_path, monkeypatch):
    """With what is needed and what is there."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5_000_000))
    check_disk_space(tmp_path, 5_000_000)
    with pytest.raises(DiskFull, match=r"need 2\.5 GB, .* has only 5\.0 MB free") as caught:
        check_disk_space(tmp_path / "a", 2_500_000_000)
    assert caught.value.field == "output"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENOSPC, DiskFull, "disk is full"),
        (errno.EDQUOT, DiskFull, "disk is full"),
        (errno.EACCES, OutputNotWritable, "permission denied"),
        (errno.ENOTDIR, OutputNotWritable, "a file is where a folder should be"),
        (errno.EEXIST, OutputNotWritable, "a file is where a folder should be"),
        (errno.EISDIR, OutputNotWritable, "it is a folder"),
        (errno.EROFS, OutputNotWritable, "Read-only"),
    ],
)
def test_the_systems_refusals_have_their_sentences(code, kind, words):
    """Each says what is wrong and what to do, about the field `output`."""
    error = output_error(OSError(code, os.strerror(code)), Path("out/vocals.wav"))
    assert type(error) is kind
    assert words in str(error)
    assert "vocals.wav" in str(error)
    assert error.field == "output"
