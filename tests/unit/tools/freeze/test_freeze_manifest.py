"""Which files a build has, and which sources it was made of."""

import pytest

from tools.freeze import manifest


@pytest.fixture
def project(tmp_path):
    """A project of two sources."""
    for name in ("utils/core/a.py", "configs/x/b.yaml", "tests/test_a.py", "utils/core/__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    (tmp_path / "build_dsu.py").write_text("recipe\n")
    return tmp_path


@pytest.mark.parametrize("name", ["utils/core/a.py", "configs/x/b.yaml", "build_dsu.py"])
def test_every_change_of_a_source_changes_the_mark(project, name):
    """A build from before is then an old one."""
    before = manifest.sources_digest(project)
    (project / name).write_text("changed\n")
    assert manifest.sources_digest(project) != before


def test_new_names_change_the_mark(project):
    """Also where the content is known."""
    before = manifest.sources_digest(project)
    (project / "utils/core/a.py").rename(project / "utils/core/c.py")
    assert manifest.sources_digest(project) != before


def test_what_is_not_built_does_not_count(project):
    """Tests, caches, and how git ends lines on this system."""
    before = manifest.sources_digest(project)
    (project / "tests/test_a.py").write_text("changed\n")
    (project / "utils/core/__pycache__/a.pyc").unlink()
    (project / "utils/core/a.py").write_bytes(b"utils/core/a.py\r\n")
    assert manifest.sources_digest(project) == before


def test_changes_of_a_folder_are_found(tmp_path):
    """Other content, missing files and new ones; nothing where nothing was done."""
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
