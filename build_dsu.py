"""The one recipe of the frozen folder: `dist/dsu/`, an executable for each row of the table of workers over one `lib/`.

    python3 run.py build [--archive] [--output DIR]

does this in an environment that it sets up; `python build_dsu.py` does it in the environment that runs it. What goes
in and what stays out is in `tools/freeze/contents.py`, what differs between systems is here.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from tools.freeze import archives, contents, distributions, inventory, licences, manifest, sbom, slimming
from utils import PROTOCOL_VERSION, __version__
from workers import WORKERS

ROOT = Path(__file__).resolve().parent
OUTPUT = ROOT / "dist"
FOLDER = "dsu"
# Of all files and archives, unless SOURCE_DATE_EPOCH says otherwise: 2026-01-01.
TIMESTAMP = 1767225600
# The finder goes down chains of imports as deep as torch's.
RECURSION_LIMIT = 5000
# Code must not say where it was compiled, nor look there for its source; and all who start it must see one path.
CODE_PREFIX = "/frozen"
FREEZER = "cx-freeze"
# What freezing itself leaves in the folder: the executables.
BUILDER = "freeze-core"


class BuildFailed(Exception):
    """The folder cannot be made; the message is for the person who builds."""


# Systems ----------------------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """What is built: for which system, and computing on what."""

    system: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.system}-{self.kind}"

    @property
    def archive(self) -> str:
        return f"dsu-{self.name}{ARCHIVE_ENDINGS.get(self.name, '.tar.gz')}"

    @property
    def suffix(self) -> str:
        """Of executables."""
        return ".exe" if self.system == "win" else ""


SYSTEMS = {"linux": "linux", "win32": "win", "darwin": "mac"}
# zip for what Windows opens by itself; 7z where the libraries of CUDA would be past what zip makes of them.
ARCHIVE_ENDINGS = {"win-cpu": ".zip", "win-cuda": ".7z"}
MACHINES = {"arm64": "arm", "aarch64": "arm", "x86_64": "x64"}


def target(system: str, machine: str, torch_version: str, installed: Sequence[str]) -> Target:
    """What this environment builds, by its torch: the build for CUDA says so, or brings NVIDIA's libraries."""
    if system not in SYSTEMS:
        raise BuildFailed(f"There is no build for `{system}`; there are builds for {', '.join(SYSTEMS)}.")
    if system == "darwin":
        return Target("mac", MACHINES.get(machine, machine))
    local = torch_version.partition("+")[2]
    cuda = local.startswith("cu") or (not local and any(name.startswith("nvidia-cuda") for name in installed))
    return Target(SYSTEMS[system], "cuda" if cuda else "cpu")


def requirements(built: Target) -> list[str]:
    """The requirements files whose packages go in."""
    flavor = "mac-mps" if built.system == "mac" else built.kind
    return [f"requirements-{flavor}.txt", "requirements-alone.txt"]


# Freezing ---------------------------------------------------------------------------------------------------------


class Sources(NamedTuple):
    """The environment that is frozen: all distributions in it, and the names of those that may go in."""

    available: Mapping[str, metadata.Distribution]
    wanted: frozenset[str]

    @classmethod
    def of(cls, files: Sequence[str], available: Mapping[str, metadata.Distribution]) -> Sources:
        """All that the workers need; of packages that are installed alone, nothing they would need themselves."""
        *whole, alone = files
        roots = [name for file in whole for name in distributions.required(ROOT / file)]
        wanted = distributions.closure([*roots, *(name for name in contents.OPTIONAL if name in available)], available)
        return cls(available, frozenset([*wanted, *distributions.required(ROOT / alone)]))

    def unwanted_modules(self) -> list[str]:
        """What can be imported here and is of no distribution that may go in."""
        owners = distributions.owners(self.available)
        return sorted(top for top, names in owners.items() if not names & self.wanted and not top.endswith(".libs"))


def freeze(folder: Path, built: Target, sources: Sources) -> None:
    """Run cx_Freeze over the table of workers."""
    from cx_Freeze import Executable, Freezer  # noqa: PLC0415  the rest of this file works where it is not installed

    sys.setrecursionlimit(max(RECURSION_LIMIT, sys.getrecursionlimit()))
    programs = [
        Executable(ROOT / row.script, target_name=row.executable + built.suffix, base="console")
        for row in WORKERS.values()
    ]
    Freezer(
        programs,
        without_traces(),
        packages=list(contents.OWN_PACKAGES),
        includes=list(contents.BY_NAME),
        excludes=[*contents.names(contents.MODULES_LEFT_OUT), *not_of_packages(), *sources.unwanted_modules()],
        bin_excludes=contents.names(contents.FILES_LEFT_OUT),
        replace_paths=[("*", CODE_PREFIX)],
        include_msvcr=built.system == "win",
        target_dir=folder,
        path=[str(ROOT), *(place for place in sys.path if place != str(ROOT))],
        silent=3,
    ).freeze()


def not_of_packages() -> list[str]:
    """The modules that `contents.ONLY` leaves out."""
    found = []
    for package, kept in contents.ONLY.items():
        first, *rest = package.split(".")
        folder = distributions.package_folder(first).joinpath(*rest)
        found += contents.unlisted(folder, package, kept)
    return found


def without_traces() -> Any:
    """cx_Freeze's module of constants, without the time of the build and the name of the machine."""
    from cx_Freeze import ConstantsModule  # noqa: PLC0415  as above

    class Constants(ConstantsModule):  # type: ignore[misc]  # the package has no types
        def create(self, folder: Path, modules: list[Any]) -> Path:
            path: Path = super().create(folder, modules)
            kept = {name: value for name, value in self.values.items() if not name.endswith(("_TIMESTAMP", "_HOST"))}
            path.write_text("".join(f"{name} = {kept[name]!r}\n" for name in sorted(kept)), encoding="utf-8")
            return path

    return Constants(__version__)


# Around the programs ----------------------------------------------------------------------------------------------


def copy_data(folder: Path) -> None:
    """Configurations, the models that come with the program, and our own licence."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    for model in sorted((ROOT / "embedded").glob("*.safetensors")):
        (folder / "embedded").mkdir(exist_ok=True)
        shutil.copyfile(model, folder / "embedded" / model.name)
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE.txt")


def describe(folder: Path, built: Target, sources: Sources) -> None:
    """Licences, bill of materials and version: of what is in the folder, whatever was planned."""
    lib = folder / "lib"
    inside = inventory.present(lib, distributions.owners(sources.available))
    surprises = inside - sources.wanted - {BUILDER}
    if surprises:
        raise BuildFailed(f"Packages got in that no requirements file asks for: {', '.join(sorted(surprises))}.")
    packages = {name: sources.available[name] for name in sorted(inside | {BUILDER})}
    listed = [*(licences.licence_of(package) for package in packages.values()), licences.licence_of_python()]
    licences.write_licences(folder / "licenses", listed)
    (folder / "frozen_application_license.txt").unlink(missing_ok=True)  # licenses/ has it
    manifest.write_json(folder / "sbom.cdx.json", sbom.bill(__version__, listed, packages, lib))
    (folder / "VERSION.txt").write_text(version_text(built, packages), encoding="utf-8", newline="\n")


def version_text(built: Target, packages: Mapping[str, metadata.Distribution]) -> str:
    """What is built, of what, in lines for people."""
    facts = {
        "DSU": __version__,
        "build": built.name,
        "protocol": PROTOCOL_VERSION,
        "Python": platform.python_version(),
        "torch": packages["torch"].version,
    }
    return "".join(f"{name} {value}\n" for name, value in facts.items())


def refuse_two_openmp(lib: Path) -> None:
    """Two runtimes of OpenMP in one process abort it on Windows and macOS, and fight for the cores on Linux."""
    found = [path.relative_to(lib).as_posix() for path in slimming.files(lib) if contents.OPENMP.match(path.name)]
    if len(found) > 1:
        raise BuildFailed(f"There must be one OpenMP runtime, and there are several: {', '.join(found)}.")


# The recipe -------------------------------------------------------------------------------------------------------


def build(output: Path, timestamp: int) -> tuple[Path, Target]:
    """Make the folder anew and answer it."""
    available = distributions.installed()
    if FREEZER not in available:
        raise BuildFailed("cx_Freeze is not installed here: `pip install -r requirements-build.txt`.")
    torch_version = available["torch"].version if "torch" in available else ""
    built = target(sys.platform, platform.machine(), torch_version, [*available])
    sources = Sources.of(requirements(built), available)
    folder = output / FOLDER
    remove(folder)
    step(f"Freezing {len(WORKERS)} programs for {built.name}")
    freeze(folder, built, sources)
    step("Adding configurations, models and licences")
    copy_data(folder)
    describe(folder, built, sources)
    refuse_two_openmp(folder / "lib")
    step("Making it small")
    slimming.remove_left_out(folder / "lib", contents.names(contents.MODULES_LEFT_OUT))
    slimming.compile_sources(folder / "lib", CODE_PREFIX)
    slimming.strip_symbols(folder)
    slimming.forget_times(folder, timestamp)
    slimming.link_copies(folder)
    manifest.write_manifest(
        folder, {"version": __version__, "build": built.name, "sources": manifest.sources_digest(ROOT)}
    )
    os.utime(folder / manifest.MANIFEST, (timestamp, timestamp))
    os.utime(folder, (timestamp, timestamp))
    return folder, built


def remove(folder: Path) -> None:
    """Take away what an earlier build has left."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise BuildFailed(
            f"`{error.filename}` cannot be removed. Stop the workers that run from `{folder}`."
        ) from error


def write_report(folder: Path, built: Target) -> None:
    """The sizes of the parts: on the screen, and beside the folder."""
    text = inventory.report(inventory.parts(folder))
    (folder.parent / f"{FOLDER}-{built.name}-sizes.txt").write_text(text, encoding="utf-8", newline="\n")
    step(text.rstrip())


def archive(folder: Path, built: Target, timestamp: int) -> Path:
    """The folder as one file, with its hash and its bill of materials beside it."""
    path = folder.parent / built.archive
    step(f"Packing {path.name}")
    archives.pack(folder, path, timestamp)
    bill = folder.parent / f"{path.name}.cdx.json"
    shutil.copyfile(folder / "sbom.cdx.json", bill)
    archives.write_checksums(folder.parent, [path, bill])
    return path


def step(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("build_dsu.py", description="Make the frozen folder dsu.", allow_abbrev=False)
    parser.add_argument("--archive", action="store_true", help="pack the folder as well")
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, help="where the folder and the archive go (default: dist)"
    )
    options = parser.parse_args(words)
    timestamp = int(os.environ.get("SOURCE_DATE_EPOCH", TIMESTAMP))
    started = time.monotonic()
    try:
        folder, built = build(options.output.absolute(), timestamp)
        write_report(folder, built)
        if options.archive:
            archive(folder, built, timestamp)
    except (BuildFailed, distributions.NotInstalled, licences.LicenceMissing) as failure:
        step(f"\n{failure}")
        return 1
    step(f"{folder} is ready after {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
