"""What is known of the bytes of files: from the list of models, or since they were first downloaded."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from utils.core.errors import ChecksumMismatch
from utils.store.folders import ModelFolders, embedded_folder
from utils.store.installed import public_details, require_installed
from utils.store.known_hashes import is_vouched, known_hash, remember, require_unchanged
from utils.store.records import FileRecord, ModelRecord

CONTENT = b"weights"


def remembered(path, *, published, content=CONTENT):
    path.write_bytes(content)
    remember(path, hashlib.sha256(content).hexdigest(), published=published)
    return path


def model(*files):
    return ModelRecord(
        name="m", worker="demucs", type="t", folder="demucs", stems=("a",), description="", files=tuple(files)
    )


def touched(path):
    """The file with another time."""
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))
    return path


def test_a_file_is_vouched_for_while_it_stays_as_it_was(tmp_path):
    """Of the published ones, and of none that has been written since."""
    path = remembered(tmp_path / "a.th", published=True)
    assert is_vouched(path)
    assert not is_vouched(remembered(tmp_path / "b.th", published=False))
    assert not is_vouched(touched(path))
    path.unlink()
    assert not is_vouched(path)
    assert not is_vouched(tmp_path / "never.th")


def test_what_comes_with_the_program_is_vouched_for():
    """It has no index, and needs none."""
    assert all(is_vouched(path) for path in embedded_folder().glob("*.safetensors"))


def test_a_changed_file_is_compared_with_the_first(tmp_path):
    """It is read only if it was touched, and then remembered as it is now."""
    path = touched(remembered(tmp_path / "a.th", published=False))
    require_unchanged(path)
    assert known_hash(path).is_of(path)
    path.write_bytes(b"another")
    touched(path)
    with pytest.raises(ChecksumMismatch, match=r"`a\.th` is not the file"):
        require_unchanged(path)
    require_unchanged(tmp_path / "own.th")


def test_a_model_without_a_known_hash_is_compared_when_it_is_used(tmp_path):
    """What replaced its file is not loaded."""
    folders, record = ModelFolders(tmp_path), model(FileRecord(name="a.th", urls=()))
    (tmp_path / "demucs").mkdir()
    path = remembered(tmp_path / "demucs" / "a.th", published=False)
    assert require_installed(record, folders, offline=True) == {"a.th": path}
    path.write_bytes(b"something else")
    with pytest.raises(ChecksumMismatch):
        require_installed(record, folders, offline=True)


def test_lists_say_what_files_are_compared_with(tmp_path):
    """The least that is known of any of a model's checkpoints; a configuration beside them decides nothing."""
    folders = ModelFolders(tmp_path)
    (tmp_path / "demucs").mkdir()
    remembered(tmp_path / "demucs" / "first.th", published=False)
    published = FileRecord(name="a.th", urls=(), sha256="0" * 64)
    first, other, config = (FileRecord(name=name, urls=()) for name in ("first.th", "other.th", "a.yaml"))
    known = {
        files: public_details(model(*files), folders).hash
        for files in ((published,), (published, config), (published, first), (first, other))
    }
    assert list(known.values()) == ["known", "known", "remembered", "none"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a.th": 1}', b"\xff", b'{"\xff": {}}'])
def test_a_damaged_index_is_written_anew(tmp_path, content):
    """Nothing is known then, and nothing fails."""
    (tmp_path / "hashes.json").write_bytes(content)
    assert known_hash(tmp_path / "a.th") is None
    assert known_hash(remembered(tmp_path / "a.th", published=True)) is not None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_in_place_of_the_index_holds_nobody_up(tmp_path):
    """Nothing is known then."""
    os.mkfifo(tmp_path / "hashes.json")
    assert known_hash(tmp_path / "a.th") is None


def test_a_folder_that_cannot_be_written_to_remembers_nothing(tmp_path):
    """And nothing fails."""
    (tmp_path / "hashes.json").mkdir()
    assert known_hash(remembered(tmp_path / "a.th", published=True)) is None


def test_downloads_side_by_side_keep_each_other_s_hashes(tmp_path):
    """Whoever writes the index has read what others wrote."""
    paths = [tmp_path / f"{number}.th" for number in range(8)]
    threads = [threading.Thread(target=remembered, args=(path,), kwargs={"published": True}) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(map(is_vouched, paths))
    assert sorted(path.name for path in tmp_path.iterdir()) == [*(path.name for path in paths), "hashes.json"]
