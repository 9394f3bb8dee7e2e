"""Floats on disk and back."""

import errno

import numpy as np
import pytest
from sounds import noise

from utils.audio.spooling import Spool
from utils.core.errors import DiskFull, OutputNotWritable


def test_what_is_spooled_comes_back(tmp_path):
    """Bit for bit, overs included, in bounded blocks and as often as wanted."""
    sound = noise(150_000).T * 7
    spool = Spool(tmp_path / "s", 2)
    for start in range(0, len(sound), 40_000):
        spool.write(sound[start : start + 40_000])
    for _ in range(2):
        blocks = list(spool.blocks())
        assert max(map(len, blocks)) <= 1 << 16
        np.testing.assert_array_equal(np.concatenate(blocks), sound)
    spool.close()


def test_a_failed_write_is_an_error(tmp_path):
    """A full disk is told when it happens."""
    spool = Spool(tmp_path / "s", 2)
    spool._file.fault = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DiskFull):
        spool.write(noise(10).T)
    spool.abandon()


def test_a_spool_needs_its_folder(tmp_path):
    """What cannot be created is an error about the output."""
    with pytest.raises(OutputNotWritable):
        Spool(tmp_path / "none" / "s", 2)
