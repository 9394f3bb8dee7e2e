"""Configurations of networks: what is read from them, and what is refused."""

from __future__ import annotations

import pytest

from utils.core.errors import ConfigInvalid
from utils.store.network_config import LARGEST_BYTES, LONGEST_VALUE, MOST_VALUES, output_stems, read_config, read_plain

GOOD = """\
audio: {chunk_size: 1000}
model:
  freqs_per_bands: !!python/tuple
  - 2
  - 3
training:
  instruments: [vocals, other]
"""


@pytest.fixture
def written(tmp_path):
    def written(content):
        path = tmp_path / "net.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def refused(path, *said):
    with pytest.raises(ConfigInvalid) as caught:
        read_config(path)
    for words in ("net.yaml", *said):
        assert words in caught.value.message


def test_sections_with_tuples(written):
    """Plain values and tuples are read, and a missing `inference` is an empty one."""
    config = read_config(written(GOOD))
    assert config["audio"] == {"chunk_size": 1000}
    assert config["model"] == {"freqs_per_bands": (2, 3)}
    assert config["inference"] == {}


def test_a_file_as_it_stands(written):
    """Also one with other sections; an error says which it should have."""
    assert read_plain(written("data: {sampling_rate: 32000}\n")) == {"data": {"sampling_rate": 32000}}
    with pytest.raises(ConfigInvalid, match=r"`net\.yaml` .* `data` and `model`"):
        read_plain(written("just words"), ("data", "model"))


def test_section_of_options_by_another_name(written):
    """Options may be in a section that `model` names, or in `kwargs` where there is no `model`."""
    named = written("audio: {}\nmodel: htdemucs\nhtdemucs: {depth: 4}\ntraining: {}\n")
    assert read_config(named)["htdemucs"] == {"depth": 4}
    other = written("cls: Bandit\naudio: {}\nkwargs: {n_bands: 64}\ntraining: {}\n")
    assert read_config(other)["kwargs"] == {"n_bands": 64}


def test_sound_that_training_describes(written):
    """Rate and channels are in `audio` also where a file has them in `training`; what `audio` says comes first."""
    config = read_config(
        written(
            GOOD.replace("training:", "training:\n  samplerate: 8000\n  channels: 2").replace(
                "{c", "{num_channels: 1, c"
            )
        )
    )
    assert config["audio"] == {"sample_rate": 8000, "num_channels": 1, "chunk_size": 1000}


def test_anchors_are_usual(written):
    """Values may be written once and used again, also by merging."""
    config = read_config(written(GOOD + "inference: &a {batch_size: [1, 2]}\nextra: {<<: *a, more: *a}\n"))
    assert config["extra"] == {"batch_size": [1, 2], "more": {"batch_size": [1, 2]}}


def test_byte_order_mark(written):
    """A file that an editor of Windows wrote is read as well."""
    assert read_config(written(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()))["audio"] == {"chunk_size": 1000}


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.mkdir [{folder}]",
        "!!python/object/new:os.mkdir {{args: [{folder}]}}",
        "!!python/object:collections.Counter {{}}",
        "!!python/name:os.mkdir ''",
        "!!python/module:os ''",
        "!!python/tuple [!!python/object/apply:os.mkdir [{folder}]]",
        "!!python/list [1]",
        "!local 1",
    ],
)
def test_tags_never_run(written, tmp_path, value):
    """Any other tag is refused with its line, and nothing that it names is called."""
    folder = tmp_path / "made"
    refused(written(GOOD + f"inference:\n  a: {value.format(folder=folder)}\n"), "line 9", "tag", "not allowed")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("audio: [1, 2\nmodel: {}\n", "line 2"),
        ("audio: {}\n\tmodel: {}\n", "line 2"),
        ("audio: *nothing\n", "line 1"),
        (GOOD + "---\n" + GOOD, "line 8"),
        (b"audio: \x00", "not YAML text"),
        (b"audio: \xff\xfe", "not YAML text"),
        ("", "sections"),
        ("[audio, model]", "sections"),
        ("just words", "sections"),
        ("audio: {}\nmodel: {}\n", "`training`"),
        ("audio: {}\nmodel: htdemucs\ntraining: {}\n", "`htdemucs`"),
        ("audio: {}\nmodel: 3\ntraining: {}\n", "`model`"),
        (GOOD + "inference: 3\n", "`inference`"),
        (GOOD.replace("audio: {chunk_size: 1000}", "audio: htdemucs"), "`audio`"),
        (GOOD + "? {a: 1}\n: b\n", "line 8"),
    ],
)
def test_malformed_files_name_the_place(written, content, said):
    """What is no configuration is refused with the file and the line or the section."""
    refused(written(content), said)


@pytest.mark.parametrize(
    "value", ["!!bool maybe", "!!int ''", "!!int ten", "!!float x", "!!timestamp now", "2024-13-45"]
)
def test_values_that_do_not_fit_their_tag(written, value):
    """Converters that fail do so as an error in the configuration."""
    refused(written(GOOD + f"inference: {{a: {value}}}\n"), "does not match")


def test_characters_written_as_two_escapes_are_whole(written):
    """As JSON writes those beyond U+FFFF; one half alone is refused."""
    config = read_config(written(GOOD + 'inference: {a: "\\ud83d\\ude00"}\n'))
    assert config["inference"] == {"a": "\N{GRINNING FACE}"}
    refused(written(GOOD + 'inference: {a: "\\ude00"}\n'), "line 8", "half a character")


def test_alias_bomb(written):
    """An alias counts as all that it stands for, so that a few lines cannot become millions of values."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)]
    refused(written(GOOD + "\n".join(lines)), f"at most {MOST_VALUES} values", "line 12")


def test_merge_bomb(written):
    """The same holds for merged mappings, which are copied while they are built."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}" for level in range(1, 12)]
    refused(written(GOOD + "\n".join(lines)), f"at most {MOST_VALUES} values")


@pytest.mark.parametrize("value", ["&a [*a]", "&a {b: *a}", "&a [[*a]]"])
def test_values_within_themselves(written, value):
    """A value that holds itself is refused."""
    refused(written(GOOD + f"inference: {value}\n"), "line 8", "contains itself")


def test_too_many_values(written):
    """A long list is refused while it is read, not after."""
    refused(written(GOOD + f"inference: [{'0,' * MOST_VALUES}]\n"), f"at most {MOST_VALUES} values")


@pytest.mark.parametrize("value", ["1" * (LONGEST_VALUE + 1), "1" + ":10" * LONGEST_VALUE])
def test_too_long_values(written, value):
    """Numbers so long that converting them takes minutes are refused before that."""
    refused(written(GOOD + f"inference: {{a: {value}}}\n"), "line 8", "too long")


def test_nested_too_deeply(written):
    """Thousands of brackets are an error, not a crash."""
    refused(written(GOOD + "inference: " + "[" * 5000 + "]" * 5000), "nested too deeply")


def test_huge_file(written):
    """A file too large for any configuration is not parsed."""
    refused(written(GOOD + "#" * LARGEST_BYTES), "too large")


def test_files_that_cannot_be_read(tmp_path):
    """A missing file and a folder are errors that name the path."""
    (tmp_path / "net.yaml").mkdir()
    refused(tmp_path / "net.yaml", "cannot be read")
    refused(tmp_path / "other" / "net.yaml", "cannot be read")


@pytest.mark.parametrize(
    ("training", "stems"),
    [
        ({"instruments": ["a", "b"]}, ("a", "b")),
        ({"instruments": ("a", "b"), "target_instrument": None}, ("a", "b")),
        ({"instruments": ["a", "b"], "target_instrument": "b"}, ("b",)),
    ],
)
def test_stems_of_a_network(tmp_path, training, stems):
    """The target is the only stem where there is one; otherwise all instruments are, in their order."""
    assert output_stems({"training": training}, tmp_path / "net.yaml") == stems


@pytest.mark.parametrize(
    "training", [{}, {"instruments": []}, {"instruments": "vocals"}, {"instruments": [1]}, {"target_instrument": ["a"]}]
)
def test_stems_that_are_not_named(tmp_path, training):
    """Without names of stems a configuration is invalid."""
    with pytest.raises(ConfigInvalid, match=r"net\.yaml.*instruments"):
        output_stems({"training": training}, tmp_path / "net.yaml")
