"""Ending with the process that started this one."""

import inspect
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from utils.core import parent

ROOT = Path(__file__).resolve().parents[3]

# Says when it has begun and when it was told to end.
CHILD = """
    import os, signal
    from utils.core.parent import VARIABLE, end_with_parent
    def end(*_):
        print("told to end", flush=True)
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    end_with_parent()
    print("ready", VARIABLE in os.environ, flush=True)
    while True:
        signal.pause()
"""
PARENT = """
    import os, subprocess, sys
    named = {"DSU_PARENT": str(os.getpid())} if NAMED else {}
    subprocess.run([*BETWEEN, sys.executable, "-c", CHILD], env={**os.environ, **named})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for it")
@pytest.mark.parametrize("between", [[], ["sh", "-c", '"$@"; true', "sh"]], ids=["direct", "by a script"])
def test_a_killed_parent_is_noticed(between):
    """Also where a script has started the program. What the program starts itself is not told of it."""
    code = inspect.cleandoc(PARENT).replace("CHILD", repr(inspect.cleandoc(CHILD)))
    code = code.replace("NAMED", "True").replace("BETWEEN", repr(between))
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready False\n"
        process.kill()
        process.wait()
        assert process.stdout.read() == "told to end\n"


@pytest.mark.parametrize("named", [None, "", "me", "-1"])
def test_nobody_is_watched_unless_that_is_asked_for(monkeypatch, named):
    """A program in the background outlives its shell."""
    monkeypatch.setattr(threading, "Thread", lambda **_: pytest.fail("a thread was started"))
    monkeypatch.delenv(parent.VARIABLE, raising=False)
    if named is not None:
        monkeypatch.setenv(parent.VARIABLE, named)
    parent.end_with_parent()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux numbers processes anew in containers")
@pytest.mark.parametrize(
    ("place", "whose", "is_watched"),
    [
        (parent.OUTERMOST, "nobody", True),
        ("pid:[4026532000]", "parent", True),
        ("pid:[4026532000]", "grandparent", True),
        ("pid:[4026532000]", "nobody", False),
        ("pid:[4026532000]", "this process", False),  # a number that somebody else has here
    ],
)
def test_a_parent_outside_of_the_container_is_not_looked_for(monkeypatch, place, whose, is_watched):
    """Its number means another process in there, or none, and a program must not end because of that."""
    pids = {
        "nobody": 1 << 22,
        "parent": os.getppid(),
        "grandparent": psutil.Process(os.getppid()).ppid() or os.getppid(),
        "this process": os.getpid(),
    }
    pid = pids[whose]
    links, watched = {"/proc/self/ns/pid": place, "/proc/self": str(os.getpid())}, []
    monkeypatch.setattr(parent.os, "readlink", lambda path: links[str(path)])
    monkeypatch.setattr(threading.Thread, "start", lambda thread: watched.append(thread.name))
    monkeypatch.setenv(parent.VARIABLE, str(pid))
    parent.end_with_parent()
    assert watched == ["dsu-parent"] * is_watched


def test_a_parent_that_had_ended_before_is_noticed(monkeypatch):
    """However quickly that was; and a living one is watched no longer than that is asked for."""
    over = threading.Event()
    over.set()
    assert not parent.wait_for_end(os.getppid(), over)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert parent.wait_for_end(gone.pid, threading.Event())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal for it")
def test_a_program_that_does_not_end_is_told_twice(monkeypatch):
    """As Ctrl-C pressed again does not wait for what is being done."""
    told = []
    monkeypatch.setattr(parent, "wait_for_end", lambda pid, over: True)
    monkeypatch.setattr(parent, "PATIENCE_S", 0)
    before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    try:
        parent._interrupt_after(1)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [signal.SIGTERM] * 2
