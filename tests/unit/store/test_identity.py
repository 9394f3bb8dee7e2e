"""What identifies the models of a request: their content, whatever else lies about."""

import json
import os
import shutil

import pytest

from utils.core.settings import resolve
from utils.store.identity import identity_of
from utils.store.registry import Registry


@pytest.fixture
def place(tmp_path):
    """A models directory with a network of one's own, a bag of two networks, and something else."""
    for name, content in {
        "bsroformer/own.ckpt": b"weights",
        "bsroformer/own.yaml": b"audio: {}",
        "bsroformer/other.ckpt": b"others",
        "demucs/bag.yaml": b"models: ['aaaa0001', 'bbbb0002']",
        "demucs/aaaa0001-12345678.th": b"first",
        "demucs/bbbb0002.th": b"second",
        "demucs/cccc0003.th": b"third",
    }.items():
        path = tmp_path / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "models"


def identify(place, **named):
    return identity_of(named, resolve({"models_dir": str(place), "recipes_dir": str(place.parent / "recipes")}))


@pytest.mark.parametrize(
    ("model", "own", "others"),
    [
        (
            "own",
            ["bsroformer/own.ckpt", "bsroformer/own.yaml"],
            ["bsroformer/other.ckpt", "demucs/aaaa0001-12345678.th"],
        ),
        ("bag", ["demucs/bag.yaml", "demucs/aaaa0001-12345678.th", "demucs/bbbb0002.th"], ["demucs/cccc0003.th"]),
        ("aaaa0001-12345678", ["demucs/aaaa0001-12345678.th"], ["demucs/bag.yaml"]),
    ],
)
def test_each_file_of_a_model_counts_and_no_other(place, model, own, others):
    """By its content: neither its time nor another model's file makes another identity."""
    before = identify(place, model=model)
    copy = shutil.copytree(place, place.parent / "elsewhere")
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    for name in others:
        (copy / name).write_bytes(b"changed")
    assert identify(copy, model=model) == before
    for name in own:
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content + b" ")
        assert identify(copy, model=model) != before, name
        (copy / name).write_bytes(content)
    assert identify(copy, model=model) == before


def test_a_model_may_be_given_by_its_files(place):
    """As a path, or in the fields for them, also of a member of an ensemble."""
    checkpoint, config = str(place / "bsroformer/own.ckpt"), str(place / "bsroformer/own.yaml")
    ways = [
        {"model": checkpoint},
        {"model_path": checkpoint, "config_path": config},
        {"ensemble": ["htdemucs", {"model_path": checkpoint, "config_path": config}]},
    ]
    before = [identify(place, **way).text for way in ways]
    assert len(set(before)) == 3
    (place / "bsroformer/other.ckpt").write_bytes(b"changed")
    assert [identify(place, **way).text for way in ways] == before
    (place / "bsroformer/own.ckpt").write_bytes(b"changed")
    assert not {identify(place, **way).text for way in ways} & set(before)


def test_public_models_are_known_by_their_hashes(place):
    """Whether they are there or not; those that are not are named. Without a known hash, the content of what is there counts."""
    registry = Registry.load()
    known = registry.get("htdemucs", "demucs")
    before = identify(place, model=known.name)
    assert before.missing == (known.name,)
    unknown = next(
        record
        for record in registry
        if record.worker == "bsroformer"
        and all(file.sha256 is None and file.size_bytes is None for file in record.files)
    )
    absent = identify(place, model=unknown.name)
    assert absent.missing == (unknown.name,)
    for file in unknown.files:
        path = file.below(place / unknown.folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")
    there = identify(place, model=unknown.name)
    assert there.missing == ()
    assert there.text != absent.text
    assert identify(place, model=known.name) == before


def test_a_recipe_is_its_text_and_its_models(place):
    """By its name or inline."""
    document = {"steps": {"voice": {"model": "own"}}, "outputs": {"vocals": "voice.vocals"}}
    folder = place.parent / "recipes"
    folder.mkdir()
    (folder / "mine.json").write_text(json.dumps(document))
    before = identify(place, recipe="mine")
    assert identify(place, recipe=document) == before
    assert identify(place, recipe={**document, "outputs": {"other": "voice.other"}}) != before
    (place / "demucs/bag.yaml").write_bytes(b"changed")
    assert identify(place, recipe="mine") == before
    (place / "bsroformer/own.ckpt").write_bytes(b"changed")
    assert identify(place, recipe="mine") != before
    assert "dsu_mini" not in identify(place, recipe="karaoke").missing
    assert identify(place, recipe="karaoke").missing
    step = {"model": "dsu_mini", "config_path": str(place / "bsroformer/own.yaml")}
    before = identify(place, recipe={**document, "steps": {"voice": step}})
    (place / "bsroformer/own.yaml").write_bytes(b"changed")
    assert identify(place, recipe={**document, "steps": {"voice": step}}) != before


@pytest.mark.parametrize(
    "named",
    [
        {"recipe": "no such recipe"},
        {"recipe": {"a": 1}},
        {"model": "~nobody/x.ckpt"},
        {"model": "a\0b"},
        {"repo": "a\0b"},
    ],
    ids=str,
)
def test_what_is_wrong_is_for_the_worker_to_tell(place, named):
    """One row with a mistake stops no batch."""
    assert identify(place, **named).text


def test_a_list_a_link_and_a_folder_lead_to_files_that_count(place):
    """`models.json` of earlier versions, another disk, and a folder of Demucs models."""
    (place / "models.json").write_text(
        json.dumps({"mine": {"checkpoint": "bsroformer/other.ckpt", "config": "bsroformer/own.yaml"}})
    )
    elsewhere = place.parent / "disk"
    (place / "bsroformer").rename(elsewhere)
    (place / "bsroformer").symlink_to(elsewhere)
    ways = [{"model": "mine"}, {"model": "other"}, {"model": "htdemucs", "repo": str(elsewhere)}, {}]
    before = [identify(place, **way).text for way in ways]
    (elsewhere / "other.ckpt").write_bytes(b"more weights")
    assert not {identify(place, **way).text for way in ways} & set(before)


def test_where_nothing_is_named_everything_counts(place):
    """So do models that nothing is known of."""
    for named in ({}, {"family": "demucs"}, {"model": "no such model"}):
        before = identify(place, **named)
        assert identify(place, **named) == before
        (place / "demucs/cccc0003.th").write_bytes(json.dumps(named).encode())
        assert identify(place, **named) != before


def test_texts_mean_the_models_that_understand_them(place):
    """Which is no matter of other files."""
    before = identify(place, text="drums")
    assert before.missing == tuple(Registry.load().names("audiosep"))
    (place / "demucs/cccc0003.th").write_bytes(b"changed")
    assert identify(place, texts=["drums"]) == before
