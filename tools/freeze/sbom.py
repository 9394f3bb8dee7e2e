"""The software bill of materials (SBOM): CycloneDX JSON of the folder, down to the libraries inside the packages."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tools.freeze.archives import sha256
from tools.freeze.licences import Licence

SPECIFICATION = "1.6"
# Makes the serial number a function of the contents.
NAMESPACE = uuid.UUID("5f0c4a1e-0c38-5d0a-9d6b-6a4c1f3f2b11")
KEPT_FIELDS = ("type", "name", "version", "purl", "licenses")


def bill(
    version: str, licences: Iterable[Licence], packages: Mapping[str, metadata.Distribution], lib: Path
) -> dict[str, Any]:
    """The SBOM of a folder. `packages` are the distributions in it; `licences` also has the parts that are not packages."""
    components = [component(licence, packages.get(canonicalize_name(licence.component)), lib) for licence in licences]
    content: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "dsu",
                "name": "dsu",
                "version": version,
                "licenses": [{"license": {"id": "MIT"}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": "dsu", "dependsOn": [each["bom-ref"] for each in components]}],
    }
    number = uuid.uuid5(NAMESPACE, json.dumps(content, sort_keys=True))
    return {**content, "serialNumber": f"urn:uuid:{number}"}


def component(licence: Licence, package: metadata.Distribution | None, lib: Path) -> dict[str, Any]:
    """A component, and if it is a package, what its wheel's own SBOMs list and the libraries bundled with it."""
    name = canonicalize_name(licence.component)
    address = f"pkg:pypi/{name}@{licence.version}" if package else f"pkg:generic/{name}@{licence.version}"
    described: dict[str, Any] = {
        "type": "library",
        "bom-ref": address,
        "name": licence.component,
        "version": licence.version,
        "purl": address,
        "licenses": [{"license": {"name": licence.statement}}],
    }
    inside = [*_from_wheel(package), *_libraries(package, lib)] if package else []
    if inside:
        described["components"] = [{**each, "bom-ref": f"{address}#{number}"} for number, each in enumerate(inside)]
    return described


def _from_wheel(package: metadata.Distribution) -> Iterator[dict[str, Any]]:
    """What the SBOMs in a wheel list, without the package itself."""
    seen: set[str] = set()
    for file in sorted(package.files or (), key=str):
        if "sboms" in file.parts and file.suffix == ".json":
            listed = json.loads(file.read_text(encoding="utf-8")).get("components", [])
            for each in listed:
                kept = {field: each[field] for field in KEPT_FIELDS if field in each}
                text = json.dumps(kept, sort_keys=True)
                if text not in seen and canonicalize_name(each["name"]) != canonicalize_name(package.metadata["Name"]):
                    seen.add(text)
                    yield kept


def _libraries(package: metadata.Distribution, lib: Path) -> Iterator[dict[str, Any]]:
    """The libraries in the folder that the wheel has next to its package."""
    for file in sorted(package.files or (), key=str):
        path = lib.joinpath(*file.parts)
        if file.parts[0].endswith((".libs", ".dylibs")) and path.is_file():
            digest = {"alg": "SHA-256", "content": sha256(path)}
            yield {"type": "file", "name": "/".join(file.parts), "hashes": [digest]}
