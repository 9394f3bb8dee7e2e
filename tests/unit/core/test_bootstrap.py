"""Streams, threads and frozen imports, mostly in processes of their own."""

import gc
import importlib
import inspect
import io
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest

from utils.core import bootstrap

ROOT = Path(__file__).resolve().parents[3]


def run(code, data=b"", **env):
    """Run Python code at the project's root and return what it wrote to stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, input=data, capture_output=True, env={**os.environ, **env}, check=True
    )
    return done.stdout, done.stderr


def test_stdout_is_for_the_protocol_alone():
    """Only what is written to the private descriptor gets out; the rest ends up on stderr, in any order."""
    code = (
        "import os, sys; print('before', flush=False)\n"
        "from utils.core.bootstrap import claim_streams\n"
        "streams = claim_streams(); print('print'); os.write(1, b'fd 1\\n'); sys.__stdout__.write('old\\n')\n"
        "os.system('echo child'); os.write(streams.output_fd, b'line\\n')"
    )
    out, err = run(code)
    assert out.split() == [b"before", b"line"]
    assert sorted(err.split(b"\n")) == [b"", b"child", b"fd 1", b"old", b"print"]


def test_stdin_is_for_the_protocol_alone():
    """Neither Python's stdin nor a child process can swallow a command."""
    code = (
        "import os, subprocess, sys\n"
        "from utils.core.bootstrap import claim_streams\n"
        "streams = claim_streams(); print(sys.stdin.read() == '', os.read(streams.input_fd, 99))"
    )
    assert run(code, b"command")[1].split() == [b"True", b"b'command'"]


def test_children_do_not_inherit_the_private_descriptors():
    """A child that lives on must not keep the client's pipe open."""
    code = (
        "import os\nfrom utils.core.bootstrap import claim_streams\n"
        "streams = claim_streams(); print([os.get_inheritable(fd) for fd in streams[:2]])"
    )
    assert run(code)[1].strip() == b"[False, False]"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's way to close descriptors")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_replaced(closed):
    """Files that are opened later never get the number of a standard stream."""
    code = (
        "import os; from utils.core.bootstrap import claim_streams; streams = claim_streams()\n"
        "raise SystemExit(os.open(os.devnull, os.O_RDONLY) < 3 or min(streams[:2]) < 3)"
    )
    command = f'exec "{sys.executable}" -c "$CODE" {closed}'
    assert subprocess.run(command, shell=True, cwd=ROOT, env={**os.environ, "CODE": code}, check=False).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a file that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("place", "status"),
    [
        (">/dev/full", 1),
        (">&-", 0),
        ("2>/dev/full", 0),
        ("2>&-", 0),
        ("<&- >&- 2>&-", 0),
        ("| true", 0),
        ("2>&1 >/dev/null | true", 0),
    ],
)
def test_work_outlasts_its_messages(tmp_path, place, status, unbuffered):
    """Whoever reads them may go, and the disk may be full; but that is told at the end where stdout was lost."""
    code = (
        "import sys; from utils.core import bootstrap; bootstrap.prepare_process()\n"
        "for _ in range(9999): print('out'); print('err', file=sys.stderr, flush=True)\n"
        "open(sys.argv[1], 'w').write('done'); sys.exit(bootstrap.end('program', 0))"
    )
    command = f'"{sys.executable}" -c "$CODE" "$FILE" {place}; exit ${{PIPESTATUS[0]}}'
    env = {**os.environ, "CODE": code, "FILE": str(tmp_path / "file"), "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (tmp_path / "file").read_text() == "done"
    assert done.returncode == status
    told = "program: Standard output cannot be written to: No space left on device.\n"
    assert done.stderr.endswith(told) is (status == 1)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_text_streams_become_utf8(encoding):
    """Whatever the locale says; what cannot be shown is escaped."""
    code = "import sys; from utils.core.bootstrap import *; use_utf8(sys.stdin, sys.stdout); print(input() + '\\udce9')"
    assert run(code, "♫\n".encode(), PYTHONIOENCODING=encoding, PYTHONUTF8="0")[0].strip() == "♫\\udce9".encode()


def test_streams_of_other_kinds_are_left_alone():
    """A program without a console has none, and tests replace them."""
    buffer = io.StringIO()
    bootstrap.use_utf8(None, buffer)
    assert buffer.write("x") == 1


@pytest.mark.parametrize(
    ("asked", "before", "after"), [(3, None, "3"), (3, "5", "3"), (None, "5", "5"), (None, "many", "many")]
)
def test_threads_are_what_was_asked_then_what_is_set(monkeypatch, asked, before, after):
    """The number that was asked for wins over variables, and those over the count of cores."""
    for name in (*bootstrap.THREAD_VARIABLES, "KMP_BLOCKTIME", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    if before:
        monkeypatch.setenv("OMP_NUM_THREADS", before)
    monkeypatch.setattr(bootstrap, "physical_cores", lambda: 7)
    count = bootstrap.limit_threads(asked)
    assert count == (int(after) if after.isdigit() else 7)
    assert os.environ["OMP_NUM_THREADS"] == after
    assert os.environ["MKL_NUM_THREADS"] == str(count)
    assert os.environ["KMP_BLOCKTIME"] == bootstrap.BLOCK_TIME_MS
    assert os.environ["GOMP_SPINCOUNT"] == bootstrap.SPIN_COUNT


def test_a_module_that_is_left_out_can_be_imported_later(monkeypatch):
    """In the meantime it is empty, unless it is there already."""
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with bootstrap.left_out("colorsys"):
        assert not hasattr(importlib.import_module("colorsys"), "rgb_to_hsv")
    assert hasattr(importlib.import_module("colorsys"), "rgb_to_hsv")
    with bootstrap.left_out("colorsys"):
        assert hasattr(importlib.import_module("colorsys"), "rgb_to_hsv")
    assert "colorsys" in sys.modules


@pytest.mark.parametrize("is_on", [True, False])
def test_garbage_is_not_looked_for_while_modules_are_imported(is_on):
    """Afterwards it is, if it was before."""
    (gc.enable if is_on else gc.disable)()
    try:
        with bootstrap.no_collection():
            assert not gc.isenabled()
        assert gc.isenabled() is is_on
    finally:
        gc.enable()


def test_there_is_at_least_one_core():
    """And never more than the logical ones."""
    assert 1 <= bootstrap.physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_cores_that_a_process_may_not_use_do_not_count():
    """A process that is bound to one core has one."""
    code = (
        "import os; from utils.core.bootstrap import physical_cores\n"
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); print(physical_cores())"
    )
    assert run(code)[0].strip() == b"1"


@pytest.mark.parametrize(
    ("text", "cores"), [("max 100000", None), ("250000 100000", 2), ("50000 100000", 1), ("", None), ("1 0", None)]
)
def test_the_limit_of_a_container_is_read(text, cores):
    """In whole cores, at least one; `max` is no limit."""
    assert bootstrap.cgroup_limit(text) == cores


def test_records_of_any_length_are_counted():
    """As Windows lists cores: kind, size, and the rest; what is cut off does not count."""
    records = b"".join(b"\0\0\0\0" + size.to_bytes(4, "little") + b"x" * (size - 8) for size in (48, 80, 48))
    assert bootstrap.count_records(records) == 3
    assert bootstrap.count_records(b"") == bootstrap.count_records(b"\0" * 16) == 0


@pytest.fixture
def quiet_frozen(monkeypatch):
    """The patches of a frozen build, undone afterwards."""
    for name in ("getmodule", "findsource"):
        monkeypatch.setattr(inspect, name, getattr(inspect, name))
    with warnings.catch_warnings():
        bootstrap.quieten_frozen_imports()
        yield


@pytest.mark.usefixtures("quiet_frozen")
@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_programs_write_nothing_beside_themselves(monkeypatch, frozen):
    """Their folder may belong to somebody else; scripts keep what they have compiled, as usual."""
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    bootstrap.prepare_process()
    assert sys.dont_write_bytecode is frozen


@pytest.mark.usefixtures("quiet_frozen")
def test_frozen_frames_find_their_module_by_name():
    """And everything else as before."""
    assert inspect.getmodule(inspect.currentframe()) is sys.modules[__name__]
    assert inspect.getmodule(Path) is sys.modules[Path.__module__]


@pytest.mark.usefixtures("quiet_frozen")
def test_frozen_functions_without_a_source_are_given_up_at_once():
    """The error is the one that `inspect` raises; sources that exist are found."""
    scope: dict[str, types.FunctionType] = {}
    exec(compile("def gone(): pass", "/frozen/gone.py", "exec"), scope)
    with pytest.raises(OSError, match="could not get source code"):
        inspect.findsource(scope["gone"])
    assert "def run(" in inspect.getsource(run)


@pytest.mark.usefixtures("quiet_frozen")
def test_the_warning_about_sources_is_not_shown():
    """Others are."""
    warnings.warn("Unable to retrieve source for @torch.jit._overload function", stacklevel=1)
    with pytest.warns(UserWarning, match="other"):
        warnings.warn("other", stacklevel=1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot tell how full a pipe is")
def test_messages_that_nobody_reads_are_dropped_and_counted():
    """A full pipe holds nobody up; once there is room again, the reader learns how much is missing."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb", buffering=0) as reader, os.fdopen(write_end, "wb", buffering=0) as raw:
        outlasting = bootstrap.Outlasting(raw)
        outlasting.waits = False
        stream = io.TextIOWrapper(outlasting, write_through=True)
        for _ in range(200):
            stream.write("x" * 4096)
        kept = len(reader.read(1 << 20))
        stream.write("more\n")
        note = b"(%d bytes of messages were dropped: nobody read them.)\nmore\n" % (200 * 4096 - kept)
        assert reader.read(1 << 20) == note
