"""What `run.py` installs, when, and what it says if that fails. Commands are faked; no environment is created here."""

import itertools
import json
import sys
from pathlib import Path

import pytest

import run

AFTER_THEM = [
    run.STUDIO_LOCK,
    run.DOCS_LOCK,
    run.BATCH_LOCK,
    run.BUILD_LOCK,
    run.DEV_LOCK,
]  # what tests need beside what runs


class FakeCommands:
    """Replaces `run_quietly`: records the commands; `venv` creates the files that matter."""

    def __init__(self, root):
        self.root = root
        self.commands = []
        self.pip_fails_with = None
        self.pip_settings = ""
        self.interrupted = False

    def __call__(self, argv, tick=None):
        words = [str(word) for word in argv]
        if words[-2:] == ["config", "list"]:
            return run.Finished(0, self.pip_settings)
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
        """What was done; consecutive calls of pip count as one installation."""
        kinds = ["venv" if "venv" in words else "pip" for words in self.commands]
        return [kind for kind, _ in itertools.groupby(kinds)]

    def installed(self):
        """The lock files and packages of each call of pip."""
        calls = [words for words in self.commands if "venv" not in words]
        return [[word for word in words if word.startswith("locks/") or "==" in word] for words in calls]


def make_venv(folder, version=f"{sys.version_info[0]}.{sys.version_info[1]}.1"):
    python = run.venv_python()
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch()
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")


@pytest.fixture
def commands(monkeypatch, tmp_path):
    for flavor in run.FLAVORS:
        (tmp_path / f"requirements-{flavor}.txt").write_text("# torch==0\nnumpy==1\ntorch==2\n")
    (tmp_path / "locks").mkdir()
    for lock in (run.RUNTIME_LOCK, run.ONNX_LOCK, run.ONNX_GPU_LOCK, *AFTER_THEM, run.MAC_TORCH_LOCK):
        (tmp_path / lock).write_text("package==1 --hash=sha256:0\n")
    venv = tmp_path / ".venv"
    paths = {"ROOT": tmp_path, "VENV": venv, "STAMP": venv / run.STAMP.name, "UNFINISHED": venv / run.UNFINISHED.name}
    for name, value in paths.items():
        monkeypatch.setattr(run, name, value)
    monkeypatch.setattr(run, "detect_flavor", lambda: "cpu")
    monkeypatch.setattr(run, "check_flavor", lambda flavor: None)
    fake = FakeCommands(tmp_path)
    monkeypatch.setattr(run, "run_quietly", fake)
    return fake


def test_first_set_up_makes_an_environment_and_installs(commands):
    """From nothing: venv, then what is locked, then the torch of this flavor."""
    assert run.set_up() == run.venv_python()
    assert commands.kinds == ["venv", "pip"]
    assert commands.installed() == [[run.RUNTIME_LOCK, run.ONNX_LOCK], ["torch==2"]]


def test_second_set_up_does_nothing(commands):
    """Once installed, nothing is run again."""
    run.set_up()
    count = len(commands.commands)
    run.set_up()
    assert len(commands.commands) == count


def test_tests_add_their_packages_to_what_is_there(commands):
    """Going from the demo to the tests installs only what is missing, and going back installs nothing."""
    run.set_up()
    run.set_up(dev=True)
    run.set_up()
    first, torch, second = commands.installed()
    assert (first, torch, second) == ([run.RUNTIME_LOCK, run.ONNX_LOCK], ["torch==2"], AFTER_THEM)


def test_builds_need_what_freezes_and_nothing_that_tests(commands):
    """One lock more than for running."""
    run.set_up(build=True)
    assert commands.installed() == [[run.RUNTIME_LOCK, run.ONNX_LOCK, run.STUDIO_LOCK, run.BUILD_LOCK], ["torch==2"]]


@pytest.mark.parametrize("flavor", run.FLAVORS)
def test_nothing_but_torch_is_installed_without_its_hash(commands, flavor):
    """pip checks every file and adds no package of its own; the torch of Macs is locked as well."""
    run.set_up(flavor, dev=True)
    calls = [words for words in commands.commands if "venv" not in words]
    unchecked = [words for words in calls if "--require-hashes" not in words]
    assert all("--no-deps" in words for words in calls if words not in unchecked)
    assert [words[-1] for words in unchecked] == ([] if flavor == "mac-mps" else ["torch==2"])
    locks = {word for words in calls for word in words if word.startswith("locks/")}
    onnx = run.ONNX_GPU_LOCK if flavor == "cuda" else run.ONNX_LOCK
    assert locks == {run.RUNTIME_LOCK, onnx, *AFTER_THEM} | ({run.MAC_TORCH_LOCK} if not unchecked else set())


@pytest.mark.parametrize(
    ("flavor", "index"),
    [
        ("cpu", "/whl/cpu"),
        ("cuda", "/whl/cu130"),
        ("cuda-legacy", "/whl/cu126"),
        ("rocm", "/whl/rocm7.2"),
        ("xpu", "/whl/xpu"),
    ],
)
def test_torch_comes_from_the_index_that_has_its_flavor(commands, flavor, index):
    """PyPI's torch for Linux brings CUDA along; nothing else is taken from PyTorch's index."""
    commands.pip_settings = "global.cert='/etc/ssl/ca.crt'\n:env:.default-timeout='60'\n"
    run.set_up(flavor)
    *others, torch = [words for words in commands.commands if "venv" not in words]
    assert torch[-3] == "--index-url"
    assert torch[-2].endswith(index)
    assert not any("--index-url" in words for words in others)


@pytest.mark.parametrize(
    "setting",
    ["global.index-url='x'", "install.find-links='/wheels'", ":env:.extra-index-url='x'", ":env:.no-index='1'"],
)
def test_places_of_the_user_go_before_that(commands, capsys, setting):
    """Whoever has set where pip installs from gets torch from there, and is told so."""
    commands.pip_settings = f"global.cert='c'\n{setting}\n"
    run.set_up("cpu")
    assert not any("--index-url" in words for words in commands.commands)
    assert "torch comes from there, too" in capsys.readouterr().err


def test_the_size_and_time_of_an_installation_are_announced(commands, capsys):
    """How much will be downloaded and about how long that takes, counting only what is missing."""
    run.set_up("cuda")
    run.set_up("cuda", dev=True)
    first, second = [line for line in capsys.readouterr().err.splitlines() if "Setting up" in line]
    assert "(cuda): up to 3052 MB to download" in first
    assert "about 9 min" in first
    assert "(cuda): up to 258 MB to download" in second


def test_a_size_that_nobody_knows_is_said_to_be_unknown(commands, capsys):
    """Instead of a guess."""
    run.set_up("rocm")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "Setting up" in line]
    assert line.endswith("about 1 min at 50 Mbit/s, and more for a torch of unknown size.")


@pytest.mark.parametrize(
    ("file", "installed"), [("requirements-cpu.txt", ["torch==2"]), ("locks/dev.txt", ["locks/dev.txt"])]
)
def test_a_changed_file_is_installed_again(commands, file, installed):
    """New content of a lock or of the file that pins torch is installed over what is there."""
    run.set_up(dev=True)
    count = len(commands.commands)
    with (run.ROOT / file).open("a") as stream:
        stream.write("\n# changed\n")
    run.set_up(dev=True)
    run.set_up(dev=True)
    assert len(commands.commands) == count + 1
    assert commands.installed()[-1] == installed


def test_chosen_flavor_is_remembered(commands):
    """A flavor has to be chosen only once."""
    run.set_up("mac-mps")
    run.set_up()
    assert commands.installed() == [[run.MAC_TORCH_LOCK, run.RUNTIME_LOCK, run.ONNX_LOCK]]


def test_another_flavor_starts_from_nothing(commands):
    """Builds of torch differ in more than their version, so the environment is created again."""
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
    """After pip has failed nothing half-installed is used either."""
    commands.pip_fails_with = "No space left on device"
    with pytest.raises(run.Failure, match="disk is full"):
        run.set_up()
    commands.pip_fails_with = None
    run.set_up()
    assert commands.kinds == ["venv", "pip", "venv", "pip"]


def test_environment_of_another_python_is_created_again(commands):
    """Packages are built for one version of Python."""
    run.set_up()
    make_venv(run.VENV, version="3.9.2")
    run.set_up()
    assert commands.kinds == ["venv", "pip", "venv", "pip"]


def test_environment_without_its_python_is_created_again(commands):
    """The Python that an environment was made with may have been uninstalled."""
    run.set_up()
    run.venv_python().unlink()
    run.set_up()
    assert commands.kinds == ["venv", "pip", "venv", "pip"]


def test_environment_that_somebody_else_made_is_kept(commands):
    """A complete `.venv` without our stamp, such as one made by an editor, is reused."""
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
    assert json.loads(run.STAMP.read_text())["files"].keys() == {
        "requirements-cpu.txt",
        run.RUNTIME_LOCK,
        run.ONNX_LOCK,
    }


def test_environment_that_cannot_be_removed_is_explained(commands, monkeypatch):
    """On Windows a running worker keeps files open; the message says what to do."""
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
        (
            "WARNING: Connection timed out\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM ...\n    einops==0.8.2 from x",
            "einops==0.8.2 does not match the hashes in `locks/`",
        ),
        ("error: Microsoft Visual C++ 14.0 or greater is required.", "C compiler"),
        ("error: command 'gcc' failed: No such file or directory", "C compiler"),
        ("error: command '/usr/bin/x86_64-linux-gnu-gcc-12' failed with exit code 1", "C compiler"),
        ("ERROR: No matching distribution found for torch==2.13.0", "torch==2.13.0"),
        ("ERROR: Could not install packages: [Errno 13] Permission denied: '/x'", "`.venv`"),
        ("something new", ""),
    ],
)
def test_failures_come_with_advice(output, advice):
    """What pip and venv print is turned into what to do about it; there is no guess for unknown output."""
    shown = run.diagnose(output)
    assert advice in shown
    assert bool(advice) == bool(shown)


def test_failure_shows_the_last_lines_and_the_advice(commands):
    """The end of pip's output is shown, not all of it."""
    commands.pip_fails_with = "\n".join([*(f"line {n}" for n in range(50)), "ERROR: Could not find it"])
    with pytest.raises(run.Failure) as caught:
        run.set_up()
    assert "ERROR: Could not find it" in str(caught.value)
    assert "line 3\n" not in str(caught.value)


def test_old_python_is_refused_with_a_newer_one_named(monkeypatch):
    """The message for a Python that is too old names a newer one that is installed."""
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
    """Apple silicon gets MPS, a machine with a working NVIDIA driver CUDA, all others the CPU."""
    monkeypatch.setattr(run.sys, "platform", system)
    monkeypatch.setattr(run.platform, "machine", lambda: machine)
    monkeypatch.setattr(run, "nvidia_driver_works", lambda: driver)
    assert run.detect_flavor() == flavor


@pytest.mark.parametrize(
    ("flavor", "system", "others"),
    [
        ("rocm", "win32", "`--flavor cuda`"),
        ("mac-mps", "linux", "`--flavor rocm`"),
        ("cuda", "darwin", "`--flavor mac-mps`"),
    ],
)
def test_a_flavor_that_no_torch_exists_for_is_refused(flavor, system, others):
    """Before anything is downloaded; the message names those that there are."""
    with pytest.raises(run.Failure, match=f"no `{flavor}` for this system.*{others}"):
        run.check_flavor(flavor, system)
    run.check_flavor("cpu", system)


@pytest.mark.parametrize("error", [OSError("exec format"), run.subprocess.TimeoutExpired("nvidia-smi", 20)])
def test_broken_driver_tool_means_no_cuda(monkeypatch, error):
    """An nvidia-smi that hangs or cannot be run does not stop the set-up."""

    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(run.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(run.subprocess, "run", broken)
    assert not run.nvidia_driver_works()


def test_run_quietly_captures_the_output():
    """Both output streams are captured, and the status is returned."""
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    finished = run.run_quietly([sys.executable, "-c", code])
    assert finished.status == 3
    assert sorted(finished.output.split()) == ["err", "out"]


def test_step_is_one_line_on_stderr(capsys):
    """A step prints its title and its duration; stdout stays clean."""
    with run.step("Doing it"):
        pass
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Doing it ...")
    assert err.count("\n") == 1


def test_step_that_fails_says_so(capsys):
    """The line of a failed step ends with the word "failed"."""
    with pytest.raises(run.Failure), run.step("Doing it"):
        raise run.Failure
    assert capsys.readouterr().err == "Doing it ... failed\n"


def test_importing_the_script_has_no_effect(tmp_path):
    """`import run` creates no environment."""
    source = Path(run.__file__).read_text(encoding="utf-8")
    copy = tmp_path / "run.py"
    copy.write_text(source, encoding="utf-8")
    run.subprocess.run([sys.executable, "-c", "import run"], cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["run.py"]
