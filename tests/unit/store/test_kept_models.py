"""The files of known models that are there: what they are, and which may be deleted."""

import hashlib

import pytest
from loopback_server import record as file_record

from utils.core.errors import ModelNotInstalled
from utils.store import kept_models
from utils.store.folders import ModelFolders
from utils.store.kept_models import kept_files, removable, verified
from utils.store.known_hashes import remember
from utils.store.records import Bag, ModelRecord
from utils.store.registry import Registry

NET, OTHER = b"net" * 100, b"ten" * 100


def model(name, *files, worker="bsroformer", bag=None):
    return ModelRecord(
        name=name, worker=worker, type="x", folder=worker, stems=("s",), description="", files=files, bag=bag
    )


HASHED = model("hashed", file_record("hashed.ckpt", NET))
SIZED = model("sized", file_record("sized.ckpt", NET, hashed=False))
PLAIN = model("plain.onnx", file_record("plain.onnx", NET, sized=False, hashed=False), worker="audio-separator")
SHARED = file_record("aa11-01234567.th", NET)
BAG = model("bag", SHARED, file_record("bb22-01234567.th", OTHER), worker="demucs", bag=Bag(("aa11", "bb22")))
ALONE = model("alone", SHARED, worker="demucs", bag=Bag(("aa11",)))
REGISTRY = Registry([HASHED, SIZED, PLAIN, BAG, ALONE], {})


@pytest.fixture
def folders(tmp_path):
    return ModelFolders(tmp_path / "models")


@pytest.fixture
def put(folders):
    def put(place, content=NET):
        path = folders.models_dir / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return put


def verdict(record, folders):
    (kept,) = kept_files(record, folders)
    return verified(kept, lambda: None)


def test_a_file_with_a_known_hash_is_read_and_compared(folders, put):
    """Also if its size is right."""
    path = put("bsroformer/hashed.ckpt")
    assert verdict(HASHED, folders) == (True, "SHA-256")
    path.write_bytes(OTHER)
    is_right, told = verdict(HASHED, folders)
    assert is_right is False
    assert "its SHA-256 is another" in told


def test_a_file_of_the_wrong_size_is_no_mystery(folders, put):
    """It is not read at all."""
    put("bsroformer/hashed.ckpt", b"short")
    (kept,) = kept_files(HASHED, folders)
    told = verified(kept, lambda: pytest.fail("it was read"))
    assert told == (False, f"has 5 bytes instead of {len(NET)}")


def test_what_cannot_be_known_is_said(folders, put):
    """A file of known size is not more than that, and of one whose size nobody states nothing is known."""
    put("bsroformer/sized.ckpt", OTHER)
    assert verdict(SIZED, folders) == (None, "only its size")
    put("audio-separator/plain.onnx")
    assert verdict(PLAIN, folders)[0] is None


def test_a_file_is_compared_with_its_first_download(folders, put):
    """Where nobody states its hash."""
    path = put("bsroformer/sized.ckpt")
    remember(path, hashlib.sha256(NET).hexdigest(), published=False)
    assert verdict(SIZED, folders) == (True, "as first downloaded")
    path.write_bytes(OTHER)
    assert verdict(SIZED, folders) == (False, "is not what was first downloaded under this name")


def test_files_whose_last_bytes_are_known(folders, put, monkeypatch):
    """VR and MDX models."""
    put("audio-separator/plain.onnx")
    for published in (True, False):
        monkeypatch.setattr(kept_models, "is_published", lambda path, published=published: published)
        assert verdict(PLAIN, folders)[0] is published


def reasons(record, folders):
    return {path.name: reason for path, reason in removable(record, REGISTRY, folders)}


def test_a_model_goes_with_what_is_left_of_its_download(folders, put):
    """And nothing else."""
    put("bsroformer/hashed.ckpt")
    put("bsroformer/hashed.ckpt.part")
    put("bsroformer/sized.ckpt")
    assert reasons(HASHED, folders) == {"hashed.ckpt": "", "hashed.ckpt.part": ""}


def test_what_another_installed_model_needs_stays(folders, put):
    """A bag that is not complete needs nothing."""
    put("demucs/aa11-01234567.th")
    assert reasons(ALONE, folders) == {"aa11-01234567.th": ""}
    put("demucs/bb22-01234567.th", OTHER)
    assert reasons(ALONE, folders) == {"aa11-01234567.th": "`bag` needs it"}


def test_the_folder_of_another_program_is_not_ours(folders, put):
    """Even if it is given as the models directory."""
    put("VR_Models/other.pth")
    put("MDX_Net_Models/plain.onnx")
    assert reasons(PLAIN, folders) == {"plain.onnx": "it is in the folder of another program"}


def test_what_comes_with_dsu_stays(folders):
    """It could not be downloaded again."""
    registry = Registry.load()
    mini = registry.get("dsu_mini", "bsroformer")
    assert {reason for _, reason in removable(mini, registry, folders)} == {"it comes with DSU"}


def test_nothing_to_remove(folders):
    """It is an error, which says where nothing was."""
    with pytest.raises(ModelNotInstalled, match="Nothing of `hashed` is in"):
        reasons(HASHED, folders)


def test_hashes_are_computed_block_by_block(folders, put):
    """Whoever waits can stop it."""
    put("bsroformer/hashed.ckpt")
    (kept,) = kept_files(HASHED, folders)
    ticks = []
    verified(kept, lambda: ticks.append(1))
    assert ticks
    assert kept.file.sha256 == hashlib.sha256(NET).hexdigest()
