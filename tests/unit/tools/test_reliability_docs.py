"""docs/reliability.md: true to what a run wrote down."""

import ast
import json
from pathlib import Path

import pytest

from tools import reliability_docs as docs

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "tests" / "reliability").glob("test_*.py"))


def record(says="It holds.", section="Kills. Of workers", lost=0, notes=(), **tried):
    return {"section": section, "says": says, "tried": tried, "lost": lost, "notes": list(notes)}


def test_every_record_is_in_the_page(tmp_path):
    """With its numbers, those of all parameters of a test together, and what was lost."""
    records = [
        record(call=1000, lost=2),
        record(call=1, moment=2, notes=["3 MiB"]),
        record("Another | thing.", "Lines"),
    ]
    for number, one in enumerate(records):
        (tmp_path / f"{number}.json").write_text(json.dumps(one))
    docs.write_page(tmp_path, 0.25, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "| It holds. | 1,003 | 2 | call 1,001, moment 2; 3 MiB |" in page
    assert "| Another \\| thing. | 0 | 0 |  |" in page
    assert "## Kills\n\nOf workers.\n" in page
    assert "1,003 times something was tried, and 2 times something was lost" in page
    assert "25 % of what a full one does" in page
    assert docs.FULL in docs.render(records, 1.0, "")
    assert f"## Not part of this run\n\n- {docs.known_tests()[0]}\n" in page
    assert "Not part" not in docs.render(records, 1.0, "", ["It holds."])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_page_tells_of_every_test(path):
    """A test that was added is in the page when the long run has been repeated, or the page says that it was not tried."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    page = docs.TARGET.read_text(encoding="utf-8")
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert tests
    for test in tests:
        assert (ast.get_docstring(test) or "").splitlines()[0] in page
