"""One version, and the changelog tells about it."""

import re
from pathlib import Path

from utils import __version__

CHANGELOG = Path(__file__).resolve().parents[2] / "CHANGELOG.md"


def test_changelog_begins_with_this_version():
    """The newest heading of the changelog is the version of the code."""
    headings = re.findall(r"^## (\S+)", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == __version__


def test_version_is_semantic():
    """Three numbers, so that clients can compare."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
