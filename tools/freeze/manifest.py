"""What identifies a build: the hash of every file, and a digest of the sources it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.freeze.archives import sha256
from tools.freeze.slimming import files

MANIFEST = "MANIFEST.json"
# What the frozen programs are made from. Documents, tests and tools may change without a new build.
SOURCES = (
    "build_dsu.py",
    "configs",
    "embedded",
    "locks/runtime.txt",
    "locks/studio.txt",
    "models",
    "studio/build.mjs",
    "studio/package-lock.json",
    "studio/src",
    "tools/freeze",
    "utils",
    "workers",
)
SOURCE_SUFFIXES = frozenset(
    (*(".py", ".json", ".yaml", ".yml", ".safetensors", ".txt", ".md", ".html", ".css", ".js"), ".svg", ".ts", ".tsx")
)


def sources_digest(root: Path) -> str:
    """A digest of the current sources, which changes with anything that goes into a build."""
    places = [root / name for name in SOURCES]
    found = {path for place in places for path in place.rglob("*") if path.suffix in SOURCE_SUFFIXES}
    found |= {place for place in places if place.is_file()}
    digest = hashlib.sha256()
    for path in sorted(found, key=lambda path: path.relative_to(root).as_posix()):
        content = path.read_bytes().replace(b"\r\n", b"\n")  # git may check text out with either
        digest.update(f"{path.relative_to(root).as_posix()}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """List every file but the manifest itself, with its size and hash."""
    listed = {
        path.relative_to(folder).as_posix(): {"size_bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in files(folder)
        if path.name != MANIFEST
    }
    write_json(folder / MANIFEST, {**facts, "files": listed})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def changed_files(folder: Path) -> list[str]:
    """The files that differ from the manifest, are missing, or are not in it."""
    listed = read_manifest(folder)["files"]
    there = {path.relative_to(folder).as_posix(): path for path in files(folder) if path.name != MANIFEST}
    differing = {name for name in listed.keys() & there if sha256(there[name]) != listed[name]["sha256"]}
    return sorted(differing | (listed.keys() ^ there.keys()))


def read_manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest
