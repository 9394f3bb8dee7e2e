"""docs/compatibility.md: fresh, and true to the rows that are tested."""

from types import SimpleNamespace

import pytest

from tools import compatibility_docs as docs


def test_the_file_is_fresh():
    """`python -m tools.compatibility_docs` was run after the last change."""
    assert docs.TARGET.read_text(encoding="utf-8") == docs.render()


def test_check_tells_fresh_from_stale(tmp_path, monkeypatch, capsys):
    """The exit status is 1 when the file is missing or differs, and 0 once it was written."""
    monkeypatch.setattr(docs, "TARGET", tmp_path / "docs" / "compatibility.md")
    assert docs.main(["--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    docs.TARGET.write_text("old", encoding="utf-8")
    assert docs.main(["--check"]) == 1


@pytest.mark.parametrize("section", docs.sections(), ids=lambda section: section.__name__)
def test_every_row_is_in_the_document_once(section):
    """What is tested is told, and nothing is told twice."""
    words = [row.words for row in section.ROWS]
    assert len(words) == len(set(words))
    text = docs.render()
    assert section.TITLE in text
    assert all(difference in text for difference in section.DIFFERENCES)


def test_reasons_have_a_column_only_where_there_are_some():
    """A table without differences is not half empty; what would break a table is escaped."""
    same = SimpleNamespace(words="a | b", shows="runs", differs="")
    other = SimpleNamespace(words="c `d`", shows="runs", differs="it is another")
    section = SimpleNamespace(TITLE="T", INTRODUCTION="I", ROWS=[same], DIFFERENCES=[])
    text = docs.render_section(section)
    assert "| what | shows |" in text
    assert "a \\| b" in text
    section.ROWS.append(other)
    assert "| `` c `d` `` | runs | it is another |" in docs.render_section(section)
