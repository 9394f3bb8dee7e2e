"""Where files of models are looked for."""

from __future__ import annotations

import msgspec
import pytest

from utils.store.folders import ModelFolders
from utils.store.records import FileRecord, ModelRecord

SIZED = FileRecord("a.th", (), 3, None)
UNSIZED = FileRecord("b.th", (), None, None)
RECORD = ModelRecord(
    name="m", worker="demucs", type="demucs", folder="demucs", stems=("x",), description="", files=(SIZED, UNSIZED)
)


def put(path, content=b"abc"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_file_may_have_a_folder_of_its_own(tmp_path):
    """Below the model's, or directly in the directory."""
    file = FileRecord("c.json", (), folder="tokens/own")
    folders = ModelFolders(tmp_path)
    assert folders.path_of(RECORD, file) == tmp_path / "demucs" / "tokens" / "own" / "c.json"
    direct = put(tmp_path / "tokens" / "own" / "c.json")
    assert folders.find(RECORD, file) == direct
    assert file.place == "tokens/own/c.json"


def test_looking_creates_nothing(tmp_path):
    """A models directory that does not exist still does not after looking."""
    folders = ModelFolders(tmp_path / "models")
    assert folders.missing(RECORD) == [SIZED, UNSIZED]
    assert not folders.installed(RECORD)
    assert folders.path_of(RECORD, SIZED) == tmp_path / "models" / "demucs" / "a.th"
    assert not (tmp_path / "models").exists()


def test_files_in_the_sub_folder_or_directly_in_the_directory(tmp_path):
    """Both places count; the sub-folder first."""
    folders = ModelFolders(tmp_path)
    direct = put(tmp_path / "a.th")
    assert folders.find(RECORD, SIZED) == direct
    own = put(tmp_path / "demucs" / "a.th")
    assert folders.find(RECORD, SIZED) == own
    put(tmp_path / "b.th")
    assert folders.installed(RECORD)


def test_file_of_another_size_is_missing(tmp_path):
    """A file that is not as long as stated is not there, whatever its name."""
    folders = ModelFolders(tmp_path)
    put(tmp_path / "demucs" / "a.th", b"ab")
    put(tmp_path / "demucs" / "b.th", b"ab")
    assert folders.missing(RECORD) == [SIZED]


def test_folder_is_not_a_file(tmp_path):
    """A folder of a file's name is not the file."""
    (tmp_path / "demucs" / "b.th").mkdir(parents=True)
    assert ModelFolders(tmp_path).find(RECORD, UNSIZED) is None


@pytest.mark.parametrize("place", ["demucs/weights", "weights", "demucs", "."])
def test_files_lie_where_earlier_versions_put_them(tmp_path, place):
    """In folders for weights too."""
    file = put(tmp_path / place / "a.th")
    assert ModelFolders(tmp_path).find(RECORD, SIZED) == file


@pytest.mark.parametrize("place", [".", "weights"])
def test_the_models_directory_may_be_that_of_one_worker(tmp_path, place):
    """It is not looked for, nor created, inside itself."""
    folders = ModelFolders(tmp_path / "demucs")
    assert folders.path_of(RECORD, SIZED) == tmp_path / "demucs" / "a.th"
    file = put(tmp_path / "demucs" / place / "a.th")
    assert folders.find(RECORD, SIZED) == file


def test_a_folder_of_the_same_name_below_is_the_workers(tmp_path):
    """Where somebody keeps models of all workers in a folder that happens to be called like one."""
    below = put(tmp_path / "demucs" / "demucs" / "a.th")
    assert ModelFolders(tmp_path / "demucs").path_of(RECORD, SIZED) == below


@pytest.mark.parametrize("name", ["single.ckpt", "published as.ckpt"])
def test_files_have_the_names_that_they_were_published_by_or_that_of_the_model(tmp_path, name):
    """They must have the right size, which tells them from others of the name."""
    urls = ("https://example.org/net.ckpt", "https://example.org/x/published%20as.ckpt?download=true")
    record = msgspec.structs.replace(RECORD, name="single", files=(FileRecord("net.ckpt", urls, 3, None),))
    folders = ModelFolders(tmp_path)
    path = put(tmp_path / "demucs" / name, b"abcd")
    assert not folders.installed(record)
    put(path)
    assert folders.find(record, record.files[0]) == path
    unsized = msgspec.structs.replace(record, files=(FileRecord("net.ckpt", urls, None, None),))
    assert not folders.installed(unsized)


def test_sub_folders_do_not_climb(tmp_path):
    """No sub-folder is outside the models directory."""
    with pytest.raises(ValueError, match="plain name"):
        ModelFolders(tmp_path).folder("../elsewhere")


@pytest.mark.parametrize(
    ("sub", "place"),
    [
        ("demucs", "Demucs_Models/v3_v4_repo"),
        ("demucs", "hub/checkpoints"),
        ("demucs", "checkpoints"),
        ("audio-separator", "VR_Models"),
        ("audio-separator", "MDX_Net_Models"),
        ("bsroformer", "MDX_Net_Models"),
        ("bsroformer", "vocal_models"),
    ],
)
def test_the_models_directory_may_be_that_of_another_program(tmp_path, sub, place):
    """Files are found in its folders; what is downloaded goes to one of ours."""
    record = msgspec.structs.replace(RECORD, folder=sub)
    file = put(tmp_path / place / "a.th")
    folders = ModelFolders(tmp_path)
    assert folders.find(record, SIZED) == file
    assert folders.path_of(record, SIZED) == tmp_path / sub / "a.th"
