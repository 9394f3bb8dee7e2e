"""The picture of the architecture is drawn from the imports."""

from tools import architecture_docs
from tools.architecture_docs import arrows, draw, imports, part_of, ranks


def test_the_picture_is_current():
    """`run.py gen` draws it anew."""
    assert architecture_docs.TARGET.read_text(encoding="utf-8") == draw(imports())


def test_late_imports_are_imports(tmp_path):
    """Wherever in a file they are."""
    (tmp_path / "utils" / "store").mkdir(parents=True)
    (tmp_path / "utils" / "store" / "x.py").write_text(
        "def f():\n    from utils.core import errors\n", encoding="utf-8"
    )
    assert imports(tmp_path)["utils.store"] == {"utils.core"}


def test_a_module_belongs_to_the_most_special_part():
    """And what is no part of the product to none."""
    assert part_of("utils.engine.pipeline.stream") == "utils.engine.pipeline"
    assert part_of("utils.engine.cache") == "utils.engine"
    assert part_of("numpy.linalg") is None


def test_what_a_longer_path_tells_is_not_drawn_twice():
    """And every arrow goes down."""
    found = {part: set() for part in architecture_docs.PARTS}
    found |= {"workers": {"utils.engine", "utils.audio"}, "utils.engine": {"utils.audio", "utils.core"}}
    drawn = arrows(found)
    assert (drawn["workers"], drawn["utils.engine"]) == (["utils.engine"], ["utils.audio"])
    rows = ranks(arrows(imports()))
    row_of = {part: number for number, row in enumerate(rows) for part in row}
    assert all(row_of[other] > row_of[part] for part, others in arrows(imports()).items() for other in others)
