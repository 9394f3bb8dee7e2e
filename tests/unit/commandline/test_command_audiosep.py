"""What `dsu-audiosep` has of its own, over an engine without models."""

from pathlib import Path

import pytest
from scripted_engine import ScriptedEngine, details

from utils.commandline.audiosep import PROGRAM, find_models, main, results
from utils.commandline.existing import Results
from utils.core.catalogue import DEFAULT_AUDIOSEP
from utils.core.errors import InvalidRequest


def one_model(models_dir, repo):
    return [details(models_dir.name)]


def no_models(models_dir, repo):
    return []


def run(engine, *words):
    return main(list(words), lambda settings: engine, no_models)


def request(*words):
    return PROGRAM.parse(["--text", "drums", *words, "a.wav"]).request


class Asked(ScriptedEngine):
    """Knows the default model as well."""

    def list_models(self, request):
        self.listed.append(request)
        return super().list_models(type(request)(details=True, model="ready"))


def test_texts_are_what_to_separate():
    """In order, as many as there are; the residual only if asked for."""
    assert request("--text", "a singing voice", "-t", "rain").queries == ["drums", "a singing voice", "rain"]
    assert not request().residual
    assert request("--residual").residual


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--chunk-seconds", "5"], "chunk_seconds", 5.0),
        (["--few-chunks"], "use_chunk", False),
        ([], "use_chunk", "auto"),
        (["--checkpoint-path", "net.ckpt"], "checkpoint_path", "net.ckpt"),
        (["--config-path", "net.yaml"], "config_path", "net.yaml"),
        (["--clap-checkpoint-path", "clap.pt"], "clap_checkpoint_path", "clap.pt"),
        (["--roberta-dir", "roberta"], "roberta_dir", "roberta"),
    ],
)
def test_option_sets_its_field(words, field, value):
    """Each option ends up in the request's field of the same meaning."""
    assert getattr(request(*words), field) == value


@pytest.mark.parametrize("out", ["out", "out.d", "out.v2/sub", "."])
def test_out_is_a_directory(out):
    """Unless it ends in an audio format."""
    asked = request("-o", out)
    assert (asked.output, asked.output_dir) == (None, out)


@pytest.mark.parametrize(("out", "extension"), [("dog.wav", "wav"), ("out/a.FLAC", "flac")])
def test_out_is_a_file(out, extension):
    """With the format that its extension says."""
    asked = request("-o", out)
    assert (asked.output, asked.output_dir, asked.format) == (out, None, extension)
    assert request("-o", "a.mp3", "--bitrate", "192").bitrate == 192


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.wav"], "Describe what to separate with --text"),
        (["--text", " ", "a.wav"], "--text must describe"),
        (["--text", "rain", "--text", "Rain", "a.wav"], "--text contains `rain` twice"),
        (["--text", "residual", "--residual", "a.wav"], "A text cannot be `residual`"),
        (["--text", "rain", "-o", "x.wav", "a.wav", "b.wav"], "Several songs cannot go into one file"),
        (["--text", "rain", "-o", "x.wav", "--flac", "a.wav"], "--format needs a directory in --out"),
        (["--text", "rain", "-o", "x.wav", "--name-template", "{stem}", "a.wav"], "--name-template needs a directory"),
        (["--text", "rain", "-o", "x.wav", "--skip-existing", "a.wav"], "--skip-existing needs a directory"),
        (["--download", "--roberta-dir", "r"], "--download is for public models, named with --model; --roberta-dir"),
        (["--text", "rain", "--chunk-seconds", "0", "a.wav"], "--chunk-seconds takes a number of at least 0.1."),
    ],
)
def test_what_makes_no_sense_is_refused(words, message):
    """In the words of the command line."""
    with pytest.raises(InvalidRequest) as caught:
        PROGRAM.parse(words)
    assert caught.value.message.startswith(message)


def test_a_folder_of_songs_cannot_become_one_file(capsys, tmp_path):
    """How many there are is known only when it is looked into."""
    engine = Asked()
    assert run(engine, "--text", "rain", "-o", "x.wav", str(tmp_path)) == 2
    assert capsys.readouterr().err.startswith("dsu-audiosep: Several files cannot become one")
    assert engine.requests == []


def test_list_models_needs_no_text_and_makes_no_engine(capsys, tmp_path):
    """The names go to stdout, one a line."""
    words = ["--list-models", "--models-dir", str(tmp_path / "mine")]
    assert main(words, lambda settings: pytest.fail("an engine was made"), one_model) == 0
    assert capsys.readouterr().out == "mine\n"


def test_the_public_model_is_the_default():
    """Without a name it is looked for, and fetched where it is missing."""
    engine = Asked()
    find_models(engine, request())
    assert engine.listed[0].model == DEFAULT_AUDIOSEP


def test_parts_of_ones_own_fetch_nothing():
    """What is missing beside them is the engine's to say."""
    engine = ScriptedEngine()
    assert run(engine, "--text", "rain", "--checkpoint-path", "net.ckpt", "a.wav") == 0
    assert (engine.listed, engine.downloaded, len(engine.requests)) == ([], [], 1)


@pytest.mark.parametrize(
    ("words", "stems"),
    [
        ([], ("drums",)),
        (["--text", "rain", "--residual"], ("drums", "rain", "residual")),
        (["--stems", "residual"], ("residual",)),
        (["--two-stems", "drums"], ("drums", "no_drums")),
    ],
)
def test_results_are_called_after_the_texts(words, stems):
    """What a song gives."""
    asked = request(*words)
    assert results(asked, find_models(Asked(), asked)) == Results("ready", stems)
    assert asked.template == "{track}_({stem})"


def test_a_song_is_skipped_when_all_its_results_are_there():
    """Whatever else is there."""
    engine = Asked()
    words = ["--text", "rain", "--residual", "-o", "out", "--skip-existing", "a.wav"]
    Path("out").mkdir()
    Path("out/a_(rain).wav").touch()
    assert run(engine, *words) == 0
    assert len(engine.requests) == 1
    Path("out/a_(residual).wav").touch()
    assert run(engine, *words) == 0
    assert len(engine.requests) == 1
