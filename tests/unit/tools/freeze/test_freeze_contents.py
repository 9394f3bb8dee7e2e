"""The tables of what stays out are complete and match docs/building.md."""

from collections import Counter
from pathlib import Path

import pytest

from models.architectures import DEMUCS
from tools.freeze import contents

ROOT = Path(__file__).resolve().parents[4]
TABLES = {"modules": contents.MODULES_LEFT_OUT, "files": contents.FILES_LEFT_OUT}


@pytest.mark.parametrize("table", TABLES)
def test_each_name_stays_out_for_one_reason(table):
    """Every row has a reason and names, and no name is in two rows."""
    rows = TABLES[table]
    assert all(row.why.endswith(".") and row.names for row in rows)
    assert max(Counter(contents.names(rows)).values()) == 1


@pytest.mark.parametrize("row", [*contents.MODULES_LEFT_OUT, *contents.FILES_LEFT_OUT], ids=lambda row: row.names[0])
def test_the_document_gives_every_reason(row):
    """docs/building.md has every row, with its first name."""
    lines = (ROOT / "docs/building.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if row.why in line and f"`{row.names[0]}`" in line]


def test_demucs_networks_are_included_by_name():
    """The table of architectures names their modules as strings, which the finder does not see."""
    assert {entry.partition(":")[0] for entry in DEMUCS.values()} <= set(contents.BY_NAME)


def test_unlisted_is_everything_that_is_not_kept(tmp_path):
    """Both modules and packages."""
    for name in ("__init__.py", "kept.py", "other.py", "data.json"):
        (tmp_path / name).touch()
    for name in ("inner", "kept_too", "__pycache__"):
        (tmp_path / name).mkdir()
    assert contents.unlisted(tmp_path, "pack.age", ("kept", "kept_too")) == ["pack.age.inner", "pack.age.other"]


@pytest.mark.parametrize(
    "name", ["libiomp5md.dll", "libomp.dylib", "libgomp-24e2ab19.so.1.0.0", "libgomp.so.1", "libiomp5.dylib"]
)
def test_openmp_runtimes_are_recognised(name):
    """The names are those in torch's builds."""
    assert contents.OPENMP.match(name)


@pytest.mark.parametrize("name", ["libiompstubs5md.dll", "libompd.so", "libopenblas.so", "libgompertz.so"])
def test_other_libraries_are_not_openmp_runtimes(name):
    """Similar names do not match."""
    assert not contents.OPENMP.match(name)
