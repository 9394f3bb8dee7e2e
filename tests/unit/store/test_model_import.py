"""Files of known models in the folders of other programs."""

from __future__ import annotations

import hashlib
import os

import pytest
from loopback_server import record as file_record

from utils.core.errors import InputNotFound
from utils.core.job import Job, JobCancelled
from utils.store import model_import
from utils.store.folders import ModelFolders
from utils.store.known_hashes import NAME, is_vouched
from utils.store.model_import import Importer, candidates, usual_places
from utils.store.records import Bag, FileRecord, ModelRecord
from utils.store.registry import Registry

NET, OTHER, FIRST, SECOND, THIRD = b"net" * 100, b"ten" * 100, b"first", b"the second", b"number three"


def model(name, *files, worker="bsroformer", folder="bsroformer", bag=None):
    return ModelRecord(
        name=name, worker=worker, type="x", folder=folder, stems=("s",), description="", files=files, bag=bag
    )


MODELS = [
    model("vocals", file_record("vocals_net.ckpt", NET, "https://example.org/a/published.ckpt")),
    model("sized", file_record("sized.ckpt", THIRD, hashed=False)),
    model(
        "plain.onnx",
        file_record("plain.onnx", b"", sized=False, hashed=False),
        worker="audio-separator",
        folder="audio-separator",
    ),
    model("words", FileRecord("config.json", (), folder="roberta-base"), worker="audiosep", folder="audiosep"),
    model(
        "bag",
        file_record("aa11-01234567.th", FIRST, sized=False),
        file_record("bb22-01234567.th", SECOND),
        worker="demucs",
        folder="demucs",
        bag=Bag(("aa11", "bb22")),
    ),
]


@pytest.fixture
def bring(tmp_path):
    """Import from `tmp_path/theirs` into `tmp_path/models`; what became of each file, by its name."""

    def run(*, copy=False, dry=False, job=None):
        job = job or Job()
        importer = Importer(Registry(MODELS, {}), ModelFolders(tmp_path / "models"), job)
        findings = importer.check(candidates(tmp_path / "theirs", job)[0])
        if not dry:
            findings = list(importer.bring(findings, copy=copy))
        return {finding.path.name: finding for finding in findings}

    return run


def put(path, content=NET):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_below(folder):
    """The files, besides those with what is known of others."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != NAME)
    return sorted(path.relative_to(folder).as_posix() for path in files)


@pytest.mark.parametrize(
    "name", ["vocals_net.ckpt", "published.ckpt", "vocals.ckpt", "VOCALS.CKPT", "renamed by me.bin"]
)
def test_a_file_is_known_by_its_names_or_its_content(bring, tmp_path, name):
    """Ours, the published one, that of the model, in any case; and whatever it is called, by its size and hash."""
    theirs = put(tmp_path / "theirs" / "MDX_Net_Models" / name)
    finding = bring()[name]
    assert (finding.state, finding.model.name) == ("linked", "vocals")
    assert (tmp_path / "models" / "bsroformer" / "vocals_net.ckpt").samefile(theirs)


def test_members_of_bags_are_known_by_their_signatures(bring, tmp_path):
    """Also where only a hash is known of them; what a bag still lacks is known afterwards."""
    put(tmp_path / "theirs" / "aa11.th", FIRST)
    assert bring()["aa11.th"].state == "linked"
    assert files_below(tmp_path / "models") == ["demucs/aa11-01234567.th"]
    assert is_vouched(tmp_path / "models" / "demucs" / "aa11-01234567.th")
    importer = Importer(Registry(MODELS, {}), ModelFolders(tmp_path / "models"), Job())
    put(tmp_path / "theirs" / "bb22.th", SECOND)
    findings = list(importer.bring(importer.check(candidates(tmp_path / "theirs", Job())[0]), copy=False))
    assert importer.models_with(findings) == {"bag": []}


@pytest.mark.parametrize("reason", ["asked", "another disk"])
def test_a_copy_is_made_where_a_link_is_not_wanted_or_not_possible(bring, tmp_path, monkeypatch, reason):
    """It has the content, is a file of its own, and nothing else is left."""

    def refuse(source, target):
        raise OSError(18, "Invalid cross-device link")

    if reason != "asked":
        monkeypatch.setattr(os, "link", refuse)
    theirs = put(tmp_path / "theirs" / "vocals.ckpt")
    assert bring(copy=reason == "asked")["vocals.ckpt"].state == "copied"
    assert files_below(tmp_path / "models") == ["bsroformer/vocals_net.ckpt"]
    ours = tmp_path / "models" / "bsroformer" / "vocals_net.ckpt"
    assert ours.read_bytes() == NET
    assert not ours.samefile(theirs)


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("published.ckpt", NET[:-1], "has 299 bytes instead of 300"),
        ("published.ckpt", OTHER, "its SHA-256 is another"),
        ("aa11-01234567.th", b"else", "its SHA-256 is another"),
        ("sized.ckpt", b"x", "has 1 bytes instead of 12"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_stays_where_it_is(bring, tmp_path, name, content, note):
    """It is told what is wrong with it, and no folder is made for it."""
    put(tmp_path / "theirs" / name, content)
    finding = bring()[name]
    assert finding.state == "wrong"
    assert note in finding.note
    assert not (tmp_path / "models").exists()


def test_what_cannot_be_checked_by_a_hash_is_said(bring, tmp_path):
    """By its size, or by its name alone."""
    put(tmp_path / "theirs" / "sized.ckpt", THIRD)
    put(tmp_path / "theirs" / "plain.onnx", b"anything")
    found = bring()
    assert found["plain.onnx"].note == "only its name could be checked"
    assert found["sized.ckpt"].note == "only its size could be checked"
    assert files_below(tmp_path / "models") == ["audio-separator/plain.onnx", "bsroformer/sized.ckpt"]


def test_files_of_a_folder_with_a_name_must_lie_in_one(bring, tmp_path):
    """There are many files called config.json."""
    put(tmp_path / "theirs" / "elsewhere" / "config.json", b"{}")
    assert bring() == {}
    put(tmp_path / "theirs" / "roberta-base" / "config.json", b"{}")
    bring()
    assert files_below(tmp_path / "models") == ["audiosep/roberta-base/config.json"]


def test_models_that_are_not_known_are_told_and_other_files_are_not(bring, tmp_path):
    """Only what looks like a model is worth a line."""
    for name in ("mine.ckpt", "mine.onnx", "readme.txt", "model_data.json"):
        put(tmp_path / "theirs" / name, b"?")
    assert {name: finding.state for name, finding in bring().items()} == {
        "mine.ckpt": "unknown",
        "mine.onnx": "unknown",
    }


def test_a_good_file_is_never_replaced_and_a_bad_one_is(bring, tmp_path):
    """Good is one of the right size, or of the right hash where that is all that is known."""
    ours = put(tmp_path / "models" / "bsroformer" / "weights" / "published.ckpt")
    put(tmp_path / "theirs" / "vocals.ckpt")
    bad = put(tmp_path / "models" / "demucs" / "aa11-01234567.th", b"bad")
    put(tmp_path / "theirs" / "aa11.th", FIRST)
    before = ours.stat()
    states = {name: finding.state for name, finding in bring().items()}
    assert states == {"vocals.ckpt": "there", "aa11.th": "linked"}
    assert ours.stat() == before
    assert bad.read_bytes() == FIRST
    assert {finding.state for finding in bring().values()} == {"there"}


def test_of_two_equal_files_one_is_brought(bring, tmp_path):
    """The other is there by then."""
    put(tmp_path / "theirs" / "a" / "vocals.ckpt")
    put(tmp_path / "theirs" / "b" / "published.ckpt")
    assert [finding.state for finding in bring().values()] == ["linked", "there"]


def test_a_dry_run_changes_nothing(bring, tmp_path):
    """It checks, and says what would be done."""
    put(tmp_path / "theirs" / "vocals.ckpt")
    assert bring(dry=True)["vocals.ckpt"].state == "new"
    assert not (tmp_path / "models").exists()


def test_cancelling_leaves_no_half_written_file(bring, tmp_path, monkeypatch):
    """Neither a part of a copy, nor a lock, nor a folder."""
    monkeypatch.setattr(model_import, "BLOCK_BYTES", 100)
    put(tmp_path / "theirs" / "vocals.ckpt")
    job = Job()

    def count(stage, done, total, item=None):
        if stage == "bring" and done == 100:
            job.cancel()

    job.progress = count
    with pytest.raises(JobCancelled):
        bring(copy=True, job=job)
    assert not (tmp_path / "models").exists()


def test_one_file_that_cannot_be_brought_does_not_stop_the_rest(bring, tmp_path):
    """It says why."""
    put(tmp_path / "models" / "bsroformer", b"a file where a folder should be")
    put(tmp_path / "theirs" / "vocals.ckpt")
    put(tmp_path / "theirs" / "aa11.th", FIRST)
    found = bring()
    assert (found["vocals.ckpt"].state, found["aa11.th"].state) == ("wrong", "linked")
    assert "cannot be created" in found["vocals.ckpt"].note


def test_links_to_files_are_followed_and_those_to_folders_are_not(bring, tmp_path):
    """What is linked is the file itself."""
    real = put(tmp_path / "blobs" / hashlib.sha256(NET).hexdigest())
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "vocals.ckpt").symlink_to(real)
    (tmp_path / "theirs" / "again").symlink_to(tmp_path / "theirs")
    (tmp_path / "theirs" / "lost.ckpt").symlink_to(tmp_path / "nowhere")
    assert list(bring()) == ["vocals.ckpt"]
    ours = tmp_path / "models" / "bsroformer" / "vocals_net.ckpt"
    assert ours.samefile(real)
    assert not ours.is_symlink()


def test_folders_are_looked_into_within_bounds(tmp_path, monkeypatch):
    """Not hidden ones, not without end, and it is said where there is more."""
    put(tmp_path / ".git" / "vocals.ckpt")
    put(tmp_path.joinpath(*"123456789") / "vocals.ckpt")
    put(tmp_path.joinpath(*"12345678") / "sized.ckpt")
    found, all_of_them = candidates(tmp_path, Job())
    assert [each.path.name for each in found] == ["sized.ckpt"]
    assert all_of_them
    monkeypatch.setattr(model_import, "MOST_ENTRIES", 0)
    assert candidates(tmp_path, Job()) == ([], False)
    with pytest.raises(InputNotFound):
        candidates(tmp_path / "none", Job())


def test_usual_places_are_those_that_exist(tmp_path, monkeypatch):
    """Of programs that were told where to keep models, those folders."""
    monkeypatch.setattr(model_import.Path, "home", lambda: tmp_path)
    hub = tmp_path / "torch" / "hub" / "checkpoints"
    named = tmp_path / "named"
    for folder in (hub, named):
        folder.mkdir(parents=True)
    places = usual_places({"TORCH_HOME": str(tmp_path / "torch"), "AUDIO_SEPARATOR_MODEL_DIR": str(named)})
    assert places[:2] == [hub, named]
    assert all(place.is_dir() for place in places)


def test_what_is_worth_an_import_is_seen_without_reading(bring, tmp_path):
    """By name and size, unless it is there already."""
    theirs = put(tmp_path / "theirs" / "vocals.ckpt", OTHER)
    (found,), _ = candidates(tmp_path / "theirs", Job())
    importer = Importer(Registry(MODELS, {}), ModelFolders(tmp_path / "models"), Job())
    assert importer.looks_known(found)
    theirs.write_bytes(NET)
    bring()
    assert not importer.looks_known(found)
