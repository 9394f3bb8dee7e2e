"""Which checkpoints are first read in a child process, and what becomes of those that do harm there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.aids import harm
from utils.core.errors import CheckpointInvalid, CheckpointUnsafe
from utils.core.isolation import Allowance
from utils.core.job import Job, JobCancelled, working_on
from utils.store import checkpoints
from utils.store.checkpoints import read_checkpoint
from utils.store.known_hashes import remember

STATE = {"weight": torch.arange(6.0), "bias": torch.ones(2)}


@pytest.fixture
def calls(monkeypatch):
    """The files that were read in a child."""
    found = []
    call = checkpoints.isolation.call

    def counted(function, name, *arguments, **options):
        found.append(Path(name).name)
        return call(function, name, *arguments, **options)

    monkeypatch.setattr(checkpoints.isolation, "call", counted)
    monkeypatch.setattr(checkpoints, "_read_before", {})
    return found


def saved(path):
    if path.suffix == ".safetensors":
        save_file(STATE, path)
    else:
        torch.save(STATE, path)
    return path


@pytest.mark.parametrize("name", ["a.th", "a.safetensors"])
def test_the_first_time_only(tmp_path, calls, name):
    """What was read in a child needs none again, until it changes."""
    path = saved(tmp_path / name)
    for _ in range(2):
        assert read_checkpoint(path).keys() == STATE.keys()
    assert calls == [name]
    os.utime(path, ns=(0, 0))
    read_checkpoint(path)
    assert calls == [name] * 2


def test_a_known_file_needs_no_child(tmp_path, calls):
    """Its hash was found to be the published one, and it has not been touched since."""
    path = saved(tmp_path / "a.th")
    remember(path, hashlib.sha256(path.read_bytes()).hexdigest(), published=True)
    read_checkpoint(path)
    assert calls == []


def test_a_remembered_file_is_not_known(tmp_path, calls):
    """Nobody has vouched for the first download of a file."""
    path = saved(tmp_path / "a.th")
    remember(path, hashlib.sha256(path.read_bytes()).hexdigest(), published=False)
    read_checkpoint(path)
    assert calls == ["a.th"]


@pytest.mark.parametrize(
    ("does", "seconds", "said"), [(harm.crash, 30, "crashed"), (harm.fill, 30, "memory"), (harm.hold, 1, "longer than")]
)
def test_harm_is_an_error_of_the_file(tmp_path, calls, monkeypatch, does, seconds, said):
    """One that names it, and the next file is read as if nothing had been."""
    bad, good = saved(tmp_path / "bad.th"), saved(tmp_path / "good.th")
    call = checkpoints.isolation.call
    limits = Allowance(memory_bytes=256 << 20, seconds=seconds)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.isolation, "call", lambda *args, **options: call(*args, allowance=limits, **options))
        patch.setattr(checkpoints, "find_content", does)
        with pytest.raises(CheckpointInvalid, match=rf"`bad\.th`.*{said}") as caught:
            read_checkpoint(bad)
    assert caught.value.hint
    assert read_checkpoint(good).keys() == STATE.keys()


def test_cancelling_does_not_wait_for_the_file(tmp_path, calls, monkeypatch):
    """The job ends while the child is still reading."""
    monkeypatch.setattr(checkpoints, "find_content", harm.wait)
    job = Job()
    job.cancel()
    with working_on(job), pytest.raises(JobCancelled):
        read_checkpoint(saved(tmp_path / "a.th"))


def test_what_is_refused_in_a_child_may_still_be_allowed(tmp_path, calls):
    """By the user who started the worker."""
    path = tmp_path / "a.th"
    torch.save({"where": Place()}, path)
    with pytest.raises(CheckpointUnsafe, match=r"posix\.getcwd|nt\.getcwd"):
        read_checkpoint(path)
    assert read_checkpoint(path, allow_unsafe=True) == {"where": str(Path.cwd())}


class Place:
    """Pickled as a call."""

    def __reduce__(self):
        return os.getcwd, ()


@pytest.mark.parametrize(
    "place",
    [
        ("float32", 0, 24, 0, [1 << 20], [1]),  # beyond its storage
        ("float32", 0, 24, 0, [7], [1]),  # only just
        ("float32", 0, 24, 1, [6], [1]),
        ("float32", 1 << 40, 24, 0, [6], [1]),  # beyond the file
        ("float32", -24, 24, 0, [6], [1]),
        ("float32", 0, 24, -1, [6], [1]),
        ("float32", 0, 24, 0, [6], [-1]),
        ("float32", 0, 24, 0, [6, 1], [1]),
        ("float32", 0, 24, 0, [1] * 17, [1] * 17),
        ("float32", 0, 24, 0, [1 << 40], [0]),  # one number again and again
        ("save", 0, 24, 0, [6], [1]),
        ("float32", "0", 24, 0, [6], [1]),
        ("float32", 0),
    ],
)
@pytest.mark.parametrize("mapped", [True, False])
def test_what_a_child_says_is_checked(tmp_path, calls, monkeypatch, place, mapped):
    """A file might have taken it over: places and sizes that cannot be are damage."""
    path = saved(tmp_path / "a.th")
    monkeypatch.setattr(checkpoints.isolation, "call", lambda *_, **__: ["dict", "weight", ["tensor", *place]])
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(path, mapped=mapped)


@pytest.mark.parametrize("content", [["x"], [], ["dict", 1], ["dict", ["list"], 1], ["int", "x"], ["made"], [[], 1]])
def test_content_that_is_none_is_damage(tmp_path, calls, monkeypatch, content):
    """So is everything else that cannot be."""
    path = saved(tmp_path / "a.th")
    monkeypatch.setattr(checkpoints.isolation, "call", lambda *_, **__: content)
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(path)
