"""The lock files: every package that `run.py` installs, at one version, with the hashes of all files of that release.

    python3 run.py lock              after changing a version in a requirements file
    python3 run.py lock --upgrade    also gives packages that no requirements file names their newest versions
    python -m tools.lock --check     are the lock files complete and up to date? Needs no network; part of `run.py check`

pip resolves the requirements files for the machine it runs on. Evaluating the markers in the packages' metadata for other
systems and versions of Python shows what those need in addition. The hashes come from the index that pip is configured
to use.

Not covered: torch, except on Macs. PyTorch's own indexes have builds (2.13.0+cpu, 2.13.0+cu130) whose hashes differ from
those on the package index, and which index to use is the user's choice. So torch is only pinned, and installed last: by
then everything else that it needs is there, except the CUDA libraries of its CUDA builds. Nor are pip itself, which comes
with Python, and the tools that compile a package where it has no wheel.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

import run
from tools.freeze import distributions

TORCH = "torch"
# Needed only by torch's CUDA builds for Linux.
CUDA_LIBRARIES = re.compile(r"nvidia-|cuda-|triton|pytorch-triton")
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?!\S)")
SHOWN_LINES = 12


class LockFailed(Exception):
    """The lock files cannot be made; the message is for the maintainer."""


class Lock(NamedTuple):
    """A lock file and its requirements files. Packages in `alone` are locked without their dependencies."""

    file: str
    sources: tuple[str, ...]
    alone: tuple[str, ...] = ()

    def roots(self) -> list[str]:
        return [f"{name}=={version}" for name, version in read_pins(self.sources).items()]


# Each lock adds to the ones before it: no package is in two of them.
LOCKS = (
    Lock(run.RUNTIME_LOCK, ("requirements-cpu.txt",), ("requirements-alone.txt",)),
    Lock(run.STUDIO_LOCK, ("requirements-studio.txt",)),
    Lock(run.DOCS_LOCK, ("requirements-docs.txt",)),
    Lock(run.BATCH_LOCK, ("requirements-batch.txt",)),
    Lock(run.BUILD_LOCK, ("requirements-build.txt",)),
    Lock(run.DEV_LOCK, ("requirements-dev.txt",), ("requirements-dev-alone.txt",)),
)


class ByFlavor(NamedTuple):
    """The lock of a package that is not the same for all flavors: who names it, and which of its files are wanted."""

    source: str
    name: str
    in_filename: str = ""


# What flavors differ in. Apart from these packages, they need the same ones.
BY_FLAVOR = {
    run.ONNX_LOCK: ByFlavor("requirements-cpu.txt", "onnxruntime"),
    run.ONNX_GPU_LOCK: ByFlavor("requirements-cuda.txt", "onnxruntime-gpu"),
    run.MAC_TORCH_LOCK: ByFlavor("requirements-mac-mps.txt", TORCH, "-macosx_"),
}

# What environments beside `.venv` have in addition to its packages. Their requirements files name everything.
BESIDE = {"locks/peers.txt": "requirements-peers.txt", run.FUZZER_LOCK: "requirements-fuzzer.txt"}


class System(NamedTuple):
    """An operating system: the platform tag of its wheels, and what markers say about it."""

    tag: str
    facts: Mapping[str, str]


SYSTEMS = {
    "linux": System(
        "manylinux_2_28_x86_64", {"os_name": "posix", "platform_system": "Linux", "platform_machine": "x86_64"}
    ),
    "darwin": System(
        "macosx_14_0_arm64", {"os_name": "posix", "platform_system": "Darwin", "platform_machine": "arm64"}
    ),
    "win32": System("win_amd64", {"os_name": "nt", "platform_system": "Windows", "platform_machine": "AMD64"}),
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


class Target(NamedTuple):
    """A system and a version of Python that the lock files are made for."""

    system: str
    python: str

    def environment(self) -> dict[str, str]:
        """The values of all marker variables."""
        python = {"python_version": self.python, "python_full_version": f"{self.python}.0"}
        return {**this_environment(), **SYSTEMS[self.system].facts, **python, "sys_platform": self.system}


TARGETS = tuple(Target(system, python) for system in SYSTEMS for python in PYTHONS)


class Package(NamedTuple):
    """A release and its requirements."""

    version: str
    requires: tuple[Requirement, ...]


class Entry(NamedTuple):
    """A package in a lock file; an empty marker means that it is installed everywhere."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


# Files ------------------------------------------------------------------------------------------------------------


def read_pins(files: Iterable[str]) -> dict[str, str]:
    """The packages in requirements files, with their versions. Raises `LockFailed` if the files disagree."""
    pins: dict[str, str] = {}
    for file in files:
        for requirement in distributions.requirements(run.ROOT / file):
            name, version = canonicalize_name(requirement.name), str(requirement.specifier).removeprefix("==")
            if pins.setdefault(name, version) != version:
                raise LockFailed(f"{file} has {name} {version}, but another requirements file has {pins[name]}.")
    return pins


def flavor_files() -> list[str]:
    """The requirements files of the flavors, which must agree with each other."""
    return [f"requirements-{flavor}.txt" for flavor in run.FLAVORS]


def read_lock(file: str) -> dict[str, Entry]:
    """The entries of a lock file by name; none if the file does not exist."""
    path = run.ROOT / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    entries: dict[str, Entry] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if not line.startswith("#"):
            requirement = Requirement(line.partition("--hash")[0])
            name, version = canonicalize_name(requirement.name), str(requirement.specifier).removeprefix("==")
            entries[name] = Entry(name, version, str(requirement.marker or ""), tuple(HASH.findall(line)))
    return entries


def write_lock(file: str, sources: Sequence[str], entries: Iterable[Entry]) -> None:
    lines = [f"# Made by `python3 run.py lock` from {', '.join(sources)}. Do not edit."]
    for entry in sorted(entries):
        marker = f" ; {entry.marker}" if entry.marker else ""
        words = [f"{entry.name}=={entry.version}{marker}", *(f"--hash=sha256:{digest}" for digest in entry.hashes)]
        lines.append(" \\\n    ".join(words))
    path = run.ROOT / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


# Dependencies -----------------------------------------------------------------------------------------------------


def this_environment() -> dict[str, str]:
    """The values of all marker variables here."""
    return {name: str(value) for name, value in default_environment().items()}


def walk(
    roots: Iterable[str], packages: Mapping[str, Package], environment: Mapping[str, str]
) -> tuple[set[str], list[Requirement]]:
    """The names of all packages that `roots` need in an environment, and the requirements that `packages` do not meet."""
    needed: set[str] = set()
    unmet: list[Requirement] = []
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        needed.add(name)
        package = packages.get(name)
        if package is None or not requirement.specifier.contains(package.version, prereleases=True):
            unmet.append(requirement)
        if package and (name, extras) not in seen:
            seen.add((name, extras))
            applying = [each for each in package.requires if applies(each.marker, environment, extras)]
            waiting += [each for each in applying if name != TORCH or not CUDA_LIBRARIES.match(each.name)]
    return needed, unmet


def applies(marker: Marker | None, environment: Mapping[str, str], extras: Iterable[str] = ()) -> bool:
    return marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras))


def assign(packages: Mapping[str, Package], environment: Mapping[str, str]) -> dict[str, set[str]]:
    """The names of the packages that each lock file must have for an environment."""
    found: dict[str, set[str]] = {}
    earlier = {each.name for each in BY_FLAVOR.values()}
    for lock in LOCKS:
        needed, _ = walk(lock.roots(), packages, environment)
        found[lock.file] = (needed | read_pins(lock.alone).keys()) - earlier
        earlier |= found[lock.file]
    return found


def marker_for(targets: Iterable[Target]) -> str:
    """A marker that is true for all of these targets, and for as few others as one range of Pythons allows."""
    wanted = list(targets)
    systems = [system for system in SYSTEMS if any(target.system == system for target in wanted)]
    pythons = [python for python in PYTHONS if any(target.python == python for target in wanted)]
    parts = [" or ".join(f'sys_platform == "{system}"' for system in systems)] if len(systems) < len(SYSTEMS) else []
    if pythons[0] != PYTHONS[0]:
        parts.append(f'python_version >= "{pythons[0]}"')
    if pythons[-1] != PYTHONS[-1]:
        parts.append(f'python_version < "{PYTHONS[PYTHONS.index(pythons[-1]) + 1]}"')
    return " and ".join(f"({part})" if " or " in part and len(parts) > 1 else part for part in parts)


# Resolving, by pip ------------------------------------------------------------------------------------------------


def resolve(words: Sequence[str], constraints: Mapping[str, str]) -> dict[str, Package]:
    """What pip would install if `words` were its arguments."""
    with tempfile.TemporaryDirectory() as folder:
        pins, report = Path(folder, "constraints.txt"), Path(folder, "report.json")
        pins.write_text("".join(f"{name}=={version}\n" for name, version in constraints.items()), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-input", "--quiet"]
        done = subprocess.run(  # noqa: S603  pip, with what our requirements files name
            [*pip, "--target", folder, "--report", report, "--constraint", pins, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LockFailed(
                "\n".join(done.stdout.strip().splitlines()[-SHOWN_LINES:])
                + "\n\npip could not resolve the requirements. If the versions in the lock files are in the way, "
                "`python3 run.py lock --upgrade` drops those that no requirements file names."
            )
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        canonicalize_name(facts["name"]): Package(
            facts["version"], tuple(map(Requirement, facts.get("requires_dist", [])))
        )
        for facts in (each["metadata"] for each in installs)
    }


def resolve_for_all(roots: Sequence[str], constraints: Mapping[str, str]) -> dict[str, Package]:
    """What `roots` need on any system. Raises `LockFailed` where no single version suits all."""
    packages = resolve(roots, constraints)
    for target in TARGETS:
        while unmet := walk(roots, packages, target.environment())[1]:
            for requirement in unmet:
                if found := packages.get(canonicalize_name(requirement.name)):
                    raise LockFailed(
                        f"`{requirement}` is required on {target.system} with Python {target.python}, but pip chose "
                        f"{found.version} here. Name a version that suits both in a requirements file."
                    )
            system = ["--platform", SYSTEMS[target.system].tag, "--only-binary", ":all:"]
            python = ["--python-version", target.python, "--ignore-requires-python"]
            names = {str(requirement).partition(";")[0] for requirement in unmet}  # pip would evaluate markers for here
            packages |= resolve(["--no-deps", *system, *python, *sorted(names)], constraints)
    return packages


# Hashes, from the index -------------------------------------------------------------------------------------------


def published(names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """All files of each package on pip's index, requested the way pip does: same index, proxy and certificates."""
    from pip._internal.commands import create_command  # noqa: PLC0415  slow, and only needed here

    command: Any = create_command("install")
    options, _ = command.parse_args([])
    found = {}
    with command.main_context():
        session = command.get_default_session(options)
        for name in names:
            try:
                answer = session.get(f"{options.index_url.rstrip('/')}/{name}/", headers={"Accept": SIMPLE_JSON})
                answer.raise_for_status()
                found[name] = answer.json()["files"]
            except OSError as error:
                raise LockFailed(f"The package index does not list the files of {name} as JSON: {error}") from error
    return found


def version_of(filename: str) -> Version | None:
    """The version in the name of a wheel or a source archive; None for files that pip does not install."""
    try:
        return parse_wheel_filename(filename)[1] if filename.endswith(".whl") else parse_sdist_filename(filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def hashes(files: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted(file["hashes"]["sha256"] for file in files))


def refuse_unsupported(name: str, version: str, files: Sequence[Mapping[str, Any]], pythons: set[str]) -> None:
    """Raise `LockFailed` if a release that pip chose for one version of Python cannot be installed on the others."""
    for python in sorted(pythons):
        if not any(SpecifierSet(file.get("requires-python") or "").contains(python) for file in files):
            raise LockFailed(
                f"{name} {version} does not support Python {python}. Name another version in a requirements file."
            )


# The two commands -------------------------------------------------------------------------------------------------


def generate(*, upgrade: bool) -> None:
    """Write the lock files. Packages that no requirements file names keep their versions unless `upgrade`."""
    if this_environment()["python_version"] != PYTHONS[0]:
        raise LockFailed(
            f"Use Python {PYTHONS[0]}, the oldest supported: pip chooses versions for the Python it runs on."
        )
    pins = read_pins(file for lock in LOCKS for file in (*lock.sources, *lock.alone))
    read_pins(flavor_files())
    kept = {} if upgrade else {name: entry.version for lock in LOCKS for name, entry in read_lock(lock.file).items()}
    packages = resolve_for_all([root for lock in LOCKS for root in lock.roots()], kept | pins)
    versions = {name: package.version for name, package in packages.items()} | pins  # pins: torch without its +cpu
    placed: dict[str, dict[str, set[Target]]] = {lock.file: {} for lock in LOCKS}
    for target in TARGETS:
        for file, names in assign(packages, target.environment()).items():
            for name in names:
                placed[file].setdefault(name, set()).add(target)
    releases = {
        name: [file for file in files if version_of(file["filename"]) == Version(versions[name])]
        for name, files in published(name for names in placed.values() for name in names).items()
    }
    for name, targets in (each for names in placed.values() for each in names.items()):
        if name not in pins:
            refuse_unsupported(name, versions[name], releases[name], {target.python for target in targets})
    for lock in LOCKS:
        entries = [
            Entry(name, versions[name], marker_for(targets), hashes(releases[name]))
            for name, targets in placed[lock.file].items()
        ]
        write_lock(lock.file, [*lock.sources, *lock.alone], entries)
    for file, each in BY_FLAVOR.items():
        version = read_pins([each.source])[each.name]
        write_lock(file, [each.source], as_pinned({each.name: version}, in_filename=each.in_filename))
    for file, source in BESIDE.items():
        write_lock(file, [source], as_pinned(read_pins([source])))


def as_pinned(pins: Mapping[str, str], *, in_filename: str = "") -> list[Entry]:
    """Packages for every system, without what they need, and with the hashes of the files that are wanted."""
    found = []
    for name, files in published(pins).items():
        release = [each for each in files if version_of(each["filename"]) == Version(pins[name])]
        found.append(Entry(name, pins[name], "", hashes(each for each in release if in_filename in each["filename"])))
    return found


def check() -> list[str]:
    """What is wrong with the lock files, judging by the requirements files and by what is installed here."""
    read_pins(flavor_files())
    problems = [
        f"{file}: not as {source} has it."
        for file, source in BESIDE.items()
        if {name: entry.version for name, entry in read_lock(file).items() if entry.hashes} != read_pins([source])
    ]
    problems += [
        f"{file}: not as {each.source} has it."
        for file, each in BY_FLAVOR.items()
        if {name: entry.version for name, entry in read_lock(file).items()}
        != {each.name: read_pins([each.source]).get(each.name)}
    ]
    locked = {file: read_lock(file) for file in (*(lock.file for lock in LOCKS), *BY_FLAVOR)}
    versions = {entry.name: entry.version for entries in locked.values() for entry in entries.values()}
    problems += [
        f"{file}: {entry.name} has no hash."
        for file, entries in locked.items()
        for entry in entries.values()
        if not entry.hashes
    ]
    for lock in LOCKS:
        for name, version in read_pins([*lock.sources, *lock.alone]).items():
            if versions.get(name) != version:
                problems.append(
                    f"{lock.file}: {name} {version} is required, {versions.get(name, 'nothing')} is locked."
                )
    installed = {
        name: Package(each.version, tuple(map(Requirement, each.requires or ())))
        for name, each in distributions.installed().items()
    }
    for file, needed in assign(installed, this_environment()).items():
        here = {name for name, entry in locked[file].items() if not entry.marker or Marker(entry.marker).evaluate()}
        problems += [f"{file}: {name} is needed here and not locked." for name in sorted(needed - here)]
        problems += [f"{file}: {name} is locked and nothing needs it here." for name in sorted(here - needed)]
        for name in sorted(needed & here):
            version = installed[name].version if name in installed else "nothing"
            if version != versions[name]:
                problems.append(f"{file}: {name} {versions[name]} is locked, {version} is installed.")
    return problems


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("run.py lock", description="Pin every package, with hashes.", allow_abbrev=False)
    parser.add_argument(
        "--upgrade", action="store_true", help="also use new versions of the packages that no requirements file names"
    )
    parser.add_argument("--check", action="store_true", help="only check that the lock files are up to date")
    options = parser.parse_args(words)
    try:
        problems = check() if options.check else []
        if not options.check:
            generate(upgrade=options.upgrade)
    except LockFailed as failure:
        problems = [str(failure)]
    if options.check and problems:
        problems.append("If a requirements file has changed: `python3 run.py lock` updates the lock files.")
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
