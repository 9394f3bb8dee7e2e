"""The lock files: complete, with hashes, and how they are made. pip and the index are faked."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

import run
from tools import lock
from tools.freeze import distributions

DIGEST = "0" * 64
FILES = {
    **dict.fromkeys(
        (f"requirements-{flavor}.txt" for flavor in run.FLAVORS),
        "-r requirements-common.txt\ntorch==2.0\nonnxruntime==1.0\n",
    ),
    "requirements-cuda.txt": "# CUDA\n-r requirements-common.txt\ntorch==2.0\nOnnxruntime_gpu==1.0\n",
    "requirements-common.txt": "app==1.0\n",
    "requirements-alone.txt": "alone==1.0\n",
    "requirements-studio.txt": "web==1.0\n",
    "requirements-docs.txt": "pages==1.0\n",
    "requirements-batch.txt": "many==1.0\n",
    "requirements-build.txt": "freezer==1.0\n",
    "requirements-dev.txt": "tester==1.0\n",
    "requirements-dev-alone.txt": "peer==1.0\n",
    "requirements-peers.txt": "guest==1.0\n",
    "requirements-fuzzer.txt": "guest==1.0\n",
}


def package(*requires, version="1.0"):
    return lock.Package(version, tuple(map(Requirement, requires)))


def packages():
    """What the project of the tests needs, resolved."""
    return {
        "torch": package("filelock", 'nvidia-cudnn; platform_system == "Linux"', version="2.0+cpu"),
        "app": package("base>=1", "torch"),
        "onnxruntime": package("base"),
        "base": package('windows-only; sys_platform == "win32"', 'other; extra == "more"'),
        "windows-only": package(),
        "filelock": package(),
        "web": package("base"),
        "pages": package("base"),
        "many": package("base"),
        "freezer": package('backport; python_version < "3.14"', "base"),
        "backport": package(),
        "tester": package("base", "alone"),
        "alone": package(),
    }


@pytest.fixture
def project(monkeypatch, tmp_path):
    """A small project: the requirements files and lock files in a folder, and what is installed in a dictionary."""
    monkeypatch.setattr(run, "ROOT", tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    entries = {
        run.RUNTIME_LOCK: ["app", "base", "filelock", "alone", 'windows-only; sys_platform == "nowhere"'],
        run.STUDIO_LOCK: ["web"],
        run.DOCS_LOCK: ["pages"],
        run.BATCH_LOCK: ["many"],
        run.BUILD_LOCK: ["freezer", "backport"],
        run.DEV_LOCK: ["tester", "peer"],
    }
    entries |= {file: ["guest"] for file in lock.BESIDE}
    for file, lines in entries.items():
        lock.write_lock(file, ["a.txt"], [entry(line) for line in lines])
    for file, each in lock.BY_FLAVOR.items():
        lock.write_lock(file, ["a.txt"], [entry(each.name, "2.0" if each.name == "torch" else "1.0")])
    installed = {
        name: SimpleNamespace(version=each.version, requires=[str(line) for line in each.requires])
        for name, each in (packages() | {"peer": package("huge")}).items()
    }
    del installed["windows-only"]
    monkeypatch.setattr(distributions, "installed", lambda: installed)
    environment = lock.Target("linux", "3.11").environment()
    monkeypatch.setattr(lock, "this_environment", lambda: environment)
    return installed


def entry(line, version="1.0", hashes=(DIGEST,)):
    name, _, marker = line.partition("; ")
    return lock.Entry(name, version, marker, hashes)


def replace(file, old, new):
    path = run.ROOT / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# This project -----------------------------------------------------------------------------------------------------


def test_every_installed_runtime_package_is_locked():
    """Nothing that the workers or the developers need is installed without being pinned with hashes."""
    assert lock.check() == []


def test_run_installs_every_lock_file():
    """The files that are checked are those that `run.py` installs for a developer, on a Mac too."""
    installed = {name for flavor in run.FLAVORS for name in run.fingerprints(flavor, dev=True)}
    locks = {each.file for each in lock.LOCKS} | lock.BY_FLAVOR.keys()
    assert {name for name in installed if name.startswith("locks/")} == locks
    assert {f"locks/{path.name}" for path in (run.ROOT / "locks").iterdir()} == locks | lock.BESIDE.keys()


def test_every_requirements_file_is_locked():
    """A file that was forgotten would install nothing."""
    sources = {name for each in lock.LOCKS for name in (*each.sources, *each.alone)}
    flavors = {*lock.flavor_files(), "requirements-common.txt"}
    assert sources | flavors | set(lock.BESIDE.values()) == {path.name for path in run.ROOT.glob("requirements-*.txt")}


def test_no_flavor_has_two_builds_of_onnxruntime():
    """They overwrite each other's files: what is for graphics cards comes in place of the other."""
    for flavor in run.FLAVORS:
        names = {name for file in run.fingerprints(flavor, dev=True, build=True) for name in read(file)}
        assert len([name for name in names if name.startswith("onnxruntime")]) == 1, flavor


def read(file):
    """The packages that a lock file or a requirements file installs."""
    return lock.read_lock(file) if file.startswith("locks/") else {}


def test_only_torch_has_no_hash_outside_macs():
    """Its builds come from an index of the user's choice; every file of the other packages is known."""
    files = [lock.read_lock(each.file) for each in lock.LOCKS]
    assert not [entries for entries in files if "torch" in entries]
    assert lock.read_lock(run.MAC_TORCH_LOCK).keys() == {"torch"}
    assert all(each.hashes for entries in files for each in entries.values())


def test_supported_pythons_begin_with_the_oldest():
    """`run.py` and the lock agree on it."""
    assert lock.PYTHONS[0] == "{}.{}".format(*run.OLDEST_PYTHON)


# Checking ---------------------------------------------------------------------------------------------------------


def test_a_complete_lock_passes(project, capsys):
    """Dependencies of packages that are locked alone do not count, nor do torch's CUDA libraries."""
    assert lock.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_environments_beside_are_locked_as_they_are_named(project, capsys):
    """All that they have is in their requirements files, whatever is installed here."""
    (file, source), *_ = lock.BESIDE.items()
    (run.ROOT / source).write_text("guest==2.0\n", encoding="utf-8")
    assert lock.main(["--check"]) == 1
    assert f"{file}: not as {source} has it." in capsys.readouterr().err
    lock.write_lock(file, [source], [entry("guest", "2.0")])
    assert lock.main(["--check"]) == 0


def test_an_installed_package_that_is_not_locked_is_found(project, capsys):
    """A new dependency of a dependency is named, with its lock file and what to do."""
    project["base"].requires.append("stowaway")
    project["stowaway"] = SimpleNamespace(version="1.0", requires=None)
    assert lock.main(["--check"]) == 1
    err = capsys.readouterr().err
    assert "locks/runtime.txt: stowaway is needed here and not locked." in err
    assert "run.py lock" in err


def test_runtime_packages_must_be_in_the_runtime_lock(project):
    """The lock for development does not help someone who only runs the workers."""
    project["base"].requires.append("tester")
    problems = lock.check()
    assert "locks/runtime.txt: tester is needed here and not locked." in problems


def test_a_changed_requirement_makes_the_lock_stale(project):
    """A version that was changed in the requirements files must be locked again."""
    replace("requirements-common.txt", "==1.0", "==1.1")
    replace("requirements-dev-alone.txt", "==1.0", "==1.1")
    problems = lock.check()
    assert "locks/runtime.txt: app 1.1 is required, 1.0 is locked." in problems
    assert "locks/dev.txt: peer 1.1 is required, 1.0 is locked." in problems


def test_a_new_torch_makes_the_lock_of_macs_stale(project):
    """Its version is pinned in the requirements files and, with hashes, for Macs."""
    for flavor in run.FLAVORS:
        replace(f"requirements-{flavor}.txt", "torch==2.0", "torch==2.1")
    assert lock.check() == [
        "locks/torch-mac-mps.txt: not as requirements-mac-mps.txt has it.",
        "locks/runtime.txt: torch 2.1 is required, 2.0 is locked.",
    ]


def test_a_new_onnxruntime_makes_the_lock_of_its_flavors_stale(project):
    """Each build of it has a lock of its own."""
    replace("requirements-cuda.txt", "gpu==1.0", "gpu==1.1")
    assert lock.check() == ["locks/onnxruntime-gpu.txt: not as requirements-cuda.txt has it."]


def test_flavors_must_agree(project, capsys):
    """They may differ in what they have, and never in its version."""
    replace("requirements-xpu.txt", "onnxruntime==1.0", "onnxruntime==1.1")
    assert lock.main(["--check"]) == 1
    assert "requirements-xpu.txt has onnxruntime 1.1, but another requirements file has 1.0." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (f" \\\n    --hash=sha256:{DIGEST}", "", "has no hash"),
        (f"--hash=sha256:{DIGEST}", "--hash=sha256:00", "has no hash"),
        (f"--hash=sha256:{DIGEST}", f"--hash=md5:{DIGEST}", "has no hash"),
        ("==1.0", "==1.1", "tester 1.1 is locked, 1.0 is installed"),
        ("tester==", "unused==", "unused is locked and nothing needs it here"),
    ],
)
def test_damaged_lock_files_are_found(project, old, new, problem):
    """Missing and malformed hashes, other versions than installed, and leftovers."""
    replace(run.DEV_LOCK, old, new)
    assert any(problem in each for each in lock.check())


def test_a_package_that_is_missing_here_is_found(project):
    """The environment lacks something that is locked and needed."""
    del project["backport"]
    assert lock.check() == ["locks/build.txt: backport 1.0 is locked, nothing is installed."]


def test_a_missing_lock_file_is_found(project):
    """Without the file everything in it is missing."""
    (run.ROOT / run.BUILD_LOCK).unlink()
    assert "locks/build.txt: backport is needed here and not locked." in lock.check()


# Files ------------------------------------------------------------------------------------------------------------


def test_lock_files_are_read_as_they_were_written(project):
    """Markers and several hashes survive, and the entries are sorted."""
    entries = [entry('zeta; python_version < "3.14"', "2.0", (DIGEST, "1" * 64)), entry("alpha", hashes=())]
    lock.write_lock("locks/new.txt", ["a.txt", "b.txt"], entries)
    text = (run.ROOT / "locks" / "new.txt").read_text(encoding="utf-8")
    assert text == (
        "# Made by `python3 run.py lock` from a.txt, b.txt. Do not edit.\n"
        "alpha==1.0\n"
        'zeta==2.0 ; python_version < "3.14" \\\n'
        f"    --hash=sha256:{DIGEST} \\\n"
        f"    --hash=sha256:{'1' * 64}\n"
    )
    assert list(lock.read_lock("locks/new.txt").values()) == sorted(entries)


# Dependencies -----------------------------------------------------------------------------------------------------


def test_walk_follows_markers_and_extras():
    """Requirements of other systems do not count; those of an extra only if it was asked for; circles end."""
    known = packages() | {"other": package("base[more]")}
    linux, windows = (lock.Target(system, "3.11").environment() for system in ("linux", "win32"))
    assert lock.walk(["base==1.0"], known, linux) == ({"base"}, [])
    assert lock.walk(["base==1.0"], known, windows) == ({"base", "windows-only"}, [])
    assert lock.walk(["base[more]"], known, linux) == ({"base", "other"}, [])


def test_walk_lists_what_is_missing_or_too_old():
    """Also where an earlier requirement for the same package was met."""
    known = {"app": package("base>=1", "base>=2", "gone<3"), "base": package()}
    _, unmet = lock.walk(["app"], known, lock.this_environment())
    assert sorted(map(str, unmet)) == ["base>=2", "gone<3"]


def test_each_lock_adds_to_the_ones_before():
    """No package is in two lock files, and torch in none of them."""
    # The tables of this project's files do not matter: nothing is resolved beyond their own names.
    found = lock.assign({}, lock.this_environment())
    names = [name for each in found.values() for name in each]
    assert len(names) == len(set(names))
    assert "torch" not in names


@pytest.mark.parametrize(
    ("systems", "pythons", "marker"),
    [
        (("linux", "darwin", "win32"), lock.PYTHONS, ""),
        (("win32",), lock.PYTHONS, 'sys_platform == "win32"'),
        (("linux", "darwin", "win32"), ("3.11", "3.12", "3.13"), 'python_version < "3.14"'),
        (("win32",), ("3.13", "3.14"), 'sys_platform == "win32" and python_version >= "3.13"'),
        (
            ("linux", "win32"),
            ("3.12",),
            '(sys_platform == "linux" or sys_platform == "win32") and python_version >= "3.12" and python_version < "3.13"',
        ),
    ],
)
def test_markers_select_their_targets(systems, pythons, marker):
    """The marker is true for exactly the systems and Pythons that need the package."""
    targets = {lock.Target(system, python) for system in systems for python in pythons}
    assert lock.marker_for(targets) == marker
    chosen = {each for each in lock.TARGETS if not marker or Marker(marker).evaluate(each.environment())}
    assert chosen == targets


# Making the lock --------------------------------------------------------------------------------------------------


class FakePip:
    """Replaces pip and its index: resolves from a dictionary, and every release has two files."""

    def __init__(self, monkeypatch):
        self.known = packages()
        self.calls = []
        self.requires_python = {}
        monkeypatch.setattr(lock, "resolve", self.resolve)
        monkeypatch.setattr(lock, "published", self.published)

    def resolve(self, words, constraints):
        self.calls.append((list(words), dict(constraints)))
        environment = lock.this_environment()
        if "--no-deps" in words:
            names = {str(Requirement(word).name) for word in words[words.index("--ignore-requires-python") + 1 :]}
        else:
            names, _ = lock.walk(words, self.known, environment)
        return {name: self.known[name] for name in names if name in self.known}

    def published(self, names):
        return {
            name: [
                {
                    "filename": f"{name.replace('-', '_')}-{version}-{tag}.whl",
                    "hashes": {"sha256": digest * 64},
                    "requires-python": self.requires_python.get(name),
                }
                for version in ("0.9", "1.0", "2.0")
                for digest, tag in (("b", "py3-none-any"), ("a", "cp311-cp311-macosx_14_0_arm64"))
            ]
            for name in names
        }


@pytest.fixture
def pip(project, monkeypatch):
    return FakePip(monkeypatch)


def test_the_lock_has_everything_on_every_system(pip):
    """What only other systems or other Pythons need is locked too, with a marker."""
    assert lock.main([]) == 0
    runtime, _, _, _, build, dev = (lock.read_lock(each.file) for each in lock.LOCKS)
    assert runtime.keys() == {"app", "base", "filelock", "alone", "windows-only"}
    assert runtime["windows-only"].marker == 'sys_platform == "win32"'
    assert build.keys() == {"freezer", "backport"}
    assert build["backport"].marker == 'python_version < "3.14"'
    assert dev.keys() == {"tester", "peer"}
    assert runtime["app"] == lock.Entry("app", "1.0", "", ("a" * 64, "b" * 64))
    words, _ = pip.calls[1]
    assert words[-1] == "windows-only"
    assert {"win_amd64", "3.11", ":all:"} <= set(words)
    assert lock.check() == []


def test_the_torch_of_macs_is_locked(pip):
    """With the hashes of the wheels for macOS, and without the local version that is installed here."""
    lock.generate(upgrade=False)
    assert lock.read_lock(run.MAC_TORCH_LOCK) == {"torch": lock.Entry("torch", "2.0", "", ("a" * 64,))}


def test_each_onnxruntime_is_locked_for_all_systems(pip):
    """One for processors and one for NVIDIA cards, with the hashes of all their files."""
    lock.generate(upgrade=False)
    both = {run.ONNX_LOCK: "onnxruntime", run.ONNX_GPU_LOCK: "onnxruntime-gpu"}
    for file, name in both.items():
        assert lock.read_lock(file) == {name: lock.Entry(name, "1.0", "", ("a" * 64, "b" * 64))}


@pytest.mark.parametrize(("words", "kept"), [([], {"base", "backport"}), (["--upgrade"], set())])
def test_other_versions_change_only_on_request(pip, words, kept):
    """What a requirements file names always counts; the rest stays at its locked version, or is resolved anew."""
    replace("requirements-common.txt", "==1.0", "==2.0")
    pip.known["app"] = package("base>=1", version="2.0")
    assert lock.main(words) == 0
    _, constraints = pip.calls[0]
    assert constraints["app"] == "2.0"
    assert constraints["alone"] == "1.0"
    assert {"base", "backport"} & constraints.keys() == kept


def test_a_version_that_does_not_suit_all_systems_is_refused(pip, capsys):
    """One version is locked for all; where that cannot work the message says who needs what."""
    pip.known["app"] = package("base>=1", 'base>=2; sys_platform == "win32"')
    before = (run.ROOT / run.RUNTIME_LOCK).read_text(encoding="utf-8")
    assert lock.main([]) == 1
    assert "base>=2" in (err := capsys.readouterr().err)
    assert "on win32 with Python 3.11" in err
    assert (run.ROOT / run.RUNTIME_LOCK).read_text(encoding="utf-8") == before


def test_a_release_for_some_pythons_only_is_refused(pip, capsys):
    """Unless it is only needed on those, or somebody chose it in a requirements file."""
    pip.requires_python = {"backport": "<3.14", "app": "<3.14"}
    assert lock.main([]) == 0
    pip.requires_python["base"] = "<3.13"
    assert lock.main([]) == 1
    assert "base 1.0 does not support Python 3.13" in capsys.readouterr().err


def test_only_the_oldest_python_makes_the_lock(pip, monkeypatch, capsys):
    """pip would choose versions that the older ones cannot use."""
    monkeypatch.setattr(lock, "this_environment", lambda: {"python_version": "3.12"})
    assert lock.main([]) == 1
    assert "Use Python 3.11" in capsys.readouterr().err
    assert pip.calls == []


def test_pip_resolves(monkeypatch):
    """It is asked what it would install, with the constraints in a file, and answers in its report."""
    seen = {}

    def pip(argv, **options):
        words = [str(word) for word in argv]
        seen["words"] = words
        seen["constraints"] = Path(words[words.index("--constraint") + 1]).read_text(encoding="utf-8")
        metadata = {"name": "App.Name", "version": "1.0", "requires_dist": ["base>=1"]}
        report = {"install": [{"metadata": metadata}, {"metadata": {"name": "base", "version": "2.0"}}]}
        Path(words[words.index("--report") + 1]).write_text(json.dumps(report), encoding="utf-8")
        return subprocess.CompletedProcess(argv, 0, "")

    monkeypatch.setattr(lock.subprocess, "run", pip)
    found = lock.resolve(["app==1.0"], {"base": "2.0"})
    assert found == {"app-name": package("base>=1"), "base": package(version="2.0")}
    assert seen["constraints"] == "base==2.0\n"
    assert seen["words"][:4] == [sys.executable, "-m", "pip", "install"]
    assert {"--dry-run", "--ignore-installed", "app==1.0"} <= set(seen["words"])


def test_pip_that_finds_nothing_is_explained(monkeypatch):
    """The end of its output is shown, and how to get rid of old pins."""
    output = "\n".join([*(f"WARNING {n}" for n in range(50)), "ERROR: ResolutionImpossible"])
    monkeypatch.setattr(lock.subprocess, "run", lambda argv, **options: subprocess.CompletedProcess(argv, 1, output))
    with pytest.raises(lock.LockFailed, match=r"ResolutionImpossible\n\n.*lock --upgrade") as caught:
        lock.resolve(["app"], {})
    assert "WARNING 3\n" not in str(caught.value)


# Hashes -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def index(monkeypatch):
    """A session that pip would use, and the pages of its index by address."""
    from pip._internal.cli.req_command import RequirementCommand

    pages = {}

    def get(address, headers):
        assert headers == {"Accept": lock.SIMPLE_JSON}
        return SimpleNamespace(raise_for_status=lambda: None, json=pages[address])

    session = SimpleNamespace(get=get)
    monkeypatch.setattr(RequirementCommand, "get_default_session", lambda command, options: session)
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example/simple/")
    return pages


def test_files_are_listed_by_the_index_of_pip(index):
    """The address comes from pip's own configuration."""
    files = [{"filename": "app-1.0.tar.gz"}]
    index["https://packages.example/simple/app/"] = lambda: {"files": files}
    assert lock.published(["app"]) == {"app": files}


def test_an_index_that_does_not_answer_is_one_sentence(index):
    """Errors of the network, refusals and pages in another format name the package."""

    def broken():
        raise OSError("no JSON")

    index["https://packages.example/simple/app/"] = broken
    with pytest.raises(lock.LockFailed, match="files of app as JSON: no JSON"):
        lock.published(["app"])


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("ds_store-1.3.3-py3-none-any.whl", "1.3.3"),
        ("samplerate-0.2.4.tar.gz", "0.2.4"),
        ("torch-2.13.0-cp311-cp311-win_amd64.whl", "2.13.0"),
        ("old-1.0.win32-py2.7.exe", "None"),
        ("old-1.0-py2.7.egg", "None"),
        ("old-1.0-bad.whl", "None"),
    ],
)
def test_versions_are_read_from_names_of_files(filename, version):
    """Of wheels and source archives; pip installs no others."""
    assert str(lock.version_of(filename)) == version
