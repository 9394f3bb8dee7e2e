"""What `run.py` installs, when, and what it says when that fails. No environment is made here: commands are faked."""

import itertools
import json
import sys
from pathlib import Path

import pytest

import run


class FakeCommands:
    """Stands in for `run_quietly`: notes the commands; `venv` makes the files a real one makes."""

    def __init__(self, root):
        self.root = root
        self.commands = []
        self.pip_fails_with = None
        self.interrupted = False

    def __call__(self, argv, tick=None):
        words = [str(word) for word in argv]
        self.commands.append(words)
        if "venv" in words:
            make_venv(self.root / ".venv")
        elif self.interrupted:
            raise KeyboardInterrupt
        elif self.pip_fails_with is not None:
            return run.Finished(1, self.pip_fails_with)
        return run.Finished(0, "")

    @property
    def kinds(self):
        """What was done; neighbouring pip calls, with and without dependencies, are one installation."""
        kinds = ["venv" if "venv" in words else "pip" for words in self.commands]
        return [kind for kind, _ in itertools.groupby(kinds)]

    def installed(self):
        """The requirements files of each pip call."""
        return [[w for w in words if w.startswith("requirements")] for words in self.commands if "venv" not in words]


def make_venv(folder, version=f"{sys.version_info[0]}.{sys.version_info[1]}.1"):
    python = run.venv_python()
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch()
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")


@pytest.fixture
def commands(monkeypatch, tmp_path):
    for flavor in run.FLAVORS:
        (tmp_path / f"requirements-{flavor}.txt").write_text("numpy==1\n")
    (tmp_path / run.DEV_REQUIREMENTS).write_text("pytest==1\n")
    (tmp_path / run.ALONE_REQUIREMENTS).write_text("alone==1\n")
    (tmp_path / run.PEER_REQUIREMENTS).write_text("peer==1\n")
    (tmp_path / run.BUILD_REQUIREMENTS).write_text("freezer==1\n")
    venv = tmp_path / ".venv"
    paths = {"ROOT": tmp_path, "VENV": venv, "STAMP": venv / run.STAMP.name, "UNFINISHED": venv / run.UNFINISHED.name}
    for name, value in paths.items():
        monkeypatch.setattr(run, name, value)
    monkeypatch.setattr(run, "detect_flavor", lambda: "cpu")
    fake = FakeCommands(tmp_path)
    monkeypatch.setattr(run, "run_quietly", fake)
    return fake


def test_first_set_up_makes_an_environment_and_installs(commands):
    """From nothing: venv, then one pip call with the requirements of this machine."""
    assert run.set_up() == run.venv_python()
    assert commands.kinds == ["venv", "pip"]
    assert commands.installed() == [["requirements-cpu.txt"], ["requirements-alone.txt"]]


def test_second_set_up_does_nothing(commands):
    """Once installed, nothing is run again."""
    run.set_up()
    count = len(commands.commands)
    run.set_up()
    assert len(commands.commands) == count


def test_tests_add_their_requirements_to_what_is_there(commands):
    """Going from the demonstration to the tests installs what is missing only, and going back nothing."""
    run.set_up()
    run.set_up(dev=True)
    run.set_up()
    files = [["cpu"], ["alone"], ["dev", "build"], ["peers"]]
    assert commands.installed() == [[f"requirements-{name}.txt" for name in names] for names in files]


def test_builds_need_what_freezes_and_nothing_that_tests(commands):
    """One file more than for running."""
    run.set_up(build=True)
    assert commands.installed() == [["requirements-cpu.txt", "requirements-build.txt"], ["requirements-alone.txt"]]


def test_some_packages_come_without_what_they_depend_on(commands):
    """Those of which a few files are used, and no others."""
    run.set_up(dev=True)
    assert commands.installed() == [
        ["requirements-cpu.txt", "requirements-dev.txt", "requirements-build.txt"],
        ["requirements-alone.txt", "requirements-peers.txt"],
    ]
    assert ["--no-deps" in words for words in commands.commands if "venv" not in words] == [False, True]


def test_changed_requirements_are_installed_again(commands):
    """Another content of a requirements file is installed over what is there."""
    run.set_up(dev=True)
    (run.ROOT / "requirements-cpu.txt").write_text("numpy==2\n")
    run.set_up(dev=True)
    assert len(commands.commands) == 4
    assert commands.installed()[-1] == ["requirements-cpu.txt"]


def test_asked_flavor_is_remembered(commands):
    """Who once asked for a flavor need not ask again."""
    run.set_up("cuda")
    run.set_up()
    assert commands.installed() == [["requirements-cuda.txt"], ["requirements-alone.txt"]]


def test_another_flavor_starts_from_nothing(commands):
    """Builds of torch differ in more than their version, so the environment is made anew."""
    run.set_up("cuda")
    run.set_up("cpu")
    assert commands.kinds == ["venv", "pip", "venv", "pip"]


def test_interrupted_installation_starts_over(commands):
    """After Ctrl-C during pip nothing half-installed is used."""
    commands.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        run.set_up()
    commands.interrupted = False
    run.set_up()
    assert commands.kinds == ["venv", "pip", "venv", "pip"]
    assert not run.UNFINISHED.exists()


def test_failed_installation_starts_over(commands):
    """So it is after pip has failed."""
    commands.pip_fails_with = "No space left on device"
    with pytest.raises(run.Failure, match="disk is full"):
        run.set_up()
    commands.pip_fails_with = None
    run.set_up()
    assert commands.kinds == ["venv", "pip", "venv", "pip"]


def test_environment_of_another_python_is_made_anew(commands):
    """Packages are built for one version of Python."""
    run.set_up()
    make_venv(run.VENV, version="3.9.2")
    run.set_up()
    assert commands.kinds == ["venv", "pip", "venv", "pip"]


def test_environment_without_its_python_is_made_anew(commands):
    """The Python that an environment points to can be uninstalled."""
    run.set_up()
    run.venv_python().unlink()
    run.set_up()
    assert commands.kinds == ["venv", "pip", "venv", "pip"]


def test_environment_that_somebody_else_made_is_kept(commands):
    """A whole `.venv` without our stamp, as editors make it, is installed into."""
    make_venv(run.VENV)
    run.set_up()
    assert commands.kinds == ["pip"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"flavor": "cpu"}', '{"flavor": "cpu", "files": 3}', '{"flavor": "x", "files": {}}']
)
def test_unreadable_stamp_means_not_installed(commands, content):
    """A damaged stamp costs an installation, not an error."""
    make_venv(run.VENV)
    run.STAMP.write_text(content)
    run.set_up()
    assert commands.kinds == ["pip"]
    assert json.loads(run.STAMP.read_text())["files"].keys() == {"requirements-cpu.txt", "requirements-alone.txt"}


def test_environment_that_cannot_be_removed_is_explained(commands, monkeypatch):
    """A worker that still runs keeps files open on Windows; the message says what to do."""
    run.set_up()

    def refuse(folder):
        raise PermissionError(13, "Access is denied", str(folder))

    monkeypatch.setattr(run.shutil, "rmtree", refuse)
    with pytest.raises(run.Failure, match="Stop workers"):
        run.set_up("cuda")


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("The virtual environment was not created successfully because ensurepip is not available.", "python3-venv"),
        ("/usr/bin/python3: No module named venv", "python3-venv"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] ...", "PIP_CERT"),
        ("NewConnectionError: Failed to establish a new connection: [Errno -3]", "network"),
        (
            "[Errno -3] Temporary failure in name resolution\nERROR: No matching distribution found for torch==2.13.0",
            "network",
        ),
        ("bitpack.c:12:10: fatal error: Python.h: No such file or directory", "python3-dev"),
        ("error: Microsoft Visual C++ 14.0 or greater is required.", "C compiler"),
        ("error: command 'gcc' failed: No such file or directory", "C compiler"),
        ("error: command '/usr/bin/x86_64-linux-gnu-gcc-12' failed with exit code 1", "C compiler"),
        ("ERROR: No matching distribution found for torch==2.13.0", "torch==2.13.0"),
        ("ERROR: Could not install packages: [Errno 13] Permission denied: '/x'", "`.venv`"),
        ("something new", ""),
    ],
)
def test_what_went_wrong_is_said_in_a_sentence(output, advice):
    """What pip and venv print becomes what to do about it; what is not known is not guessed."""
    said = run.diagnose(output)
    assert advice in said
    assert bool(advice) == bool(said)


def test_failure_shows_the_last_lines_and_the_advice(commands):
    """The end of pip's output is shown, not all of it."""
    commands.pip_fails_with = "\n".join([*(f"line {n}" for n in range(50)), "ERROR: Could not find it"])
    with pytest.raises(run.Failure) as caught:
        run.set_up()
    assert "ERROR: Could not find it" in str(caught.value)
    assert "line 3\n" not in str(caught.value)


def test_old_python_is_refused_with_a_newer_one_named(monkeypatch):
    """A Python that is too old is one sentence, and says which one here would do."""
    monkeypatch.setattr(run.shutil, "which", lambda name: "/usr/bin/x" if name == "python3.12" else None)
    with pytest.raises(run.Failure, match=r"3\.9 is too old.*`python3\.12 run\.py`"):
        run.check_python((3, 9))
    run.check_python((3, 11))


@pytest.mark.parametrize(
    ("system", "machine", "driver", "flavor"),
    [
        ("darwin", "arm64", False, "mac-mps"),
        ("darwin", "x86_64", False, "cpu"),
        ("linux", "x86_64", True, "cuda"),
        ("linux", "x86_64", False, "cpu"),
        ("win32", "AMD64", True, "cuda"),
    ],
)
def test_flavor_suits_the_machine(monkeypatch, system, machine, driver, flavor):
    """Apple silicon gets MPS, a working NVIDIA driver CUDA, everything else the processor."""
    monkeypatch.setattr(run.sys, "platform", system)
    monkeypatch.setattr(run.platform, "machine", lambda: machine)
    monkeypatch.setattr(run, "nvidia_driver_works", lambda: driver)
    assert run.detect_flavor() == flavor


@pytest.mark.parametrize("error", [OSError("exec format"), run.subprocess.TimeoutExpired("nvidia-smi", 20)])
def test_broken_driver_tool_means_no_cuda(monkeypatch, error):
    """A tool that hangs or cannot be run does not stop the set-up."""

    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(run.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(run.subprocess, "run", broken)
    assert not run.nvidia_driver_works()


def test_run_quietly_keeps_the_output_and_counts_on():
    """Output of both streams is kept back and the status returned."""
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    finished = run.run_quietly([sys.executable, "-c", code])
    assert finished.status == 3
    assert sorted(finished.output.split()) == ["err", "out"]


def test_step_is_one_quiet_line(capsys):
    """A step is its title and its seconds on stderr; stdout stays clean."""
    with run.step("Doing it"):
        pass
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Doing it ...")
    assert err.count("\n") == 1


def test_step_that_fails_says_so(capsys):
    """The line of a failed step ends with the word."""
    with pytest.raises(run.Failure), run.step("Doing it"):
        raise run.Failure
    assert capsys.readouterr().err == "Doing it ... failed\n"


def test_importing_the_script_has_no_effect(tmp_path):
    """`import run` makes no environment."""
    source = Path(run.__file__).read_text(encoding="utf-8")
    copy = tmp_path / "run.py"
    copy.write_text(source, encoding="utf-8")
    run.subprocess.run([sys.executable, "-c", "import run"], cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["run.py"]
