"""The recipe of the frozen folder, without freezing: what is built on which system, and what stops a build."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import build_dsu
import setup
from tools.freeze import archives, distributions, licences
from utils import __version__
from workers import WORKERS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("system", "machine", "torch", "others", "name", "archive"),
    [
        ("linux", "x86_64", "2.13.0+cpu", [], "linux-cpu", "dsu-linux-cpu.tar.gz"),
        ("linux", "x86_64", "2.13.0", ["nvidia-cuda-runtime-cu12"], "linux-cuda", "dsu-linux-cuda.tar.gz"),
        ("linux", "x86_64", "2.13.0", ["nvidia-cuda-runtime"], "linux-cuda", "dsu-linux-cuda.tar.gz"),
        ("win32", "AMD64", "2.13.0+cu130", [], "win-cuda", "dsu-win-cuda.7z"),
        ("win32", "AMD64", "2.13.0+cu126", [], "win-cuda-legacy", "dsu-win-cuda-legacy.7z"),
        ("linux", "x86_64", "2.13.0+rocm7.2", [], "linux-rocm", "dsu-linux-rocm.tar.gz"),
        ("win32", "AMD64", "2.13.0+xpu", [], "win-xpu", "dsu-win-xpu.7z"),
        ("win32", "AMD64", "2.13.0", [], "win-cpu", "dsu-win-cpu.zip"),
        ("darwin", "arm64", "2.13.0", [], "mac-arm", "dsu-mac-arm.tar.gz"),
    ],
)
def test_torch_and_the_system_decide_what_is_built(system, machine, torch, others, name, archive):
    """Archives have the names that users know."""
    built = build_dsu.target(system, machine, torch, others)
    assert (built.name, built.archive) == (name, archive)
    assert built.suffix == (".exe" if system == "win32" else "")
    assert any(archive.endswith(ending) for ending in archives.PACKERS)


def test_other_systems_are_refused():
    """The message lists those that are supported."""
    with pytest.raises(build_dsu.BuildFailed, match="linux, win32, darwin"):
        build_dsu.target("sunos5", "sparc", "2.13.0", [])


@pytest.mark.parametrize("flavor", build_dsu.FLAVORS)
def test_each_build_has_its_requirements(flavor):
    """The files exist, and the one without dependencies is last."""
    built = build_dsu.Target("mac", "arm") if flavor == "mac-mps" else build_dsu.Target("linux", flavor)
    files = build_dsu.requirements(built)
    assert all((ROOT / file).is_file() for file in files)
    assert files == [f"requirements-{flavor}.txt", "requirements-studio.txt", "requirements-alone.txt"]


@pytest.fixture
def sources():
    """What may go in from the current environment."""
    return build_dsu.Sources.of(
        ["requirements-cpu.txt", "requirements-studio.txt", "requirements-alone.txt"], distributions.installed()
    )


def test_only_what_is_required_may_go_in(sources):
    """Tools for tests and builds may not, nor dependencies of packages that are installed without them."""
    assert {"torch", "numpy", "audio-separator", "mutagen"} <= sources.wanted
    assert sources.wanted.isdisjoint({"pytest", "mypy", "cx-freeze", "stempeg", "librosa"})
    modules = sources.unwanted_modules()
    assert {"pytest", "cx_Freeze", "mypy"} <= set(modules)
    assert not {"torch", "numpy", "yaml", "PIL"} & set(modules)


def test_unused_modules_of_kept_packages_are_left_out():
    """Of audio-separator only its VR networks stay."""
    left_out = build_dsu.not_of_packages()
    assert "audio_separator.separator.separator" in left_out
    assert "torch.testing._internal.common_utils" in left_out
    networks = "audio_separator.separator.uvr_lib_v5.vr_network"
    assert not [name for name in left_out if name == networks or networks.startswith(f"{name}.")]


def test_two_openmp_runtimes_stop_the_build(tmp_path):
    """One is expected: torch's own."""
    for folder in ("torch", "sklearn"):
        (tmp_path / folder).mkdir()
    (tmp_path / "torch" / "libgomp-0.so.1").touch()
    build_dsu.refuse_two_openmp(tmp_path)
    (tmp_path / "sklearn" / "libomp.dylib").touch()
    with pytest.raises(build_dsu.BuildFailed, match=r"sklearn/libomp\.dylib"):
        build_dsu.refuse_two_openmp(tmp_path)


def test_data_is_copied_from_the_project(tmp_path):
    """It consists of the configurations, the models that come with DSU, and the licence."""
    build_dsu.copy_data(tmp_path)
    for name in ("configs", "embedded"):
        ours = {p.relative_to(ROOT) for p in (ROOT / name).rglob("*") if p.suffix in {".json", ".yaml", ".safetensors"}}
        assert ours <= {path.relative_to(tmp_path) for path in (tmp_path / name).rglob("*")}
    assert (tmp_path / "LICENSE.txt").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_version_file_says_what_was_built(sources):
    """It has one fact per line."""
    text = build_dsu.version_text(build_dsu.Target("win", "cuda"), sources.available)
    assert text.startswith("DSU ")
    assert "\nbuild win-cuda\n" in text
    assert f"\ntorch {metadata.version('torch')}\n" in text


@pytest.mark.parametrize(("name", "start"), [("linux-cpu", "./dsu song.mp3"), ("win-cuda", "dsu.exe song.mp3")])
def test_the_readme_says_how_to_start(name, start):
    """All programs, as they are called on that system; in lines that a terminal of 80 columns shows whole."""
    text = build_dsu.readme_text(build_dsu.Target(*name.split("-")))
    assert start in text
    suffix = ".exe" if name.startswith("win") else ""
    assert all(f"\n  {row.executable}{suffix} " in text for row in WORKERS.values())
    assert max(map(len, text.splitlines())) <= 80


def test_a_build_without_the_freezer_says_how_to_get_it(monkeypatch, tmp_path):
    """It leaves the folder of an earlier build alone."""
    (tmp_path / "dsu").mkdir()
    monkeypatch.setattr(distributions, "installed", dict)
    with pytest.raises(build_dsu.BuildFailed, match=r"requirements-build\.txt"):
        build_dsu.build(tmp_path, build_dsu.TIMESTAMP, None)
    assert (tmp_path / "dsu").is_dir()


def test_a_torch_that_does_not_suit_the_flavor_stops_the_build(monkeypatch, tmp_path, capsys):
    """Nothing is built that is not what was asked for, and the status says so."""
    other = "cuda" if "+cpu" in metadata.version("torch") else "cpu"
    monkeypatch.setattr(build_dsu, "freeze", lambda *_: pytest.fail("it must not start"))
    assert build_dsu.main(["--flavor", other, "--output", str(tmp_path)]) == 1
    assert (
        f"You asked for the flavor {other}, but the torch installed here, {metadata.version('torch')},"
        in capsys.readouterr().err
    )
    assert not any(tmp_path.iterdir())


def test_a_folder_in_use_is_explained(monkeypatch, tmp_path):
    """Windows cannot remove a running program; a folder that does not exist is no error."""
    build_dsu.remove(tmp_path / "nothing")

    def refuse(folder):
        raise PermissionError(13, "Access is denied", str(folder / "dsu-demucs.exe"))

    monkeypatch.setattr(build_dsu.shutil, "rmtree", refuse)
    with pytest.raises(build_dsu.BuildFailed, match=r"dsu-demucs\.exe` cannot be removed\. Stop"):
        build_dsu.remove(tmp_path)


@pytest.fixture
def faked(monkeypatch, tmp_path):
    """A build that only creates a folder with one file."""
    built = build_dsu.Target("linux", "cpu")
    asked = []

    def build(output, timestamp, flavor):
        asked.append((output, timestamp, flavor))
        (output / "dsu").mkdir(parents=True)
        (output / "dsu" / "sbom.cdx.json").write_text("{}")
        return output / "dsu", built

    monkeypatch.setattr(build_dsu, "build", build)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return asked


def test_sizes_are_shown_and_written(faked, tmp_path, capsys):
    """They go to the screen and next to the folder; nothing is packed without --archive."""
    assert build_dsu.main(["--output", str(tmp_path / "out")]) == 0
    assert faked == [(tmp_path / "out", build_dsu.TIMESTAMP, None)]
    kept = (tmp_path / "out" / "dsu-linux-cpu-sizes.txt").read_text(encoding="utf-8")
    assert kept.rstrip() in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"dsu", "dsu-linux-cpu-sizes.txt"}


def test_archives_come_with_checksums_and_sbom(faked, tmp_path, monkeypatch):
    """SOURCE_DATE_EPOCH sets their time."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert build_dsu.main(["--archive", "--output", str(tmp_path / "out")]) == 0
    assert faked[0][1] == 1_800_000_000
    sums = (tmp_path / "out" / "SHA256SUMS").read_text(encoding="utf-8").split()
    archive = tmp_path / "out" / "dsu-linux-cpu.tar.gz"
    assert sums == [
        archives.sha256(archive),
        archive.name,
        archives.sha256(archive.with_name(f"{archive.name}.cdx.json")),
        f"{archive.name}.cdx.json",
    ]


def test_an_archive_can_have_the_version_in_its_name(faked, tmp_path):
    """Its SBOM is named like it."""
    assert build_dsu.main(["--archive", "--versioned-name", "--output", str(tmp_path / "out")]) == 0
    name = f"dsu-{__version__}-linux-cpu.tar.gz"
    packed = {path.name for path in (tmp_path / "out").glob("*linux-cpu.tar.gz*")}
    assert packed == {name, f"{name}.cdx.json"}


@pytest.mark.parametrize(
    "failure",
    [build_dsu.BuildFailed("why"), distributions.NotInstalled("why"), licences.LicenceMissing("why")],
    ids=lambda failure: type(failure).__name__,
)
def test_what_stops_a_build_is_one_sentence(monkeypatch, tmp_path, capsys, failure):
    """The exit status is 1."""

    def build(output, timestamp, flavor):
        raise failure

    monkeypatch.setattr(build_dsu, "build", build)
    assert build_dsu.main(["--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err.strip() == "why"


def test_setup_is_the_same_recipe(monkeypatch, capsys):
    """`setup.py build_exe` passes its arguments on; other commands say what to use instead."""
    seen = []
    monkeypatch.setattr(build_dsu, "main", lambda words: seen.append(words) or 5)
    assert setup.main(["build_exe", "--archive"]) == 5
    assert seen == [["--archive"]]
    assert setup.main(["install"]) == 2
    assert "run.py build" in capsys.readouterr().err


def test_pip_says_how_to_use_dsu_instead(tmp_path):
    """`pip install .` fails with one line of ours in its output, and installs nothing."""
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index"]
    argv = [*pip, "--target", tmp_path / "place", build_dsu.ROOT]
    tried = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert tried.returncode != 0
    assert setup.ADVICE.strip() in tried.stdout + tried.stderr
    assert not (tmp_path / "place").exists()


def test_freezing_is_driven_by_the_table_of_workers(monkeypatch, sources, tmp_path):
    """Each row becomes a program, and cx_Freeze gets its options from the tables."""
    asked = {}

    class Freezer:
        def __init__(self, programs, constants, **options):
            asked.update(options, programs=programs)

        def freeze(self):
            asked["done"] = True

    class Executable:
        def __init__(self, script, target_name, base):
            self.script, self.target_name = script, target_name

    class ConstantsModule:
        def __init__(self, version):
            self.values = {"VERSION": version, "BUILD_HOST": "mine", "BUILD_TIMESTAMP": "now"}

        def create(self, folder, modules):
            return folder / "constants.py"

    module = type(sys)("cx_Freeze")
    module.Freezer, module.Executable, module.ConstantsModule = Freezer, Executable, ConstantsModule
    monkeypatch.setitem(sys.modules, "cx_Freeze", module)
    limit = sys.getrecursionlimit()
    try:
        build_dsu.freeze(tmp_path, build_dsu.Target("win", "cpu"), sources)
    finally:
        sys.setrecursionlimit(limit)
    programs = {(program.script, program.target_name) for program in asked["programs"]}
    assert programs == {(ROOT / row.script, f"{row.executable}.exe") for row in WORKERS.values()}
    assert asked["done"]
    assert asked["include_msvcr"] is True
    assert {"workers", "utils", "models"} == set(asked["packages"])
    assert {"sympy", "pytest"} <= set(asked["excludes"])
    constants = build_dsu.without_traces().create(tmp_path, []).read_text(encoding="utf-8")
    assert "VERSION" in constants
    assert "BUILD" not in constants
