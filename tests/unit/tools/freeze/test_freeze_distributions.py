"""What a requirements file asks for, what that needs, and what can be imported from where."""

import pytest
from fake_packages import make_distribution

from tools.freeze import distributions


@pytest.fixture
def available(tmp_path):
    """`app` needs `base`, and more in cases that are not ours; `stray` is needed by nobody."""
    needs = ["base>=1", 'gone; sys_platform == "nowhere"', 'gone; extra == "more"', 'Deep_Base ; python_version > "3"']
    made = [
        make_distribution(tmp_path, "app", lines=[f"Requires-Dist: {need}" for need in needs]),
        make_distribution(tmp_path, "base", lines=["Requires-Dist: app"]),
        make_distribution(tmp_path, "deep-base"),
        make_distribution(tmp_path, "stray"),
    ]
    return {each.metadata["Name"]: each for each in made}


def test_requirements_are_read_without_comments_and_versions(tmp_path):
    """Names come out in their normal form."""
    (tmp_path / "r.txt").write_text("# why\nPyYAML==6.0  # here too\n\ntorch==2.13.0+cpu\n", encoding="utf-8")
    assert distributions.required(tmp_path / "r.txt") == ["pyyaml", "torch"]


def test_what_is_needed_here_belongs_to_it(available):
    """Requirements of other systems and of extras do not; circles end."""
    assert distributions.closure(["app"], available) == {"app", "base", "deep-base"}


def test_missing_requirements_are_named(available):
    """With what to do about them."""
    with pytest.raises(distributions.NotInstalled, match=r"`gone` .* run\.py build"):
        distributions.closure(["app", "gone"], available)


def test_names_that_can_be_imported(tmp_path):
    """Packages, modules, extensions and folders of libraries; not scripts, metadata and caches."""
    files = ["pack/__init__.py", "pack/data.txt", "single.py", "_ext.cpython-311-x86_64-linux-gnu.so", "pack.libs/a.so"]
    files += ["../../../bin/tool", "pack-1.0.data/x", "__pycache__/single.pyc", "note.txt"]
    made = make_distribution(tmp_path, "pack", files=dict.fromkeys(files))
    assert distributions.top_level_modules(made) == {"pack", "single", "_ext", "pack.libs"}


def test_names_that_several_share_have_several_owners(tmp_path):
    """As packages of one namespace."""
    made = {
        name: make_distribution(tmp_path, name, files={f"shared/{name}.py": None, f"{name}.py": None}) for name in "ab"
    }
    assert distributions.owners(made) == {"shared": {"a", "b"}, "a": {"a"}, "b": {"b"}}


def test_this_environment_is_read():
    """By the normal names."""
    assert {"pytest", "pyyaml"} <= distributions.installed().keys()


def test_folders_of_packages_are_found_without_importing():
    """A package that is not there is an error that names it."""
    assert (distributions.package_folder("pytest") / "__init__.py").is_file()
    with pytest.raises(distributions.NotInstalled, match="`no_such_package`"):
        distributions.package_folder("no_such_package")
