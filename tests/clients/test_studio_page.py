"""The page of DSU Studio: what it is built from is pinned, its types are right, and its logic passes its own tests."""

import json
import re
from pathlib import Path

import pytest
from node_runtime import program, run

from utils import __version__

STUDIO = Path(__file__).resolve().parents[2] / "studio"


def test_the_page_has_the_version_of_the_workers_and_pinned_packages():
    """One version, in npm's files too; nothing newer than what was tested, and no registry is named."""
    package = json.loads((STUDIO / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((STUDIO / "package-lock.json").read_text(encoding="utf-8"))
    assert package["version"] == lock["version"] == __version__
    assert all(
        re.fullmatch(r"\d+\.\d+\.\d+", version)
        for version in (package["dependencies"] | package["devDependencies"]).values()
    )
    assert not any("resolved" in each for each in lock["packages"].values())
    assert all("integrity" in each for name, each in lock["packages"].items() if name)


@pytest.mark.e2e
def test_the_page_is_built_and_its_logic_works(node):
    """From the lock file: the types are right, the page is made, and mixing, choosing and reading options do what they should."""
    npm = program("npm")
    for words in (("ci",), ("run", "build"), ("test", "--", "unit")):
        done = run(npm, *words, cwd=STUDIO)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (STUDIO / "dist" / "index.html").is_file()
