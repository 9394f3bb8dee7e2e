"""Bag files of the demucs package."""

from __future__ import annotations

import pytest

from utils.core.errors import ConfigInvalid
from utils.store.bag_file import LARGEST_BYTES, BagFile, read_bag


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "bag.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_bag(path)

    return read


def test_all_fields(read):
    """Models, weights and segment are read as they are written."""
    text = "models: ['a', 'b']\nweights: [\n  [1., 0.],\n  [0, 1],\n]\nsegment: 44\n"
    assert read(text) == BagFile(models=("a", "b"), weights=((1.0, 0.0), (0.0, 1.0)), segment=44.0)


def test_models_alone(read):
    """Weights and segment may be left out, and fields that others added are left alone."""
    assert read("models: ['a']\nauthor: someone\n") == BagFile(models=("a",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expected"),
        ("just text", "Expected"),
        ("models: []", "models"),
        ("models: a", "models"),
        ("models: [12345678]", "models"),
        ("segment: 44", "models"),
        ("models: ['a']\nsegment: long", "segment"),
        ("models: ['a']\nsegment: -1", "segment"),
        ("models: ['a']\nsegment: .inf", "segment"),
        ("models: ['a']\nweights: [[1, 1], [1, 1]]", "2 rows for 1"),
        ("models: ['a', 'b']\nweights: [[1, 1], [1]]", "one number per stem"),
        ("models: ['a']\nweights: [[]]", "one number per stem"),
        ("models: ['a']\nweights: [[1, -1]]", "0 or more"),
        ("models: ['a']\nweights: [[1, .nan]]", "0 or more"),
        ("models: ['a']\nweights: [[1, 0]]", "above 0"),
        ("models: ['a'", "not valid YAML"),
        (b"models: ['\xff\xfe']", "not valid YAML"),
        ("models: " + "[" * 8000, "not valid YAML"),
        ("# " + "x" * LARGEST_BYTES, "too large"),
        ("models: !!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_malformed_bags_say_what_is_wrong(read, text, said):
    """What is wrong is said with the file's name, and nothing in the file is run."""
    with pytest.raises(ConfigInvalid, match=said) as caught:
        read(text)
    assert "bag.yaml" in caught.value.message


def test_bag_that_cannot_be_read(tmp_path):
    """A bag that vanished is an error about the bag."""
    with pytest.raises(ConfigInvalid, match=r"none\.yaml"):
        read_bag(tmp_path / "none.yaml")
