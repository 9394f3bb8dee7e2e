"""The SBOM is complete, reproducible and valid CycloneDX."""

import hashlib
import json

import pytest
from fake_packages import make_distribution

from tools.freeze import sbom
from tools.freeze.licences import Licence


@pytest.fixture
def packages(tmp_path):
    """`Pack` comes with a library, one that was left out, and an SBOM of its own."""
    inner = [
        {"type": "library", "name": "rust-thing", "version": "3", "licenses": [{"expression": "MIT"}], "bom-ref": "x"},
        {"type": "library", "name": "rust-thing", "version": "3", "licenses": [{"expression": "MIT"}], "bom-ref": "y"},
        {"type": "library", "name": "pack", "version": "1.0"},
    ]
    files = {
        "pack.libs/liba.so": "a",
        "pack.libs/gone.so": None,
        "pack/__init__.py": "",
        "Pack-1.0.dist-info/sboms/x.cdx.json": json.dumps({"components": inner}),
    }
    return {"pack": make_distribution(tmp_path / "lib", "Pack", files=files)}


@pytest.fixture
def listed():
    return [Licence("Pack", "1.0", "MIT", "", ()), Licence("Python", "3.11.7", "PSF-2.0", "", ())]


def test_components_list_what_their_wheels_contain(packages, listed, tmp_path):
    """They list what is in their own SBOM, once each, and the libraries that are in the folder, with hashes."""
    pack, python = sbom.bill("0.1.0", listed, packages, tmp_path / "lib")["components"]
    assert (pack["purl"], pack["version"]) == ("pkg:pypi/pack@1.0", "1.0")
    rust, library = pack["components"]
    assert (rust["name"], rust["licenses"]) == ("rust-thing", [{"expression": "MIT"}])
    digest = hashlib.sha256(b"a").hexdigest()
    assert (library["name"], library["hashes"]) == ("pack.libs/liba.so", [{"alg": "SHA-256", "content": digest}])
    assert python["purl"] == "pkg:generic/python@3.11.7"
    assert "components" not in python


def test_references_are_unique_and_resolve(packages, listed, tmp_path):
    """The format requires it."""
    bill = sbom.bill("0.1.0", listed, packages, tmp_path / "lib")
    components = [bill["metadata"]["component"], *bill["components"]]
    inner = [each for component in components for each in component.get("components", ())]
    references = [each["bom-ref"] for each in [*components, *inner]]
    assert len(set(references)) == len(references)
    assert set(bill["dependencies"][0]["dependsOn"]) <= set(references)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")


def test_the_number_comes_from_the_content(packages, listed, tmp_path):
    """Equal SBOMs have equal serial numbers, and different ones different numbers."""
    numbers = [sbom.bill(version, listed, packages, tmp_path / "lib")["serialNumber"] for version in ("1", "1", "2")]
    assert numbers[0] == numbers[1] != numbers[2]
    assert numbers[0].startswith("urn:uuid:")
