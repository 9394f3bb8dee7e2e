"""What `dsu-bsroformer` has of its own, over an engine without models."""

import sys
from pathlib import Path

import msgspec
import pytest
from scripted_engine import ScriptedEngine, Terminal, details

from utils.commandline.bsroformer import PROGRAM, common_stems, complement_of, find_models, main, results
from utils.commandline.existing import Results
from utils.core.requests import NetworkSeparate

OWN = ["--model-path", "nets/mine.ckpt", "--config-path", "mine.yaml"]


def one_model(models_dir, repo):
    return [details(models_dir.name)]


def no_models(models_dir, repo):
    return []


def run(engine, *words):
    return main(list(words), lambda settings: engine, no_models)


def results_of(*words):
    request = PROGRAM.parse([*words, "a.wav"]).request
    return results(request, find_models(ScriptedEngine(), request))


def giving(*stems):
    return msgspec.structs.replace(details("net"), stems=list(stems))


def test_list_models_needs_no_model_and_makes_no_engine(capsys, tmp_path):
    """The names go to stdout, one a line; nothing heavy is imported for that."""
    words = ["--list-models", "--models-dir", str(tmp_path / "mine")]
    assert main(words, lambda settings: pytest.fail("an engine was made"), one_model) == 0
    assert capsys.readouterr().out == "mine\n"


def test_people_see_a_table_of_the_models(capsys, tmp_path, monkeypatch):
    """On a terminal: what each gives, cut to its width."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    assert main(["--list-models"], lambda settings: pytest.fail("an engine was made"), one_model) == 0
    heading, columns, row = terminal.getvalue().splitlines()
    assert heading == "demucs (1)"
    assert columns.split()[:2] == ["NAME", "SIZE"]
    assert row.startswith("* ")
    assert max(map(len, terminal.getvalue().splitlines())) < 40


def test_without_a_model_the_engine_takes_its_own():
    """Nothing is named, listed or downloaded: the network that comes with DSU is the engine's to know."""
    engine = ScriptedEngine()
    assert run(engine, "a.wav") == 0
    (request,) = engine.requests
    assert request.model_key is None
    assert (engine.listed, engine.downloaded) == ([], [])


def test_songs_that_are_skipped_are_counted(capsys):
    """Together with those that were done."""
    songs = ["one.wav", "two.wav"]
    assert run(ScriptedEngine(), "-m", "ready", *songs) == 0
    assert run(ScriptedEngine(), "-m", "ready", *songs, "three.wav", "--skip-existing") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "1 done, 2 skipped"


def test_a_download_needs_a_name(capsys):
    """What to fetch must be said."""
    assert run(ScriptedEngine(), "--download", "a.wav") == 2
    assert capsys.readouterr().err == (
        "dsu-bsroformer: Choose a model to download with --model NAME. --list-models lists all models.\n"
    )


def test_own_network_is_separated_without_looking_for_it():
    """The user's files reach the engine; nothing is listed and nothing is downloaded."""
    engine = ScriptedEngine()
    assert run(engine, *OWN, "--model-type", "scnet", "a.wav") == 0
    (request,) = engine.requests
    assert (request.model_path, request.config_path, request.model_type) == ("nets/mine.ckpt", "mine.yaml", "scnet")
    assert (engine.listed, engine.downloaded) == ([], [])


def test_every_missing_member_of_an_ensemble_is_downloaded():
    """Members are looked for one by one, each only once, and those that are missing are fetched."""
    engine = ScriptedEngine()
    assert run(engine, "--ensemble", "ready,absent,ready", "a.wav") == 0
    assert [asked.model for asked in engine.listed] == ["ready", "absent"]
    assert engine.downloaded == ["absent"]


def test_download_fetches_every_member(capsys):
    """`--download` says of each member where it is."""
    assert run(ScriptedEngine(), "--ensemble", "ready,absent", "--download") == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" ")[0] for line in lines if "->" in line] == ["ready", "absent"]


@pytest.mark.parametrize("name", ["a/drums.wav", "a/VOCALS.wav"])
def test_a_song_is_skipped_when_all_its_stems_are_there(tmp_path, name):
    """Results lie in OUT/TRACK, without a folder for the model."""
    for stem in ("a/drums.wav", "a/VOCALS.wav"):
        Path(tmp_path, "out", stem).parent.mkdir(parents=True, exist_ok=True)
        Path(tmp_path, "out", stem).touch()
    engine = ScriptedEngine()
    words = ["-m", "ready", "-o", "out", "--skip-existing", "a.wav"]
    assert run(engine, *words) == 0
    assert engine.requests == []
    Path(tmp_path, "out", name).unlink()
    assert run(engine, *words) == 0
    assert len(engine.requests) == 1


@pytest.mark.parametrize(
    ("words", "model", "stems"),
    [
        (["-m", "ready"], "ready", ("drums", "vocals")),
        (["-m", "ready", "--extract-instrumental"], "ready", ("drums", "vocals", "instrumental")),
        (["-m", "ready", "--two-stems", "vocals"], "ready", ("vocals", "no_vocals")),
        (["--ensemble", "ready,absent"], "ready+absent", ("drums", "vocals")),
        (OWN, "mine", (None,)),
    ],
)
def test_results_are_below_the_track(words, model, stems):
    """What a song gives, as far as it can be known before a network is read."""
    assert results_of(*words) == Results(model, stems)
    assert NetworkSeparate.template == "{track}/{stem}"


def test_stems_of_an_ensemble_are_those_that_all_give():
    """They are called as the first member calls them."""
    assert common_stems([giving("Vocals", "Drums"), giving("vocals", "other")]) == ["Vocals"]
    assert common_stems([giving("vocals", "other")]) == ["vocals", "other"]
    assert common_stems([]) == []


@pytest.mark.parametrize(
    ("stems", "name"),
    [(["vocals"], "instrumental"), (["Instrumental"], "vocals"), (["Vocals", "Instrumental"], "instrumental")],
)
def test_complement_is_what_is_missing(stems, name):
    """`--extract-instrumental` adds the instrumental, or the vocals where the network gives that one."""
    assert complement_of(stems) == name
