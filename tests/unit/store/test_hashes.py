"""Hashes of files."""

from __future__ import annotations

import hashlib
import os

import pytest

from utils.core.errors import ChecksumMismatch
from utils.core.job import Job, JobCancelled, working_on
from utils.store import hashes
from utils.store.hashes import remembered_sha256, remembered_tail_md5, require_sha256, sha256_of

CONTENT = b"abc" * 1_000_000
TRUE = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.th"
    path.write_bytes(CONTENT)
    return path


def test_hash_of_a_file_longer_than_a_block(file):
    """The hash is that of the whole file, and the caller is called before each block."""
    calls = []
    assert sha256_of(file, lambda: calls.append(1)) == TRUE
    assert len(calls) == 4


def test_unchanged_file_is_read_once(file, monkeypatch):
    """A hash is remembered while size and time stay the same, and found again when they change."""
    assert remembered_sha256(file) == TRUE
    with monkeypatch.context() as patch:
        patch.setattr(hashes, "sha256_of", lambda path, on_block: pytest.fail("read again"))
        assert remembered_sha256(file) == TRUE
    file.write_bytes(b"other")
    os.utime(file, ns=(1, 1))
    assert remembered_sha256(file) == hashlib.sha256(b"other").hexdigest()


def test_beginning_of_a_hash_is_enough(file):
    """A file is held against as much of the hash as is known, in either case of letters."""
    require_sha256(file, TRUE[:8].upper())


def test_wrong_hash_names_file_and_both_hashes(file):
    """The error says which file, what it is and what it should be."""
    with pytest.raises(ChecksumMismatch, match=rf"a\.th.*{TRUE[:8]}.*00000000"):
        require_sha256(file, "00000000")


def test_the_end_of_an_unchanged_file_is_read_once(file, monkeypatch):
    """The MD5 by which models are known is remembered beside the SHA-256, and found again when the file changes."""
    assert remembered_tail_md5(file) == hashlib.md5(CONTENT).hexdigest()
    assert remembered_sha256(file) == TRUE
    with monkeypatch.context() as patch:
        patch.setattr(hashes, "tail_md5_of", lambda path: pytest.fail("read again"))
        assert remembered_tail_md5(file) == hashlib.md5(CONTENT).hexdigest()
    file.write_bytes(b"other")
    os.utime(file, ns=(1, 1))
    assert remembered_tail_md5(file) == hashlib.md5(b"other").hexdigest()


def test_cancelling_the_job_of_a_thread_ends_the_hashing_of_a_file(file):
    """Large models take seconds, and whoever needs the hash need not know of jobs."""
    job = Job()
    job.cancel()
    with working_on(job), pytest.raises(JobCancelled):
        require_sha256(file, TRUE)
    require_sha256(file, TRUE)
