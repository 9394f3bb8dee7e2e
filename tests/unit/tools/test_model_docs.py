"""What documents say about models: fresh, and true to the lists."""

import pytest

from tools import model_docs as docs
from utils.store.registry import Registry


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


def test_the_files_are_fresh(registry):
    """`python -m tools.model_docs` was run after the last change."""
    text = docs.MODELS.read_text(encoding="utf-8")
    assert text == docs.render_models(text, registry)
    assert docs.LIST.read_text(encoding="utf-8") == docs.render_list(registry)


def test_every_table_is_in_the_document():
    """Each that can be made has its place, and each place a table."""
    names = [found[1] for found in docs.TABLE.findall(docs.MODELS.read_text(encoding="utf-8"))]
    assert sorted(names) == sorted(docs.TABLES)


def test_a_place_for_a_table_that_nobody_makes(registry):
    """It is a mistake of whoever wrote the document."""
    with pytest.raises(KeyError, match="nonsense"):
        docs.render_models("<!-- table: nonsense -->\n<!-- end -->", registry)


def test_all_models_are_listed_once(registry):
    """With a row each."""
    rows = [line.split(" | ")[0].strip("| ") for line in docs.render_list(registry).splitlines() if "`" in line]
    names = [f"`{record.name}`" for record in registry]
    assert [row for row in rows if row in names] == [row for row in rows if row.startswith("`")]
    assert sorted(row for row in rows if row in names) == sorted(names)


def test_check_tells_fresh_from_stale(tmp_path, monkeypatch, capsys):
    """The exit status is 1 when a file differs, and 0 once it was written."""
    for name, path in (("MODELS", docs.MODELS), ("LIST", docs.LIST)):
        copy = tmp_path / path.name
        copy.write_text(path.read_text(encoding="utf-8").replace("htdemucs", "htdemux"), encoding="utf-8")
        monkeypatch.setattr(docs, name, copy)
    assert docs.main(["--check"]) == 1
    assert "models.md is stale" in capsys.readouterr().err
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
