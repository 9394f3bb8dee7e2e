"""The contents of the frozen folder: complete, small, and with no traces of the build machine."""

import json
import stat
import subprocess
import sys
import zipfile

import pytest
from frozen_places import ROOT, program
from snippets import blocks_of
from worker_process import clean_environment

from tools.freeze import inventory, manifest
from tools.freeze.slimming import files
from utils import __version__
from workers import WORKERS

LARGEST_LINUX_CPU = 650_000_000
# Programs have only a few lines of their own; the code that they share is in lib/.
LARGEST_PROGRAM = 8_000_000


def test_it_was_built_from_these_sources(folder):
    """An outdated build is reported as such."""
    built = manifest.read_manifest(folder)["sources"]
    assert built == manifest.sources_digest(ROOT), "The sources have changed since: build again."


def test_its_files_are_those_of_the_manifest(folder):
    """Every file is listed with its hash, and none has changed."""
    assert manifest.changed_files(folder) == []


def test_it_has_the_documented_contents(folder):
    """What docs/building.md lists and nothing else; the page of the studio is there if the machine that built it has npm."""
    there = {path.name for path in folder.iterdir()}
    (listed,) = [
        block.code for block in blocks_of("docs/building.md") if block.reason.startswith("it is a list of files")
    ]
    _, executables, *rest = listed.splitlines()
    programs = {program(folder, row).name for row in WORKERS.values()}
    assert set(executables.partition("(")[0].split()) == {row.executable for row in WORKERS.values()}
    documented = {line.split()[0].rstrip("/") for line in rest}
    assert there | {"studio"} == programs | documented
    assert (folder / "VERSION.txt").read_text(encoding="utf-8").startswith(f"DSU {__version__}\n")


def test_it_has_the_embedded_models(folder):
    """All models in `embedded` are there."""
    ours = {path.name for path in (ROOT / "embedded").glob("*.safetensors")}
    assert {path.name for path in (folder / "embedded").glob("*")} == ours


def test_configurations_are_all_there(folder):
    """They are the same files with the same content."""
    ours = {path.relative_to(ROOT): path.read_bytes() for path in files(ROOT / "configs")}
    assert {path.relative_to(folder): path.read_bytes() for path in files(folder / "configs")} == ours


@pytest.mark.parametrize("name", WORKERS)
def test_programs_are_small_and_show_their_version(folder, name):
    """Each of them is executable and small."""
    path = program(folder, WORKERS[name])
    assert path.stat().st_size < LARGEST_PROGRAM
    assert sys.platform == "win32" or path.stat().st_mode & stat.S_IXOTH
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{WORKERS[name].name} {__version__}\n"


def test_it_is_small(folder):
    """This is checked on Linux without CUDA, for all four workers together; hard links count once."""
    if manifest.read_manifest(folder)["build"] == "linux-cpu":
        assert inventory.size_bytes(inventory.parts(folder)) <= LARGEST_LINUX_CPU


def test_nothing_shows_where_it_was_built(folder):
    """No compiled code contains a path of this machine."""
    places = [str(place).encode() for place in (ROOT, sys.prefix, sys.base_prefix)]
    assert [name for name, code in compiled(folder) if any(place in code for place in places)] == []


def compiled(folder):
    for path in folder.rglob("*.pyc"):
        yield path.relative_to(folder).as_posix(), path.read_bytes()
    with zipfile.ZipFile(folder / "lib" / "library.zip") as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def test_nothing_in_it_is_for_developers_only(folder):
    """There are no headers, static libraries or tests of other packages."""
    useless = {".a", ".lib", ".h", ".hpp", ".pyx", ".pxd"}
    assert [path for path in files(folder) if path.suffix in useless or path.name.startswith("test_")] == []
    assert [path for path in (folder / "lib").rglob("tests") if path.is_dir() and any(path.rglob("*.pyc"))] == []


def test_every_component_has_its_licence(folder):
    """Everything in the SBOM has a folder with a licence text and is in the index."""
    bill = json.loads((folder / "sbom.cdx.json").read_text(encoding="utf-8"))
    index = (folder / "licenses" / "README.txt").read_text(encoding="utf-8")
    assert {"torch", "numpy", "av", "Python"} <= {each["name"] for each in bill["components"]}
    for each in bill["components"]:
        named = f"{each['name']}-{each['version']}"
        assert any(path.stat().st_size for path in files(folder / "licenses" / named)), named
        assert f"{each['name']} {each['version']}\n" in index
        assert each["licenses"][0]["license"]["name"]


def test_every_package_is_in_the_sbom(folder):
    """Every package in `lib` belongs to a component, to Python or to us."""
    bill = json.loads((folder / "sbom.cdx.json").read_text(encoding="utf-8"))
    components = {each["name"].lower().replace("-", "_") for each in bill["components"]}
    other_names = {"pil": "pillow", "yaml": "pyyaml", "_soundfile_data": "soundfile", "torchgen": "torch"}
    packages = {path.name.lower() for path in (folder / "lib").iterdir() if path.is_dir()}
    foreign = {name.removesuffix(".libs").removesuffix(".dylibs") for name in packages}
    foreign -= {"workers", "utils", "models"} | set(sys.stdlib_module_names)
    assert {other_names.get(name, name) for name in foreign} <= components


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux loader can list what it loads")
@pytest.mark.parametrize("flag", ["--help", "--version", "--list-models"])
@pytest.mark.parametrize("name", WORKERS)
def test_options_that_need_no_torch_do_not_load_it(folder, name, flag):
    """Late imports are also late in the frozen program."""
    env = {**clean_environment(), "LD_DEBUG": "files"}
    command = [program(folder, WORKERS[name]), *(["--worker"] if flag != "--version" else []), flag]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    assert "_json" in done.stderr
    assert not [word for word in ("libtorch", "numpy", "libsndfile", "libavcodec") if word in done.stderr]
