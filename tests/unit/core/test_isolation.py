"""Calls in a child process: whatever ends the child is one error, and nothing of it stays behind."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.aids import harm
from utils.core import bootstrap, cleanup, isolation
from utils.core.errors import CheckpointInvalid, DsuError
from utils.core.isolation import Allowance, Broken, Call, call
from utils.core.job import Job, JobCancelled, working_on
from utils.store.checkpoint_content import find_content

ROOT = Path(__file__).parents[3]
LIMIT_S = 30
SHORT = Allowance(seconds=1)


def has_ended(pid):
    """Whether there is no such child of this process, not even one that waits to be buried."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


@pytest.fixture
def children(monkeypatch):
    """The processes that are started."""
    started = []
    popen = subprocess.Popen

    def start(*args, **options):
        started.append(popen(*args, **options))
        return started[-1]

    monkeypatch.setattr(isolation.subprocess, "Popen", start)
    yield started
    assert all(has_ended(child.pid) for child in started)


def test_a_call_gives_what_the_function_returns(children):
    """Arguments arrive as they are, also names of files that are no text."""
    assert call(max, [1, 3, 2]) == 3
    assert call(os.fspath, "a b\n\U0001f3b5") == "a b\n\U0001f3b5"
    assert call(len, "\udcff\ud800") == 2
    assert len(children) == 3


@pytest.mark.parametrize(
    ("function", "allowance", "said"),
    [
        (harm.crash, Allowance(), r"crashed \(SIGABRT\)"),
        (harm.end, Allowance(), "ended with status 3"),
        (harm.fill, Allowance(memory_bytes=256 << 20), "took more than 256 MiB of memory"),
        (harm.hold, SHORT, "took longer than 1 seconds"),
        (harm.wait, SHORT, "took longer than 1 seconds"),
        (harm.fail, Allowance(), "failed with RuntimeError: it is broken"),
        (harm.chatter, Allowance(), "failed with TypeError"),
    ],
)
def test_what_ends_a_child_is_told(children, function, allowance, said):
    """A crash, no memory, no time, and results that are none."""
    with pytest.raises(Broken, match=said):
        call(function, allowance=allowance)


def test_the_system_ends_a_child_that_nobody_waits_for(children):
    """Its time is limited by the system too, in case the worker is gone."""
    with Call(harm.hold, allowance=SHORT) as started:
        started._end_s += LIMIT_S
        with pytest.raises(Broken, match="took longer"):
            started.answer()


def test_an_answer_has_a_limit(children, monkeypatch):
    """A child cannot fill the worker."""
    monkeypatch.setattr(isolation, "LARGEST_ANSWER_BYTES", 1000)
    with pytest.raises(Broken, match="no usable result"):
        call(bytes, 4 << 20)


@pytest.mark.parametrize("content", [b"\xc1", b"\x01", b"\x91\xa5error", b"\x95\xa5error\xa7nearest\xa0\xc0\xc0"])
def test_an_answer_that_is_none(children, content):
    """Whatever a child sends that was taken over by a file, it is an error."""
    with Call(len, "") as started:
        started._reader.join()
        started._content = content
        with pytest.raises(Broken, match="no usable result"):
            started.answer()


def test_errors_of_ours_are_the_same_as_without_a_child(children, tmp_path):
    """With their class, message and hint."""
    path = tmp_path / "a.th"
    path.write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(CheckpointInvalid) as here:
        find_content(str(path), [])
    with pytest.raises(CheckpointInvalid) as there:
        call(find_content, str(path), [])
    assert (there.value.message, there.value.hint) == (here.value.message, here.value.hint)


@pytest.mark.parametrize("function", [harm.wait, harm.hold])
def test_cancelling_ends_the_child(children, function):
    """At once, also where it holds its interpreter."""
    job = Job()
    with Call(function) as started:
        job.cancel()
        with working_on(job), pytest.raises(JobCancelled):
            started.answer()


def test_a_worker_that_must_go_takes_the_child_along(children):
    """It is one of the things that are undone."""
    with Call(harm.wait) as started:
        cleanup.run_all()
        with pytest.raises(Broken, match=r"crashed|ended"):
            started.answer()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="nothing waits for processes of others here")
def test_a_child_ends_with_a_killed_parent():
    """Its input ends then."""
    code = """
        import os, sys
        sys.path.insert(0, sys.argv[1])
        from tests.aids import harm
        from utils.core.isolation import Call
        print(Call(harm.wait)._process.pid, flush=True)
        os.read(0, 1)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(ROOT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        assert select.select([child], [], [], LIMIT_S)[0]
        os.close(child)


def test_a_child_has_no_file_of_its_parent(children):
    """Above all not the pipe of the protocol, whose end a client waits for."""
    with (ROOT / "README.md").open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        with pytest.raises(Broken, match="OSError"):
            call(os.fstat, file.fileno())


def test_a_child_writes_no_files(children, tmp_path):
    """Reading needs none."""
    path = tmp_path / "a"
    path.touch()
    with pytest.raises(Broken):
        call(harm.write_to, str(path))
    assert path.read_bytes() == b""


def test_no_child_is_an_error(monkeypatch):
    """Where the system allows no more processes, the file is not opened here instead."""

    def refuse(*_, **__):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(isolation.subprocess, "Popen", refuse)
    with pytest.raises(DsuError, match="temporarily unavailable") as caught:
        call(len, "")
    assert caught.value.hint


def test_a_frozen_program_calls_itself(children, monkeypatch, tmp_path):
    """It is started anew with an argument of our own, which every program understands before all others."""
    program = tmp_path / "dsu-demucs"
    script = ROOT / "workers" / "demucs_worker.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(isolation, "is_frozen", lambda: True)
    monkeypatch.setattr(sys, "executable", str(program))
    assert call(max, [1, 2]) == 2
    assert children[0].args == [str(program), bootstrap.ISOLATED]


def test_a_child_imports_little():
    """It should be there at once: neither torch nor numpy, also to read checkpoints."""
    code = (
        "import sys\nfrom utils.core import isolation\nimport utils.store.checkpoint_content\n"
        "assert not {'torch', 'numpy', 'msgspec'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_first_line_of_a_worker_does_not_wait_for_it():
    """Nothing of it is imported before it is needed."""
    code = "import sys, workers.launch; assert not {'utils.core.isolation', 'subprocess'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
