"""Requirements files, dependencies, and which distribution a module belongs to."""

import pytest
from fake_packages import make_distribution

from tools.freeze import distributions


@pytest.fixture
def available(tmp_path):
    """`app` needs `base`, and more on other systems; nothing needs `stray`."""
    needs = ["base>=1", 'gone; sys_platform == "nowhere"', 'gone; extra == "more"', 'Deep_Base ; python_version > "3"']
    made = [
        make_distribution(tmp_path, "app", lines=[f"Requires-Dist: {need}" for need in needs]),
        make_distribution(tmp_path, "base", lines=["Requires-Dist: app"]),
        make_distribution(tmp_path, "deep-base"),
        make_distribution(tmp_path, "stray"),
    ]
    return {each.metadata["Name"]: each for each in made}


def test_requirements_are_read_without_comments_and_versions(tmp_path):
    """Names are normalized."""
    (tmp_path / "r.txt").write_text("# why\nPyYAML==6.0  # here too\n\ntorch==2.13.0+cpu\n", encoding="utf-8")
    assert distributions.required(tmp_path / "r.txt") == ["pyyaml", "torch"]


def test_closure_has_what_is_needed_here(available):
    """Requirements of other systems and of extras are left out; cycles end."""
    assert distributions.closure(["app"], available) == {"app", "base", "deep-base"}


def test_missing_requirements_are_named(available):
    """The message says how to install them."""
    with pytest.raises(distributions.NotInstalled, match=r"`gone` .* run\.py build"):
        distributions.closure(["app", "gone"], available)


def test_top_level_names(tmp_path):
    """Packages, modules, extensions and folders of libraries count; scripts, metadata and caches do not."""
    files = ["pack/__init__.py", "pack/data.txt", "single.py", "_ext.cpython-311-x86_64-linux-gnu.so", "pack.libs/a.so"]
    files += ["../../../bin/tool", "pack-1.0.data/x", "__pycache__/single.pyc", "note.txt"]
    made = make_distribution(tmp_path, "pack", files=dict.fromkeys(files))
    assert distributions.top_level_modules(made) == {"pack", "single", "_ext", "pack.libs"}


def test_a_shared_name_has_several_owners(tmp_path):
    """Namespace packages belong to several distributions."""
    made = {
        name: make_distribution(tmp_path, name, files={f"shared/{name}.py": None, f"{name}.py": None}) for name in "ab"
    }
    assert distributions.owners(made) == {"shared": {"a", "b"}, "a": {"a"}, "b": {"b"}}


def test_this_environment_is_read():
    """Distributions are found under their normalized names."""
    assert {"pytest", "pyyaml"} <= distributions.installed().keys()


def test_folders_of_packages_are_found_without_importing():
    """The error for a missing package names it."""
    assert (distributions.package_folder("pytest") / "__init__.py").is_file()
    with pytest.raises(distributions.NotInstalled, match="`no_such_package`"):
        distributions.package_folder("no_such_package")
