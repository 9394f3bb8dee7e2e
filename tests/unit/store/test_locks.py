"""Locks between threads and between processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from utils.core.errors import OutputNotWritable
from utils.store import locks
from utils.store.locks import FileLock, held

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys
from pathlib import Path
from utils.core.errors import OutputNotWritable
from utils.store import locks
from utils.store.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.try_acquire(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "a.lock")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().strip() == b"True"
        yield process
        process.kill()


def test_only_one_holder(tmp_path):
    """A second lock of the same file is not given before the first is let go."""
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    assert second.try_acquire()
    second.release()


def test_nothing_is_left(tmp_path):
    """A lock that was let go leaves no file."""
    with held(tmp_path / "a.lock", lambda: pytest.fail("had to wait")):
        assert (tmp_path / "a.lock").exists()
    assert not (tmp_path / "a.lock").exists()


def test_left_over_file_does_not_lock(tmp_path):
    """The file of a process that died holds nobody up."""
    (tmp_path / "a.lock").write_bytes(b"")
    with held(tmp_path / "a.lock", lambda: pytest.fail("had to wait")):
        pass


def test_other_process_is_kept_out_and_its_death_lets_go(tmp_path, holder):
    """A lock holds against other processes, and a killed one holds nothing."""
    lock = FileLock(tmp_path / "a.lock")
    assert not lock.try_acquire()
    holder.kill()
    holder.wait()
    assert lock.try_acquire()
    lock.release()


def test_waiting_ends_with_what_wait_raises(tmp_path):
    """A wait that is cancelled leaves the lock to its holder."""
    first = FileLock(tmp_path / "a.lock")
    assert first.try_acquire()

    def cancel():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), held(tmp_path / "a.lock", cancel):
        pytest.fail("got the lock")
    assert not FileLock(tmp_path / "a.lock").try_acquire()
    first.release()


def test_folder_that_cannot_be_written(tmp_path):
    """A lock that cannot be made is an error about the folder, not an endless wait."""
    (tmp_path / "none").touch()
    with pytest.raises(OutputNotWritable, match="none"):
        FileLock(tmp_path / "none" / "a.lock").try_acquire()


def test_a_folder_that_the_last_holder_removed_is_made_again(tmp_path):
    """Who waited for a download that failed has a turn all the same."""
    first, second = (FileLock(tmp_path / "models" / "a.lock") for _ in range(2))
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    (tmp_path / "models").rmdir()
    assert second.try_acquire()


def test_file_that_its_holder_removed_is_not_the_lock(tmp_path, monkeypatch):
    """Whoever opened the file just before it was removed does not hold the lock that others take afterwards."""
    first, second, third = (FileLock(tmp_path / "a.lock") for _ in range(3))
    assert first.try_acquire()
    lock = locks._lock

    def too_late(descriptor):
        monkeypatch.undo()
        first.release()
        assert third.try_acquire()
        return lock(descriptor)

    monkeypatch.setattr(locks, "_lock", too_late)
    assert not second.try_acquire()
    third.release()


def test_never_two_inside(tmp_path):
    """Threads that take turns, each removing the file, are never inside together."""
    inside: list[int] = []
    most = []

    def work(number):
        for _ in range(20):
            with held(tmp_path / "a.lock", lambda: None):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 60
