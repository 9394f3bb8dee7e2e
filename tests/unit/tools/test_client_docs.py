"""docs/reference/python.md and node.md: fresh, and with everything that the clients export."""

import re
from pathlib import Path

import dsu_client
import pytest

from tools import node_docs, python_docs


@pytest.mark.parametrize("docs", [python_docs, node_docs], ids=["python", "node"])
def test_the_file_is_fresh(docs):
    """Its module was run after the last change of the client."""
    assert docs.TARGET.read_text(encoding="utf-8") == docs.render()


def test_everything_that_the_python_client_exports_has_a_section():
    """With what classes have from others: the constructor, the methods, and the commands."""
    text = python_docs.render()
    titles = re.findall(r"^##+ (.*)$", text, re.MULTILINE)
    assert {*dsu_client.__all__, "DSU.separate", "AsyncDSU.cancel", "DSU.pid", "Commands of AsyncDSU"} <= set(titles)
    assert len(titles) == len(set(titles))
    assert "DSU(\n    kind: str = 'dsu',\n    *,\n    directory: Pathname | None = None,\n" in text
    assert "async def send(request: Mapping[str, Any], *, on_line: OnLine | None = None) -> dict[str, Any]\n" in text


def test_everything_that_the_node_client_exports_has_a_section():
    """All values of both modules; of types those that are described."""
    titles = set(re.findall(r"^### (\w+)$", node_docs.render(), re.MULTILINE))
    for name in ("index", "runtime"):
        text = (node_docs.CLIENT / f"{name}.d.ts").read_text(encoding="utf-8")
        assert set(re.findall(r"^export (?:class|function|const|interface) (\w+)", text, re.MULTILINE)) <= titles


def test_a_declaration_ends_where_its_brackets_do():
    """Whatever stands in its comments; types that only make others are left out."""
    text = Path(node_docs.CLIENT / "index.d.ts").read_text(encoding="utf-8")
    found = {one.name: one for one in node_docs.declarations(text)}
    assert "Row" not in found
    assert found["CancelledError"].text == "class CancelledError extends DSUError {\n  readonly code: 'cancelled';\n}"
    assert found["PROTOCOL_VERSION"].comment == "The version of the protocol that this client speaks."
