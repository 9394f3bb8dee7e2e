"""The files in a build, and the digest of the sources it was made from."""

import pytest

from tools.freeze import manifest


@pytest.fixture
def project(tmp_path):
    """A small project: sources, and files that are not built."""
    for name in ("utils/core/a.py", "configs/x/b.yaml", "tests/test_a.py", "utils/core/__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    (tmp_path / "build_dsu.py").write_text("recipe\n")
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/runtime.txt").write_text("torch\n")
    (tmp_path / "locks/dev.txt").write_text("pytest\n")
    return tmp_path


@pytest.mark.parametrize("name", ["utils/core/a.py", "configs/x/b.yaml", "build_dsu.py", "locks/runtime.txt"])
def test_every_change_of_a_source_changes_the_digest(project, name):
    """So an outdated build is recognised."""
    before = manifest.sources_digest(project)
    (project / name).write_text("changed\n")
    assert manifest.sources_digest(project) != before


def test_new_names_change_the_digest(project):
    """Renaming a file is a change, too."""
    before = manifest.sources_digest(project)
    (project / "utils/core/a.py").rename(project / "utils/core/c.py")
    assert manifest.sources_digest(project) != before


def test_what_is_not_built_does_not_count(project):
    """Tests, caches, development packages and git's line endings have no influence."""
    before = manifest.sources_digest(project)
    (project / "tests/test_a.py").write_text("changed\n")
    (project / "locks/dev.txt").write_text("changed\n")
    (project / "utils/core/__pycache__/a.pyc").unlink()
    (project / "utils/core/a.py").write_bytes(b"utils/core/a.py\r\n")
    assert manifest.sources_digest(project) == before


def test_changes_in_a_folder_are_found(tmp_path):
    """Changed, missing and new files are listed, and an unchanged folder gives an empty list."""
    for name in ("same", "other", "gone", "sub/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    manifest.write_manifest(tmp_path, {"version": "1"})
    assert manifest.changed_files(tmp_path) == []
    assert manifest.read_manifest(tmp_path)["version"] == "1"
    (tmp_path / "other").write_text("OTHER")
    (tmp_path / "gone").unlink()
    (tmp_path / "sub" / "new").touch()
    assert manifest.changed_files(tmp_path) == ["gone", "other", "sub/new"]
