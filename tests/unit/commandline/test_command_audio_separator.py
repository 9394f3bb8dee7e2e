"""What `dsu-audio-separator` has of its own, over an engine without models."""

from pathlib import Path

import pytest
from scripted_engine import ScriptedEngine, details

from utils.commandline.audio_separator import OPTIONS_OF, PROGRAM, find_models, main, own_file, results
from utils.commandline.existing import Results
from utils.core.catalogue import AUDIO_SEPARATOR_SUFFIXES
from utils.core.requests import Apollo, AudioSeparatorSeparate


def one_model(models_dir, repo):
    return [details(models_dir.name)]


def no_models(models_dir, repo):
    return []


def run(engine, *words):
    return main(list(words), lambda settings: engine, no_models)


def results_of(*words):
    request = PROGRAM.parse([*words, "a.wav"]).request
    return results(request, find_models(ScriptedEngine(), request))


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_list_models_needs_no_model_and_makes_no_engine(capsys, tmp_path):
    """The names go to stdout, one a line; nothing heavy is imported for that."""
    words = ["--list-models", "--models-dir", str(tmp_path / "mine")]
    assert main(words, lambda settings: pytest.fail("an engine was made"), one_model) == 0
    assert capsys.readouterr().out == "mine\n"


def test_without_a_model_it_says_how_to_find_one(capsys):
    """There is no default: the error names the options that help, and the status is 2."""
    assert run(ScriptedEngine(), "a.wav") == 2
    assert capsys.readouterr().err == (
        "dsu-audio-separator: Name a model with --model, or one that restores with --apollo. "
        "--list-models lists all models.\n"
    )


def test_extensions_mean_what_they_mean_to_the_engine():
    """The kinds that have options of their own are those that the models are found by."""
    assert OPTIONS_OF.keys() == set(AUDIO_SEPARATOR_SUFFIXES.values())


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["-m", "nets/mine.pth"], Path("nets/mine.pth")),
        (["-m", "here.onnx"], Path("here.onnx")),
        (["-m", "mine.pth", "--model-file-dir", "nets"], Path("nets/mine.pth")),
        (["-m", "~/mine.pth"], Path("~/mine.pth").expanduser()),
        (["-m", "elsewhere.onnx"], None),
        (["-m", "nets"], None),
        (["--apollo", "nets/mine.ckpt"], Path("nets/mine.ckpt")),
        (["--apollo", "ready"], None),
    ],
)
def test_a_file_of_ones_own_is_named_by_its_path_or_its_folder(words, path):
    """Whatever else is named is looked for among the models; so is what is no file of a VR or MDX model."""
    touch("nets/mine.pth", "here.onnx")
    assert own_file(PROGRAM.parse([*words, "a.wav"]).request) == path


@pytest.mark.parametrize("words", [["-m", "nets/mine.pth"], ["-m", "mine.pth", "--model-file-dir", "nets"]])
def test_own_model_is_run_without_looking_for_it(words):
    """The user's file reaches the engine; nothing is listed and nothing is downloaded."""
    touch("nets/mine.pth")
    engine = ScriptedEngine()
    assert run(engine, *words, "a.wav", "b.wav") == 0
    assert [request.model for request in engine.requests] == [words[1]] * 2
    assert (engine.listed, engine.downloaded) == ([], [])


def test_own_model_that_is_not_there_is_one_error_for_all_songs(capsys):
    """Its path is told before any song is read, and nothing is fetched in its place."""
    engine = ScriptedEngine()
    assert run(engine, "-m", "ready.pth", "--model-file-dir", "nets", "a.wav", "b.wav") == 1
    assert capsys.readouterr().err == f"dsu-audio-separator: There is no model `{Path('nets/ready.pth')}`.\n"
    assert (engine.requests, engine.downloaded) == ([], [])


def test_download_of_a_file_of_ones_own(capsys):
    """There is nothing to fetch, which is said."""

    class Public(ScriptedEngine):
        def download_model(self, request, job):
            return super().download_model(type(request)(model="mine"), job)

    touch("nets/mine.pth")
    assert run(Public(), "-m", "nets/mine.pth", "--download") == 0
    told = f"{Path('nets/mine.pth')} is a model of your own; there is nothing to download.\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("name", ["a_(drums).wav", "a_(VOCALS).wav"])
def test_a_song_is_skipped_when_all_its_stems_are_there(name):
    """Results lie in OUT itself, with the stem behind the name of the song."""
    touch("out/a_(drums).wav", "out/a_(VOCALS).wav")
    engine = ScriptedEngine()
    words = ["-m", "ready", "-o", "out", "--skip-existing", "a.wav"]
    assert run(engine, *words) == 0
    assert engine.requests == []
    Path("out", name).unlink()
    assert run(engine, *words) == 0
    assert len(engine.requests) == 1


@pytest.mark.parametrize(
    ("words", "model", "stems"),
    [
        (["-m", "ready"], "ready", ("drums", "vocals")),
        (["-m", "ready", "--single-stem", "Drums"], "ready", ("Drums",)),
        (["-m", "ready", "--two-stems", "vocals"], "ready", ("vocals", "no_vocals")),
        (["-m", "nets/mine.pth"], "mine.pth", (None,)),
        (["--apollo", "ready"], "ready", ("restored",)),
        (["--apollo", "nets/mine.pth", "--addition"], "mine.pth", ("restored", "addition")),
        (["-m", "nets/mine.pth", "--stems", "Vocals"], "mine.pth", ("Vocals",)),
    ],
)
def test_results_are_called_after_the_track(words, model, stems):
    """What a song gives, as far as it can be known before a model is read."""
    touch("nets/mine.pth")
    assert results_of(*words) == Results(model, stems)
    assert AudioSeparatorSeparate.template == Apollo.template == "{track}_({stem})"


def test_restoring_again_leaves_out_what_was_restored(tmp_path):
    """A folder with the results of earlier runs inside: only the songs are restored, into the same folder."""
    touch("out/a_(restored).wav")
    engine = ScriptedEngine()
    assert run(engine, "--apollo", "ready", "-o", "out", str(tmp_path)) == 0
    assert [Path(request.input).name for request in engine.requests] == ["a.wav", "b.wav"]
    assert {(type(request), request.output, request.folder) for request in engine.requests} == {(Apollo, None, "out")}
