"""What identifies a build: the hash of every file, and a mark of the sources that it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tools.freeze.archives import sha256
from tools.freeze.slimming import files

MANIFEST = "MANIFEST.json"
# What the frozen programs are made of. Documents, tests and tools change without a new build.
SOURCES = ("build_dsu.py", "configs", "embedded", "models", "tools/freeze", "utils", "workers")
SOURCE_SUFFIXES = frozenset({".py", ".json", ".yaml", ".yml", ".safetensors", ".txt", ".md"})


def sources_digest(root: Path) -> str:
    """A mark of the sources as they are now: another one as soon as anything changes that goes into a build."""
    digest = hashlib.sha256()
    for path in sorted(_sources(root), key=lambda path: path.relative_to(root).as_posix()):
        content = path.read_bytes().replace(b"\r\n", b"\n")  # as git may check text out
        digest.update(f"{path.relative_to(root).as_posix()}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def _sources(root: Path) -> Iterable[Path]:
    for name in SOURCES:
        place = root / name
        yield from [place] if place.is_file() else (each for each in place.rglob("*") if each.suffix in SOURCE_SUFFIXES)


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Every file with its size and hash, itself left out."""
    listed = {
        path.relative_to(folder).as_posix(): {"size_bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in files(folder)
        if path.name != MANIFEST
    }
    write_json(folder / MANIFEST, {**facts, "files": listed})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def changed_files(folder: Path) -> list[str]:
    """The files that are not as the manifest says, missing, or not in it."""
    listed = read_manifest(folder)["files"]
    there = {path.relative_to(folder).as_posix(): path for path in files(folder) if path.name != MANIFEST}
    differing = {name for name in listed.keys() & there if sha256(there[name]) != listed[name]["sha256"]}
    return sorted(differing | (listed.keys() ^ there.keys()))


def read_manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest
