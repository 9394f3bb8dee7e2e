"""`dsu models` as people see it: the overview, the ranking for a purpose, everything about one model."""

import json
import sys

import msgspec
import pytest
from scripted_engine import Terminal, details

from utils.commandline import dsu
from utils.commandline.model_list import usage_of
from utils.commandline.models import size_in_bytes
from utils.core.catalogue import PURPOSES

KNOWN = [
    msgspec.structs.replace(details(name, installed=name == "small"), **{"type": "scnet", **facts})
    for name, facts in {
        "small": {
            "purposes": ["vocals"],
            "recommended": {"vocals": "fast"},
            "speed": "fast",
            "sdr": {"vocals": 9.0},
            "sdr_on": "mvsep",
            "license": "MIT",
            "commercial_use": True,
        },
        "large": {
            "purposes": ["vocals", "drumkit"],
            "recommended": {"vocals": "best"},
            "speed": "slow",
            "size_bytes": 1_500_000_000,
            "stems": ["drums", "bass", "vocals"],
            "description": f"A large network {'that says much ' * 4}for its size.",
            "hash": "known",
            "author": "somebody",
            "year": 2025,
            "sdr": {"vocals": 11.25},
            "sdr_on": "mvsep",
            "sdr_source": "a table",
            "bleedless": {"vocals": 30.0},
            "fullness": {"vocals": 20.0},
            "bleedless_source": "another table",
            "license": "CC-BY-NC-4.0",
            "license_source": "its page",
            "commercial_use": False,
            "notes": ["A note."],
        },
        "own_songs": {"purposes": ["vocals"], "speed": "medium", "sdr": {"vocals": 12.9}, "sdr_on": "author"},
    }.items()
]


def run(*words):
    return dsu.main(["models", *words], lambda settings: pytest.fail("an engine was made"), lambda *_: KNOWN)


@pytest.fixture
def screen(monkeypatch):
    """What is seen in a terminal, of 80 columns if nothing else is said."""

    def screen(*words, columns=80):
        shown = Terminal()
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "stdout", shown)
        assert run(*words) == 0
        return shown.getvalue().splitlines()

    return screen


def test_an_overview_on_a_terminal(screen):
    """What is recommended, what is installed, and how to see more; every line fits."""
    lines = screen()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "3 models. These are recommended:"
    assert [line.split() for line in lines[2:4]] == [["FAST", "GOOD", "BEST"], ["vocals", "small", "large"]]
    assert "Installed: small" in lines
    assert any(line.startswith("dsu models --for vocals ") for line in lines)


def test_a_pipe_gets_the_whole_table(capsys):
    """As do `--all` and every filter on a terminal."""
    assert run() == 0
    assert capsys.readouterr().out.startswith("networks (3)\n")


@pytest.mark.parametrize("words", [["--all"], ["--installed"], ["--family", "networks"], ["small"]])
def test_a_filter_on_a_terminal_lists_models(screen, words):
    """The overview is for those who ask for nothing."""
    assert "recommended" not in screen(*words)[0]


def test_models_for_a_purpose_are_ranked(screen):
    """With marks, sizes, speeds and scores; other scores have a line of their own before them."""
    lines = screen("--for", "vocals")
    assert lines[0] == "vocals: the singing, without the music (3)"
    assert lines[-4:] == [
        "",
        "*            installed",
        "?            a licence that nobody states, which is not a free one",
        "BLEED, FULL  scores `bleedless` and `fullness`: more is less bleed, and fuller",
    ]
    assert [line.split() for line in lines[1:-4]] == [
        ["NAME", "SIZE", "SPEED", "SDR", "BLEED", "FULL", "LICENCE"],
        ["scores", "of", "MVSep,", "or", "published", "beside", "them:"],
        ["best", "large", "1.5", "GB", "slow", "11.2", "30.0", "20.0", "CC-BY-NC-4.0"],
        ["*", "fast", "small", "10.0", "MB", "fast", "9.0", "MIT"],
        ["scores", "on", "songs", "of", "the", "author's", "own:"],
        ["own_songs", "10.0", "MB", "medium", "12.9", "?"],
    ]


def test_a_ranking_is_cut_to_the_terminal(screen):
    """One model stays on one line."""
    wide = screen("--for", "vocals")
    narrow = screen("--for", "vocals", columns=30)
    assert len(narrow) == len(wide)
    assert max(len(line) for line in narrow[1:-4] if not line.endswith(":")) == 30


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--for", "drumkit"], ["large"]),
        (["--commercial"], ["small"]),
        (["--speed", "medium"], ["small", "own_songs"]),
        (["--max-size", "1G"], ["small", "own_songs"]),
        (["--for", "vocals", "--installed"], ["small"]),
        (["--for", "vocals"], ["large", "small", "own_songs"]),
        (["--for", "piano"], []),
    ],
)
def test_filters(capsys, words, names):
    """They work together, and on the JSON document, too."""
    assert run("--json", *words) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == names


@pytest.mark.parametrize(
    ("text", "size"),
    [("500", 500), ("500M", 500_000_000), ("1.5 GB", 1_500_000_000), ("2gib", 2_000_000_000), ("10k", 10_000)],
)
def test_sizes_as_people_type_them(text, size):
    """With or without a unit."""
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "0", "1T", "1e999"])
def test_a_size_that_is_none(capsys, text):
    """It is a mistake, with an example."""
    assert run(f"--max-size={text}") == 2
    assert "a size such as 500M" in capsys.readouterr().err


def test_show_tells_everything_and_how_to_use_it(capsys):
    """Long texts go on below their first line."""
    assert run("show", "large") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) < 80
    assert lines == [
        "name         large",
        "family       networks (scnet)",
        "about        A large network that says much that says much that says much that",
        "             says much for its size.",
        "for          vocals, drumkit",
        "recommended  for vocals (best)",
        "stems        drums, bass, vocals",
        "size         1.5 GB",
        "speed        slow",
        "installed    no",
        "checked by   the SHA-256 of the published checkpoint",
        "author       somebody",
        "year         2025",
        "licence      CC-BY-NC-4.0; no commercial use; stated by: its page",
        "SDR          vocals 11.25 dB",
        "measured on  the Multisong set or the quality checker of MVSep",
        "published by a table",
        "bleedless    vocals 30.0",
        "fullness     vocals 20.0",
        "published by another table",
        "note         A note.",
        "use          dsu download large",
        "             dsu -m large song.mp3",
        "             dsu -m large --stems vocals song.mp3",
    ]


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ({}, ["dsu download net", "dsu -m net song.mp3"]),
        ({"installed": True}, ["dsu -m net song.mp3"]),
        ({"downloadable": False}, ["dsu -m net song.mp3"]),
        ({"type": "apollo", "stems": ["restored"]}, ["dsu download net", "dsu -m net song.mp3"]),
        ({"type": "audiosep"}, ["dsu download net", 'dsu --text "a dog barking" song.mp3']),
        (
            {"purposes": ["drumkit"], "stems": ["kick", "snare", "toms"], "installed": True},
            ["dsu -m htdemucs --stems drums song.mp3", "dsu -m net separated/song/drums.wav"],
        ),
        ({"purposes": ["drumkit"], "stems": ["kick"], "installed": True}, ["dsu -m net song.mp3"]),
    ],
)
def test_how_a_model_is_used(facts, lines):
    """It is downloaded first if it can be; the pieces of a drum kit are separated from the drums."""
    model = msgspec.structs.replace(details("net", installed=False), **facts)
    assert [line[13:] for line in usage_of(model)] == lines


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["show"], 2, "Name at least one model."),
        (["show", "larg"], 1, "There is no model `larg`. Did you mean: large?"),
        (["--for", "everything"], 2, "invalid choice: 'everything'"),
    ],
)
def test_mistakes(capsys, words, status, said):
    """They are told in one line."""
    assert run(*words) == status
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_the_help_explains_every_purpose(capsys):
    """And names the commands."""
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert all(f"  {purpose:12} {facts.meaning}\n" in text for purpose, facts in PURPOSES.items())
    assert all(f"dsu models {command}" in text for command in ("show", "import", "verify", "remove", "du"))
