"""What a folder contains, and how large its parts are."""

import zipfile

import pytest

from tools.freeze import inventory


@pytest.fixture
def folder(tmp_path):
    """A frozen folder with a few bytes in it."""
    sizes = {
        "dsu-demucs": 10,
        "lib/torch/a.bin": 300,
        "lib/torch/b.bin": 100,
        "lib/torch.libs/c.so": 50,
        "lib/_ext.so": 7,
        "configs/x.yaml": 1,
    }
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    with zipfile.ZipFile(tmp_path / "lib" / "library.zip", "w") as archive:
        archive.writestr("single.pyc", b"")
        archive.writestr("os/__init__.pyc", b"")
    return tmp_path


def test_parts_are_packages_with_their_libraries(folder):
    """The largest is first; single files in `lib` count as Python, those outside as programs."""
    (folder / "lib" / "library.zip").write_bytes(b"")
    sizes = [(part.name, part.size_bytes, part.file_count) for part in inventory.parts(folder)]
    assert sizes == [("torch", 450, 3), ("programs", 10, 1), ("Python", 7, 2), ("configs", 1, 1)]


def test_hard_links_count_once(folder):
    """They take their space on the disk only once."""
    before = inventory.size_bytes(inventory.parts(folder))
    (folder / "dsu-audiosep").hardlink_to(folder / "dsu-demucs")
    parts = {part.name: part for part in inventory.parts(folder)}
    assert inventory.size_bytes(parts.values()) == before
    assert parts["programs"].file_count == 2


def test_distributions_are_found_in_folders_and_in_the_archive(folder):
    """They are found by their top-level names; names without an owner are Python's own."""
    owners = {"torch": {"torch"}, "torch.libs": {"torch"}, "_ext": {"ext"}, "single": {"one"}, "absent": {"no"}}
    assert inventory.present(folder / "lib", owners) == {"torch", "ext", "one"}


def test_the_report_adds_up(folder):
    """There is one line for each part, and a total."""
    lines = inventory.report(
        [inventory.FolderPart("a", 3 << 20, 2), inventory.FolderPart("b", 1 << 19, 1)]
    ).splitlines()
    assert [line.split() for line in lines[1:]] == [["3.0", "2", "a"], ["0.5", "1", "b"], ["3.5", "3", "all"]]
