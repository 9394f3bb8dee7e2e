"""What `dsu-demucs` has of its own, over an engine without models."""

import pytest
from scripted_engine import ScriptedEngine, details

from utils.commandline.demucs import PROGRAM, find_models, main, results
from utils.commandline.existing import Results
from utils.core.requests import DemucsListModels


def listing(models_dir, repo):
    return [details(f"one in {models_dir.name}"), details(f"one in {repo.name}" if repo else "no repo")]


@pytest.mark.parametrize(("words", "second"), [(["--repo", "local"], "one in local"), ([], "no repo")])
def test_list_models_prints_names_and_makes_no_engine(capsys, tmp_path, words, second):
    """The names of all folders go to stdout, one a line; nothing heavy is imported for that."""
    words = ["--list-models", "--models-dir", str(tmp_path / "mine"), *words]
    assert main(words, lambda settings: pytest.fail("an engine was made"), listing) == 0
    assert capsys.readouterr().out == f"one in mine\n{second}\n"


def test_the_model_is_looked_for_in_the_folder_too():
    """The engine is asked for one model, also of `--repo`."""
    engine = ScriptedEngine()
    found = find_models(engine, PROGRAM.parse(["-n", "ready", "--repo", "local", "a.wav"]).request)
    assert [model.name for model in found] == ["ready"]
    assert engine.listed == [DemucsListModels(details=True, model="ready", repo="local")]


@pytest.mark.parametrize(
    ("words", "stems"),
    [
        ([], ("drums", "vocals")),
        (["--two-stems", "vocals"], ("vocals", "no_vocals")),
        (["--two-stems", "vocals", "--other-method", "none"], ("vocals",)),
    ],
)
def test_results_are_below_the_model(words, stems):
    """What a song gives is laid out as demucs does it."""
    request = PROGRAM.parse(["-n", "ready", *words, "a.wav"]).request
    models = find_models(ScriptedEngine(), request)
    assert results(request, models) == Results("ready", stems)
    assert request.template == "{model}/{track}/{stem}"


def test_nothing_is_done_when_all_songs_have_results(tmp_path):
    """No model is downloaded for songs that are skipped."""
    (tmp_path / "separated" / "absent" / "a").mkdir(parents=True)
    (tmp_path / "separated" / "absent" / "a" / "vocals.wav").touch()
    engine = ScriptedEngine()
    words = ["-n", "absent", "a.wav", "--skip-existing", "--stems", "vocals"]
    assert main(words, lambda settings: engine, listing) == 0
    assert (engine.requests, engine.downloaded) == ([], [])
