"""What `dsu-audio-separator` does and says, over an engine without models."""

import io
import json
import re
import signal
from pathlib import Path

import pytest
from scripted_engine import ScriptedEngine

from utils.commandline.audio_separator.listing import as_json, chosen, models_table
from utils.commandline.audio_separator.messages import Log, Messages, drawn
from utils.commandline.audio_separator.program import main
from utils.core.errors import DownloadFailed, InputUnreadable, InvalidRequest
from utils.core.replies import Downloading, Progress, Separating
from utils.core.requests import Apollo
from utils.store.package_catalogue import PackageModel, package_models

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} - "


@pytest.fixture(autouse=True)
def without_the_package_s_folder(monkeypatch):
    monkeypatch.delenv("AUDIO_SEPARATOR_MODEL_DIR", raising=False)


def run(engine, *words):
    return main(list(words), lambda settings: engine, lambda models_dir, repo: [])


def without_engine(*words):
    return main(list(words), lambda settings: pytest.fail("an engine was made"), lambda models_dir, repo: [])


def said(capsys):
    """The lines of the log without their times."""
    lines = re.split(r"[\r\n]+", capsys.readouterr().err)
    return [re.sub(STAMP, "", line) for line in lines if re.match(STAMP, line)]


def test_a_song(capsys):
    """Its way is told on stderr, and at the end the names of its files; stdout stays empty."""
    engine = ScriptedEngine()
    assert run(engine, "-m", "ready", "--output_dir", "out", "a.wav") == 0
    lines = said(capsys)
    assert lines[0].endswith("beginning with input path(s): a.wav")
    assert "INFO - separator - Starting separation process for audio_file_path: a.wav" in lines
    assert "INFO - separator - Saving vocals stem to vocals.flac..." in lines
    assert lines[-1] == "INFO - cli - Separation complete! Output file(s): drums.flac vocals.flac"
    assert capsys.readouterr().out == ""
    assert (engine.started, engine.closed) == (True, True)


def test_a_card_that_cannot_be_used_is_a_warning(capsys):
    """Before the work, which may take long on another device."""
    engine = ScriptedEngine()
    engine.warnings = ["`cuda:0` is not used. Its driver is too old."]
    assert run(engine, "-m", "ready", "--output_dir", "out", "a.wav") == 0
    assert said(capsys)[1] == f"WARNING - cli - {engine.warnings[0]}"


def test_names_for_the_stems_of_several_songs_are_a_warning(capsys):
    """Since those of the last song are what is left."""
    words = ("-m", "ready", "--output_dir", "out", '--custom_output_names={"Vocals": "voice"}')
    assert run(ScriptedEngine(), *words, "a.wav", "b.wav") == 0
    assert any(line.startswith("WARNING - separator - `custom_output_names` gives stems") for line in said(capsys))


def test_without_songs_it_shows_its_help(capsys):
    """And says by its status that nothing was done."""
    assert without_engine() == 1
    assert "--ensemble-preset" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--nonsense", "a.wav"], ["--custom_output_names=x", "a.wav"], ["--list_format=x"]])
def test_a_wrong_option_has_the_status_of_argparse(words, capsys):
    """2, with what is wrong."""
    assert without_engine(*words) == 2
    assert capsys.readouterr().err.startswith("dsu-audio-separator: error: ")


@pytest.mark.parametrize(
    "words",
    [["--ensemble_preset=nobody"], ["--log_level=loud"], ["--mdx_hop_length=512"], ["-m", "nobody.ckpt"]],
)
def test_what_fails_later_has_the_status_1(words, capsys):
    """As everything that the package finds out after it has read its arguments."""
    assert run(ScriptedEngine(), *words, "a.wav") == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("dsu-audio-separator: error: ")


def test_a_song_that_fails_does_not_stop_the_others(capsys):
    """But the status is 1, and the last line names it."""

    def act(request, job):
        if request.input == "a.wav":
            raise InputUnreadable("It is broken.")

    engine = ScriptedEngine(act)
    assert run(engine, "-m", "ready", "a.wav", "b.wav") == 1
    assert [request.input for request in engine.requests] == ["a.wav", "b.wav"]
    lines = said(capsys)
    assert "ERROR - separator - Failed to process file a.wav: It is broken." in lines
    assert lines[-1] == "ERROR - cli - Separation failed: Separation failed for 1 input(s): a.wav: It is broken."


def test_the_traceback_of_an_unexpected_error_is_a_message_for_debugging(capsys):
    """The error says so."""
    engine = ScriptedEngine(lambda request, job: (_ for _ in ()).throw(ZeroDivisionError("division")))
    run(engine, "-m", "ready", "a.wav")
    assert "Run it again with --debug for a traceback to report." in capsys.readouterr().err
    run(engine, "-m", "ready", "a.wav", "--debug")
    assert "DEBUG - separator - Traceback (most recent call last):" in capsys.readouterr().err


def test_songs_that_all_fail_are_each_told_once(capsys):
    """And the failure as a whole at the end. Nothing looks done."""
    engine = ScriptedEngine(lambda request, job: (_ for _ in ()).throw(InputUnreadable("It is broken.")))
    assert run(engine, "-m", "ready", "a.wav", "b.wav") == 1
    text = capsys.readouterr().err
    assert text.count("Failed to process file") == 2
    assert "100%" not in text


def test_an_error_is_not_written_behind_an_unfinished_bar(capsys):
    """It begins a line, as when a download fails."""
    engine = ScriptedEngine()

    def fail(request, job):
        job.announce(Downloading(model="m", file="f", percent=1.0, received_bytes=1, total_bytes=100, eta=None))
        raise DownloadFailed("No connection.")

    engine.download_model = fail
    assert run(engine, "-m", "absent", "a.wav") == 1
    assert re.search(r"\]\n\S*dsu-audio-separator: error: No connection", capsys.readouterr().err)


def test_a_model_that_is_missing_is_downloaded_first(capsys):
    """With `--download_model_only` nothing else happens."""
    engine = ScriptedEngine()
    assert run(engine, "-m", "absent", "a.wav") == 0
    assert engine.downloaded == ["absent"]
    engine = ScriptedEngine()
    capsys.readouterr()
    assert run(engine, "-m", "absent", "--extra_models", "ready", "--download_model_only") == 0
    assert (engine.downloaded, engine.requests) == (["absent", "ready"], [])
    assert said(capsys)[-1] == "INFO - cli - Model absent, ready downloaded successfully."


def test_a_file_of_ones_own_is_not_looked_for(capsys):
    """It reaches the engine by its path, and there is nothing to download."""
    Path("nets").mkdir()
    for name in ("nets/own.pth", "nets/own.ckpt", "nets/own.yaml"):
        Path(name).touch()
    engine = ScriptedEngine()
    assert run(engine, "-m", "own.pth", "--model_file_dir", "nets", "a.wav") == 0
    assert run(engine, "-m", "own.ckpt", "--model_file_dir", "nets", "a.wav") == 0
    assert [request.model for request in engine.requests] == [str(Path("nets/own.pth").absolute()), "own.ckpt"]
    assert engine.downloaded == []
    assert run(engine, "-m", "own.ckpt", "--model_file_dir", "nets", "--download") == 0
    assert "own.ckpt is your own model" in capsys.readouterr().err


def test_songs_with_results_are_skipped():
    """By the names that their files would have."""
    Path("out").mkdir()
    for name in ("a_(drums)_ready.flac", "a_(Vocals)_ready.flac"):
        Path("out", name).touch()
    engine = ScriptedEngine()
    assert run(engine, "-m", "ready", "-o", "out", "--skip-existing", "a.wav", "b.wav") == 0
    assert [request.input for request in engine.requests] == ["b.wav"]


def test_a_folder_stands_for_its_songs(tmp_path):
    """Also to restore them, where results of earlier runs are left out."""
    Path("out").mkdir()
    Path("out", "a_(restored).wav").touch()
    engine = ScriptedEngine()
    assert run(engine, "--apollo", "ready", "-o", "out", str(tmp_path)) == 0
    assert [Path(request.input).name for request in engine.requests] == ["a.wav", "b.wav"]
    assert {type(request) for request in engine.requests} == {Apollo}


def test_cancelling_has_the_signal_s_status(capsys):
    """Nothing is half-written, which is said."""
    engine = ScriptedEngine(lambda request, job: (signal.raise_signal(signal.SIGINT), job.checkpoint()))
    assert run(engine, "-m", "ready", "a.wav") == -signal.SIGINT
    assert any("No half-written files are left" in line for line in said(capsys))


def test_options_without_an_effect_are_noted_once(capsys):
    """They are accepted, since what they are for is so anyway."""
    words = ["--chunk_duration=600", "--use_torch_compile", "--use_soundfile", "--demucs_segments_enabled=True"]
    assert run(ScriptedEngine(), "-m", "ready", *words, "a.wav", "b.wav") == 0
    noted = [line for line in said(capsys) if "has no effect" in line]
    assert [line.split()[4] for line in noted] == ["--chunk-duration", "--use-torch-compile"]


def test_the_level_of_messages(capsys):
    """Errors alone are shown on request, and the bar in any case."""
    assert run(ScriptedEngine(), "-m", "ready", "--log_level=error", "a.wav") == 0
    assert said(capsys) == []


def test_what_the_program_runs_on(capsys):
    """Is told without an engine."""
    assert without_engine("--env_info") == 0
    assert any("Python Version" in line for line in said(capsys))


# Lists ------------------------------------------------------------------------------------------------------------


def test_models_as_json(capsys):
    """An object for each kind, in the package's order, whatever is filtered."""
    assert without_engine("-l", "--list_format=json", "--list_filter=drums") == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["VR", "MDX", "Demucs", "MDXC"]
    assert document["Demucs"]["Demucs v4: htdemucs_ft"]["filename"] == "htdemucs_ft.yaml"
    for models in document.values():
        for model in models.values():
            assert list(model) == ["filename", "scores", "stems", "target_stem", "download_files"]


def test_models_of_the_folder_that_the_variable_names_are_listed(capsys, monkeypatch, tmp_path):
    """More than those of the option; one that does not exist is an error, as it is for the package."""
    (tmp_path / "mine.onnx").touch()
    monkeypatch.setenv("AUDIO_SEPARATOR_MODEL_DIR", str(tmp_path))
    assert without_engine("-l", "--list_format=json", "--model_file_dir=elsewhere") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["MDX"]["MDX Model: mine"]["filename"] == "mine.onnx"
    monkeypatch.setenv("AUDIO_SEPARATOR_MODEL_DIR", str(tmp_path / "none"))
    assert without_engine("-l") == 1
    assert "AUDIO_SEPARATOR_MODEL_DIR" in capsys.readouterr().err


def test_models_as_a_table(capsys):
    """Sorted by how well they give a stem, and no more than were asked for."""
    assert without_engine("--list_models", "--list_filter=Vocals", "--list_limit=2") == 0
    rule, heading, _, *rows = capsys.readouterr().out.splitlines()
    assert set(rule) == {"-"}
    assert heading.split("  ")[0] == "Model Filename"
    assert len(rows) == 2
    scores = [float(re.search(r"vocals\*? \(([\d.]+)\)", row)[1]) for row in rows]
    assert scores == sorted(scores, reverse=True)


ONE = PackageModel(
    file="b.pth", kind="VR", name="A", stems=("vocals", "other"), target_stem="other", sdr={"vocals": 1.0}
)
TWO = PackageModel(file="a.ckpt", kind="MDXC", name="B", config="a.yaml", stems=("vocals",), sdr={"vocals": 2.25})
NEW = PackageModel(file="c.onnx", kind="MDX", name="C")


@pytest.mark.parametrize(
    ("by", "limit", "expected"),
    [
        (None, None, [ONE, TWO, NEW]),
        ("name", None, [ONE, TWO, NEW]),
        ("filename", None, [TWO, ONE, NEW]),
        ("vocals", None, [TWO, ONE]),
        ("other", None, [ONE]),
        ("unknown", None, [NEW]),
        (None, 1, [ONE]),
        ("drums", None, []),
    ],
)
def test_the_choice_of_models(by, limit, expected):
    """By name, by file, or by a stem, best first."""
    assert chosen([ONE, TWO, NEW], by, limit) == expected


def test_lines_of_the_table():
    """The stem that a model was made for has an asterisk; a stem that was measured has its score."""
    lines = list(models_table([ONE, TWO, NEW]))
    assert lines[3:] == [
        "b.pth           VR    vocals (1.0), other*  A",
        "a.ckpt          MDXC  vocals (2.2)          B",
        "c.onnx          MDX   Unknown               C",
    ]
    assert json.loads(as_json([TWO]))["MDXC"]["B"]["download_files"] == ["a.ckpt", "a.yaml"]


def test_ones_own_models_are_listed(tmp_path):
    """Those in the models directory itself and in its folders for each kind."""
    for name in ("mine.pth", "audio-separator/own.onnx", "bsroformer/net.ckpt", "bsroformer/net.yaml", "lone.ckpt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert {model.file: model.kind for model in package_models(tmp_path)[-3:]} == {
        "mine.pth": "VR",
        "own.onnx": "MDX",
        "net.ckpt": "MDXC",
    }


# Messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "elapsed_s", "expected"),
    [
        (0, 0.0, "  0%|          | 0/100 [00:00<?, ?it/s]"),
        (50, 2.0, " 50%|█████     | 50/100 [00:02<00:02, 25.00it/s]"),
        (100, 3700.0, "100%|██████████| 100/100 [1:01:40<00:00,  0.03it/s]"),
    ],
)
def test_the_bar_is_as_tqdm_draws_it(percent, elapsed_s, expected):
    """Programs that start this one read the percentage in it."""
    assert drawn(percent, elapsed_s) == expected


def test_a_bar_and_a_line_do_not_mix():
    """Each bar is drawn over the last one; a line begins on its own; and the next song has a new bar."""
    out = io.StringIO()
    messages = Messages(Log(out, "info"), clock=lambda: 0.0)
    for percent in (0.0, 0.4, 50.0):
        messages.event(Progress(percent=percent, stage="separate", eta=None))
    messages.log.say("debug", "cli", "hidden")
    messages.log.say("info", "cli", "shown")
    messages.event(Separating(input="b.wav"))
    messages.event(Progress(percent=60.0, part_percent=1.0, stage="files", eta=None))
    messages.event(Downloading(model="m", file="f", percent=0.0, received_bytes=0, total_bytes=None, eta=None))
    pieces = re.split(r"[\r\n]", out.getvalue())
    assert [piece.partition("|")[0].strip() or "-" for piece in pieces if "|" in piece] == [
        "0%",
        "50%",
        "0%",
        "1%",
        "0%",
    ]
    assert re.search(rf"\n{STAMP}INFO - cli - shown\n", out.getvalue())
    assert "hidden" not in out.getvalue()


def test_a_level_that_there_is_not():
    """Is told with those that there are."""
    with pytest.raises(InvalidRequest, match="debug, info"):
        Log(io.StringIO(), "loud")
