"""The only recipe for the frozen folder, `dist/dsu/`: one executable per worker, and one `lib/` that they share.

    python3 run.py build [--archive] [--output DIR]

runs it in an environment that it sets up; `python build_dsu.py` runs it in the current environment. What goes in and what
stays out is in `tools/freeze/contents.py`; what differs between systems is here.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from run import FLAVORS
from tools.freeze import archives, contents, distributions, inventory, licences, manifest, sbom, slimming
from utils import PROTOCOL_VERSION, __version__
from workers import WORKERS

ROOT = Path(__file__).resolve().parent
PAGE = ROOT / "studio" / "dist"
OUTPUT = ROOT / "dist"
FOLDER = "dsu"
# The time of all files and archive entries, 2026-01-01, unless SOURCE_DATE_EPOCH is set.
TIMESTAMP = 1767225600
# The finder recurses through torch's long chains of imports.
RECURSION_LIMIT = 5000
# Replaces the source paths in compiled code, which would show where it was built.
CODE_PREFIX = "/frozen"
FREEZER = "cx-freeze"
# Its executables end up in the folder.
BUILDER = "freeze-core"


class BuildFailed(Exception):
    """The folder cannot be built; the message is shown to the user."""


# Systems ----------------------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """What is built: the system, and the kind of device it computes on."""

    system: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.system}-{self.kind}"

    @property
    def flavor(self) -> str:
        """What run.py calls it."""
        return "mac-mps" if self.system == "mac" else self.kind

    @property
    def archive(self) -> str:
        """The name that releases promise; it has no version, so that links to the newest one stay valid."""
        return f"dsu-{self.name}{self.ending}"

    @property
    def versioned_archive(self) -> str:
        return f"dsu-{__version__}-{self.name}{self.ending}"

    @property
    def ending(self) -> str:
        return ARCHIVE_ENDINGS.get(self.name, ".tar.gz")

    @property
    def suffix(self) -> str:
        """The suffix of executables."""
        return ".exe" if self.system == "win" else ""


SYSTEMS = {"linux": "linux", "win32": "win", "darwin": "mac"}
# What a torch computes on, by how the part of its version after the `+` begins.
KINDS = {"cu12": "cuda-legacy", "cu": "cuda", "rocm": "rocm", "xpu": "xpu"}
# Windows opens zip files by itself; for the libraries of graphics cards only 7z compresses well enough.
ARCHIVE_ENDINGS = {"win-cpu": ".zip", "win-cuda": ".7z", "win-cuda-legacy": ".7z", "win-xpu": ".7z"}
MACHINES = {"arm64": "arm", "aarch64": "arm", "x86_64": "x64"}


def target(system: str, machine: str, torch_version: str, installed: Sequence[str]) -> Target:
    """What this environment builds. Its torch decides: a CUDA build has a version that says so, or NVIDIA's libraries."""
    if system not in SYSTEMS:
        raise BuildFailed(f"DSU cannot be built for `{system}`, only for {', '.join(SYSTEMS)}.")
    if system == "darwin":
        return Target("mac", MACHINES.get(machine, machine))
    local = torch_version.partition("+")[2]
    if not local and any(name.startswith("nvidia-cuda") for name in installed):
        local = "cu"  # PyPI's torch does not say what it is for
    return Target(SYSTEMS[system], next((kind for start, kind in KINDS.items() if local.startswith(start)), "cpu"))


def requirements(built: Target) -> list[str]:
    """The requirements files whose packages go into the folder."""
    return [f"requirements-{built.flavor}.txt", "requirements-studio.txt", "requirements-alone.txt"]


# Freezing ---------------------------------------------------------------------------------------------------------


class Sources(NamedTuple):
    """The environment to freeze: all distributions in it, and the names of those that may go into the folder."""

    available: Mapping[str, metadata.Distribution]
    wanted: frozenset[str]

    @classmethod
    def of(cls, files: Sequence[str], available: Mapping[str, metadata.Distribution]) -> Sources:
        """Everything that the workers need. Dependencies of the packages in the last file do not count."""
        *whole, alone = files
        roots = [name for file in whole for name in distributions.required(ROOT / file)]
        wanted = distributions.closure([*roots, *(name for name in contents.OPTIONAL if name in available)], available)
        return cls(available, frozenset([*wanted, *distributions.required(ROOT / alone)]))

    def unwanted_modules(self) -> list[str]:
        """The top-level modules of all distributions that may not go in."""
        owners = distributions.owners(self.available)
        return sorted(top for top, names in owners.items() if not names & self.wanted and not top.endswith(".libs"))


def freeze(folder: Path, built: Target, sources: Sources) -> None:
    """Run cx_Freeze over the table of workers."""
    from cx_Freeze import Executable, Freezer  # noqa: PLC0415  the rest of this file works without it

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
    """The modules that `contents.ONLY` excludes."""
    found = []
    for package, kept in contents.ONLY.items():
        first, *rest = package.split(".")
        folder = distributions.package_folder(first).joinpath(*rest)
        found += contents.unlisted(folder, package, kept)
    return found


def without_traces() -> Any:
    """cx_Freeze's module of constants, without the build time and the machine's name."""
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
    """Copy the configurations, the models that come with DSU, the page of the studio, and our own licence."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    if PAGE.is_dir():
        shutil.copytree(PAGE, folder / "studio")
    else:
        step(
            f"The folder has no page for `dsu studio`: {PAGE.relative_to(ROOT)} is not there. `npm run build` in studio/ makes it."
        )
    for model in sorted((ROOT / "embedded").glob("*.safetensors")):
        (folder / "embedded").mkdir(exist_ok=True)
        shutil.copyfile(model, folder / "embedded" / model.name)
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE.txt")


def describe(folder: Path, built: Target, sources: Sources) -> None:
    """Write licences, SBOM, version and a readme, for what the folder really contains."""
    lib = folder / "lib"
    inside = inventory.present(lib, distributions.owners(sources.available))
    unwanted = inside - sources.wanted - {BUILDER}
    if unwanted:
        raise BuildFailed(
            f"The folder contains packages that no requirements file needs: {', '.join(sorted(unwanted))}."
        )
    packages = {name: sources.available[name] for name in sorted(inside | {BUILDER})}
    listed = [*(licences.licence_of(package) for package in packages.values()), licences.licence_of_python()]
    licences.write_licences(folder / "licenses", listed)
    (folder / "frozen_application_license.txt").unlink(missing_ok=True)  # licenses/ has it
    manifest.write_json(folder / "sbom.cdx.json", sbom.bill(__version__, listed, packages, lib))
    (folder / "VERSION.txt").write_text(version_text(built, packages), encoding="utf-8", newline="\n")
    (folder / "README.txt").write_text(readme_text(built), encoding="utf-8", newline="\n")


def readme_text(built: Target) -> str:
    """What somebody needs who has unpacked the folder and nothing else."""
    rows = "".join(
        textwrap.fill(f"  {row.executable + built.suffix:<24} {row.description}", 80, subsequent_indent=" " * 27) + "\n"
        for row in WORKERS.values()
    )
    dsu = f"dsu{built.suffix}" if built.system == "win" else "./dsu"
    return f"""\
DSU {__version__} ({built.name}) separates music into stems and restores audio.

  {dsu} song.mp3        four stems in ./separated, from the built-in model
  {dsu} models          lists better models, downloaded when first used
  {dsu} -m htdemucs song.mp3
  {dsu} --help

The programs. Each has --help for people, and --worker for programs that drive
it with lines of JSON:

{rows}
DSU needs no Python and no installation. Keep the files together; the folder
can be anywhere, and can be read-only.

  lib/          Python and all packages, shared by all programs
  configs/      the list of models, and their configurations
  embedded/     the models that come with DSU
  share/        the certificates that downloads are checked against
  studio/       the page of `dsu studio`
  licenses/     the licences of everything inside; DSU's own is LICENSE.txt

sbom.cdx.json, MANIFEST.json and VERSION.txt say what is inside, with hashes,
and what it was built from.
"""


def version_text(built: Target, packages: Mapping[str, metadata.Distribution]) -> str:
    """What was built and from what, one fact per line."""
    facts = {
        "DSU": __version__,
        "build": built.name,
        "protocol": PROTOCOL_VERSION,
        "Python": platform.python_version(),
        "torch": packages["torch"].version,
    }
    return "".join(f"{name} {value}\n" for name, value in facts.items())


def refuse_two_openmp(lib: Path) -> None:
    """Two OpenMP runtimes abort a process on Windows and macOS, and compete for the cores on Linux."""
    found = [path.relative_to(lib).as_posix() for path in slimming.files(lib) if contents.OPENMP.match(path.name)]
    if len(found) > 1:
        raise BuildFailed(f"There must be only one OpenMP runtime, but the folder has several: {', '.join(found)}.")


# The recipe -------------------------------------------------------------------------------------------------------


def build(output: Path, timestamp: int, flavor: str | None) -> tuple[Path, Target]:
    """Build the folder from scratch and return it. A flavor that was asked for must be that of the installed torch."""
    available = distributions.installed()
    if FREEZER not in available:
        raise BuildFailed(
            "cx_Freeze is not installed here. Use `python3 run.py build`, or `pip install -r requirements-build.txt`."
        )
    torch_version = available["torch"].version if "torch" in available else ""
    built = target(sys.platform, platform.machine(), torch_version, [*available])
    if flavor not in (None, built.flavor):
        raise BuildFailed(
            f"You asked for the flavor {flavor}, but the torch installed here, {torch_version}, makes a build for "
            f"{built.flavor}. docs/building.md shows where to get the torch of each flavor."
        )
    sources = Sources.of(requirements(built), available)
    folder = output / FOLDER
    remove(folder)
    step(f"Freezing {len(WORKERS)} programs for {built.name}")
    freeze(folder, built, sources)
    step("Adding configurations, models and licences")
    copy_data(folder)
    describe(folder, built, sources)
    refuse_two_openmp(folder / "lib")
    step("Reducing its size")
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
    """Remove an earlier build."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise BuildFailed(
            f"`{error.filename}` cannot be removed. Stop the workers that run from `{folder}`."
        ) from error


def write_report(folder: Path, built: Target) -> None:
    """Show the sizes of the parts, and write them to a file next to the folder."""
    text = inventory.report(inventory.parts(folder))
    (folder.parent / f"{FOLDER}-{built.name}-sizes.txt").write_text(text, encoding="utf-8", newline="\n")
    step(text.rstrip())


def archive(folder: Path, name: str, timestamp: int) -> Path:
    """Pack the folder, and write its checksum, its SBOM and perhaps its parts next to the archive."""
    path = folder.parent / name
    step(f"Packing {name}, version {__version__}")
    archives.pack(folder, path, timestamp)
    bill = folder.parent / f"{path.name}.cdx.json"
    shutil.copyfile(folder / "sbom.cdx.json", bill)
    parts = archives.split(path, archives.MOST_RELEASED_BYTES)
    archives.write_checksums(folder.parent, [path, bill, *parts])
    if parts:
        step(f"{name} is too large for a release on GitHub, so it is also there in {len(parts) - 1} parts.")
    return path


def step(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        "run.py build", description="Freeze the programs into a folder that runs without Python.", allow_abbrev=False
    )
    parser.add_argument("--archive", action="store_true", help="also pack the folder")
    parser.add_argument(
        "--versioned-name", action="store_true", help="with --archive: put the version into the archive's name"
    )
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, help="where to put the folder and the archive (default: dist)"
    )
    parser.add_argument(
        "--flavor", choices=FLAVORS, help="what the build computes on (default: what the installed torch is for)"
    )
    options = parser.parse_args(words)
    timestamp = int(os.environ.get("SOURCE_DATE_EPOCH", TIMESTAMP))
    started = time.monotonic()
    try:
        folder, built = build(options.output.absolute(), timestamp, options.flavor)
        write_report(folder, built)
        made = [folder]
        if options.archive:
            name = built.versioned_archive if options.versioned_name else built.archive
            made.append(archive(folder, name, timestamp))
    except (BuildFailed, distributions.NotInstalled, licences.LicenceMissing) as failure:
        step(f"\n{failure}")
        return 1
    step(f"Ready after {time.monotonic() - started:.0f} s: {' and '.join(map(str, made))}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
