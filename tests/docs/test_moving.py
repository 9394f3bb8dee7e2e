"""The tables of docs/moving.md name options that there are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("demucs", "audio-separator")
# Of programs and commands other than `dsu separate`.
OTHERS = {"--ensemble", "--for"}

pytestmark = pytest.mark.slow


def options_of(*words):
    """The options that a help text has."""
    command = [sys.executable, str(ROOT / "workers" / "dsu_worker.py"), *words, "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", told))


def test_what_is_typed_instead_exists():
    """In the last column of each table for `dsu`."""
    table = re.findall(r"^\|.*\|$", (ROOT / "docs" / "moving.md").read_text(encoding="utf-8"), re.MULTILINE)
    codes = [code for row in table for code in re.findall(r"`([^`]*)`", row.strip("|").rpartition("|")[2])]
    named = {word for code in codes for word in re.findall(r"(?<![\w-])--?[a-z][\w-]*", code)}
    known = set().union(*(options_of("separate", "--family", family) for family in FAMILIES), options_of("separate"))
    assert named - known <= OTHERS
    assert len(named) > 20
