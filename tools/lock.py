"""The lock: every package that `run.py` installs, at one version, with the hashes of all files of that release.

    python3 run.py lock              after changing a version in a requirements file
    python3 run.py lock --upgrade    also move everything that no requirements file names to its newest version
    python -m tools.lock --check     is the lock complete and up to date? Needs no network; `run.py check` runs it

pip resolves the requirements files for the machine that it runs on. What other systems and other versions of Python need
on top of that is found by evaluating the packages' metadata for each of them. The hashes are those that the index publishes
which pip is configured for.

torch is not locked, except for Macs: which of its files is right depends on the index that somebody chose (CPU, CUDA 12.6,
...), and the builds of PyTorch's own index have hashes that no package index publishes. It is pinned and installed after
everything else, so that the only other packages without hashes are the CUDA libraries that its build asks for.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from packaging.markers import default_environment
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
# What only torch's builds for CUDA on Linux ask for.
CUDA_LIBRARIES = re.compile(r"nvidia-|cuda-|triton|pytorch-triton")
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?!\S)")


class LockFailed(Exception):
    """The lock cannot be made; the message is for the person who maintains it."""


class Lock(NamedTuple):
    """A lock file and the requirements files that it is made from; of those in `alone`, dependencies are left out."""

    file: str
    sources: tuple[str, ...]
    alone: tuple[str, ...] = ()


# In the order in which they add to each other: nothing is in a lock that an earlier one has.
LOCKS = (
    Lock(run.RUNTIME_LOCK, tuple(f"requirements-{flavor}.txt" for flavor in run.FLAVORS), ("requirements-alone.txt",)),
    Lock(run.BUILD_LOCK, ("requirements-build.txt",)),
    Lock(run.DEV_LOCK, ("requirements-dev.txt",), ("requirements-peers.txt",)),
)


class Target(NamedTuple):
    """A system and a version of Python that the lock is good for."""

    system: str
    python: str

    def environment(self) -> dict[str, str]:
        """What markers are evaluated for."""
        facts = {"python_version": self.python, "python_full_version": f"{self.python}.0", "sys_platform": self.system}
        return {**machine(), **SYSTEMS[self.system].facts, **facts}


class System(NamedTuple):
    """What markers say about an operating system, and the wheels that it takes."""

    wheels: str
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
TARGETS = tuple(Target(system, python) for system in SYSTEMS for python in PYTHONS)


class Package(NamedTuple):
    """A release and what it says it needs."""

    version: str
    requires: tuple[Requirement, ...]


class Entry(NamedTuple):
    """A package in a lock file. Without a marker it is installed everywhere."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def applies_here(self) -> bool:
        marker = Requirement(f"{self.name}; {self.marker}").marker if self.marker else None
        return marker is None or marker.evaluate()


# Files ------------------------------------------------------------------------------------------------------------


def read_pins(names: Iterable[str]) -> dict[str, str]:
    """The packages and versions in requirements files. Raises `LockFailed` if the files disagree."""
    pins: dict[str, str] = {}
    for name in names:
        for requirement in distributions.requirements(run.ROOT / name):
            package, version = canonicalize_name(requirement.name), str(requirement.specifier).removeprefix("==")
            if pins.setdefault(package, version) != version:
                raise LockFailed(f"{name} wants {package} {version}, another file {pins[package]}.")
    return pins


def read_lock(file: str) -> dict[str, Entry]:
    """The entries of a lock file by name; none where there is no file."""
    path = run.ROOT / file
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    entries = {}
    for line in lines:
        requirement = Requirement(line.partition("--hash")[0])
        name, version = canonicalize_name(requirement.name), str(requirement.specifier).removeprefix("==")
        marker = str(requirement.marker) if requirement.marker else ""
        entries[name] = Entry(name, version, marker, tuple(HASH.findall(line)))
    return entries


def write_lock(file: str, sources: Sequence[str], entries: Iterable[Entry]) -> None:
    lines = [f"# Made by `python3 run.py lock` from {', '.join(sources)}. Do not edit."]
    for entry in sorted(entries):
        marker = f" ; {entry.marker}" if entry.marker else ""
        lines.append(
            " \\\n    ".join([f"{entry.name}=={entry.version}{marker}", *map("--hash=sha256:{}".format, entry.hashes)])
        )
    path = run.ROOT / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


# Needs ------------------------------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """This machine and this Python, as markers see them."""
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
        package = packages.get(name)
        if package is None or not requirement.specifier.contains(package.version, prereleases=True):
            unmet.append(requirement)
        needed.add(name)
        if package and (name, extras) not in seen:
            seen.add((name, extras))
            waiting += [
                each
                for each in package.requires
                if not (name == TORCH and CUDA_LIBRARIES.match(each.name)) and applies(each, environment, extras)
            ]
    return needed, unmet


def applies(requirement: Requirement, environment: Mapping[str, str], extras: Iterable[str]) -> bool:
    """Whether a package with these extras has this requirement in an environment."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras))


def marker_of(targets: Iterable[Target]) -> str:
    """The shortest marker that is true for all of these targets; nothing where it would always be true."""
    systems = [system for system in SYSTEMS if any(target.system == system for target in targets)]
    pythons = [python for python in PYTHONS if any(target.python == python for target in targets)]
    parts = []
    if len(systems) < len(SYSTEMS):
        parts.append(" or ".join(f'sys_platform == "{system}"' for system in systems))
    if pythons[0] != PYTHONS[0]:
        parts.append(f'python_version >= "{pythons[0]}"')
    if pythons[-1] != PYTHONS[-1]:
        parts.append(f'python_version < "{PYTHONS[PYTHONS.index(pythons[-1]) + 1]}"')
    return " and ".join(f"({part})" if " or " in part and len(parts) > 1 else part for part in parts)


# Resolving --------------------------------------------------------------------------------------------------------


def resolve(words: Sequence[str], constraints: Mapping[str, str]) -> dict[str, Package]:
    """The releases that pip would install. `words` are its arguments."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pinned = folder / "constraints.txt"
        pinned.write_text("".join(f"{package}=={version}\n" for package, version in constraints.items()))
        report = folder / "report.json"
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-input", "--quiet"]
        more = ["--target", str(folder / "nothing")] if "--platform" in words else []
        done = subprocess.run(  # noqa: S603  pip, with the names in our own files
            [*pip, "--report", str(report), "--constraint", str(pinned), *more, *words],
            cwd=run.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LockFailed(
                f"{done.stdout.strip()}\n\npip found no versions that fit together. If packages that no requirements "
                "file names are in the way, `python3 run.py lock --upgrade` gives them new versions."
            )
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        canonicalize_name(facts["name"]): Package(
            facts["version"], tuple(Requirement(line) for line in facts.get("requires_dist", ()))
        )
        for facts in (each["metadata"] for each in installs)
    }


def complete(packages: dict[str, Package], roots: Sequence[str], constraints: Mapping[str, str]) -> None:
    """Add what other systems and versions of Python need. Raises `LockFailed` where one version does not suit all."""
    for target in TARGETS:
        while unmet := walk(roots, packages, target.environment())[1]:
            for requirement in unmet:
                if (name := canonicalize_name(requirement.name)) in packages:
                    raise LockFailed(
                        f"On {target.system} with Python {target.python} `{requirement}` is needed, and "
                        f"{packages[name].version} is what the other systems get."
                    )
            wheels = ["--platform", SYSTEMS[target.system].wheels, "--python-version", target.python]
            words = ["--no-deps", "--ignore-requires-python", "--only-binary", ":all:", *wheels]
            # Without their markers, which pip evaluates for this machine.
            packages |= resolve([*words, *sorted({str(each).partition(";")[0] for each in unmet})], constraints)


# Hashes -----------------------------------------------------------------------------------------------------------


def published(names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The files of each package that pip's index lists, asked for as pip would: same index, proxy and certificates."""
    from pip._internal.commands import create_command  # noqa: PLC0415  only this function needs pip itself

    command: Any = create_command("install")
    options, _ = command.parse_args([])
    found = {}
    with command.main_context():
        session = command.get_default_session(options)
        for name in names:
            answer = session.get(f"{options.index_url.rstrip('/')}/{name}/", headers={"Accept": SIMPLE_JSON})
            answer.raise_for_status()
            found[name] = answer.json()["files"]
    return found


def version_in(filename: str) -> Version | None:
    """The version in the name of a wheel or a source archive; nothing for files that pip no longer installs."""
    try:
        return parse_wheel_filename(filename)[1] if filename.endswith(".whl") else parse_sdist_filename(filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def hashes(files: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted(each["hashes"]["sha256"] for each in files))


def refuse_unfit(name: str, version: str, files: Iterable[Mapping[str, Any]], targets: Iterable[Target]) -> None:
    """Raise `LockFailed` if a release that pip has chosen for this Python does not support all that need it."""
    supported = [SpecifierSet(each.get("requires-python") or "") for each in files]
    for python in sorted({target.python for target in targets}):
        if not any(pythons.contains(python) for pythons in supported):
            raise LockFailed(
                f"{name} {version} has no file for Python {python}: name an older one in a requirements file."
            )


# The two commands -------------------------------------------------------------------------------------------------


def contents(packages: Mapping[str, Package], environment: Mapping[str, str]) -> dict[str, set[str]]:
    """The packages that belong in each lock file for one environment. None is in two files."""
    found: dict[str, set[str]] = {}
    earlier = {TORCH}
    for lock in LOCKS:
        needed, _ = walk(roots(lock), packages, environment)
        found[lock.file] = (needed | read_pins(lock.alone).keys()) - earlier
        earlier |= found[lock.file]
    return found


def roots(*locks: Lock) -> list[str]:
    """The requirements of locks, those left out whose own requirements do not count."""
    return [f"{name}=={version}" for lock in locks for name, version in read_pins(lock.sources).items()]


def generate(*, upgrade: bool) -> None:
    """Write the lock files. Packages that no requirements file names keep their versions unless `upgrade`."""
    pins = read_pins(name for lock in LOCKS for name in (*lock.sources, *lock.alone))
    kept = {} if upgrade else {name: entry.version for lock in LOCKS for name, entry in read_lock(lock.file).items()}
    constraints = kept | pins
    packages = resolve(roots(*LOCKS), constraints)
    complete(packages, roots(*LOCKS), constraints)
    versions = {name: package.version for name, package in packages.items()} | pins  # torch without +cpu
    targets: dict[str, dict[str, set[Target]]] = {lock.file: {} for lock in LOCKS}
    for target in TARGETS:
        for file, names in contents(packages, target.environment()).items():
            for name in names:
                targets[file].setdefault(name, set()).add(target)
    listed = published([TORCH, *sorted(name for each in targets.values() for name in each)])
    releases = {
        name: [each for each in files if version_in(each["filename"]) == Version(versions[name])]
        for name, files in listed.items()
    }
    locked: dict[str, list[Entry]] = {}
    for file, each in targets.items():
        for name, where in each.items():
            if name not in pins:
                refuse_unfit(name, versions[name], releases[name], where)
        locked[file] = [Entry(n, versions[n], marker_of(where), hashes(releases[n])) for n, where in each.items()]
    for_macs = [each for each in releases[TORCH] if "macosx" in each["filename"]]
    write_lock(run.MAC_TORCH_LOCK, ["requirements-mac-mps.txt"], [Entry(TORCH, pins[TORCH], "", hashes(for_macs))])
    for lock in LOCKS:
        write_lock(lock.file, (*lock.sources, *lock.alone), locked[lock.file])


def check() -> list[str]:
    """What is wrong with the lock, going by the requirements files and by what is installed here."""
    locked = {lock.file: read_lock(lock.file) for lock in LOCKS}
    entries = [(file, entry) for file in (*locked, run.MAC_TORCH_LOCK) for entry in read_lock(file).values()]
    problems = [f"{file}: {entry.name} has no hash." for file, entry in entries if not entry.hashes]
    versions = {entry.name: entry.version for _, entry in entries}
    for lock in LOCKS:
        for name, version in read_pins((*lock.sources, *lock.alone)).items():
            if versions.get(name) != version:
                problems.append(f"{name} {version} is required, {versions.get(name, 'nothing')} is locked.")
    installed = {
        name: Package(each.version, tuple(map(Requirement, each.requires or ())))
        for name, each in distributions.installed().items()
    }
    for file, names in contents(installed, machine()).items():
        expected = {name for name, entry in locked[file].items() if entry.applies_here()}
        problems += [f"{file}: {name} is needed here and not locked." for name in sorted(names - expected)]
        problems += [f"{file}: {name} is locked and not needed here." for name in sorted(expected - names)]
        for name in sorted(names & expected):
            version = installed[name].version if name in installed else "nothing"
            if version != versions[name]:
                problems.append(f"{file}: {name} {versions[name]} is locked, {version} is installed.")
    return problems


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("run.py lock", description="Pin all packages.", allow_abbrev=False)
    parser.add_argument("--upgrade", action="store_true", help="new versions of what no requirements file names")
    parser.add_argument("--check", action="store_true", help="only say whether the lock files are up to date")
    options = parser.parse_args(words)
    try:
        if options.check:
            problems = check()
            print("\n".join([*problems, "`python3 run.py lock` makes the lock files anew."] if problems else []))
            return 1 if problems else 0
        generate(upgrade=options.upgrade)
    except LockFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
