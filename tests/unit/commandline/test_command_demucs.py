"""The whole command line over an engine without models."""

import signal
import sys
from pathlib import Path

import pytest
from scripted_engine import ScriptedEngine, Terminal

from utils.commandline.demucs import main
from utils.core.errors import DeviceUnavailable, InputEmpty


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    """No settings from this machine, and a folder of its own to work in."""
    for name in ("DSU_MODELS", "DSU_DEVICE", "DSU_THREADS", "DSU_OFFLINE", "DSU_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("utils.core.settings.config_places", list)
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()


def run(engine, *words, model="ready"):
    return main(["-n", model, *words], lambda settings: engine, list_names)


def list_names(models_dir, repo):
    return [f"one in {models_dir.name}", f"one in {repo.name}" if repo else "no repo"]


def fail_on(name, error):
    def act(request, job):
        if Path(request.input).name == name:
            raise error

    return act


def test_songs_are_separated_one_after_the_other(capsys):
    """Each song gets its line on stderr, stdout stays empty, the status is 0."""
    engine = ScriptedEngine()
    assert run(engine, "a.wav", "b.wav", "--flac") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(" ")[0] for line in err.splitlines()] == ["a.wav", "b.wav"]
    assert [request.format for request in engine.requests] == ["flac", "flac"]
    assert engine.started
    assert engine.closed


def test_folder_gives_the_songs_in_it_but_not_earlier_results(tmp_path):
    """A folder stands for its audio files; the output folder inside it is left out."""
    (tmp_path / "separated").mkdir()
    (tmp_path / "separated" / "drums.wav").touch()
    engine = ScriptedEngine()
    assert run(engine, str(tmp_path)) == 0
    assert [Path(request.input).name for request in engine.requests] == ["a.wav", "b.wav"]


def test_print_paths_lists_what_was_written(capsys):
    """With `--print-paths` stdout holds one existing file a line, and nothing else."""
    run(ScriptedEngine(), "a.wav", "--print-paths")
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line).name for line in lines] == ["drums.wav", "vocals.wav"]
    assert all(Path(line).exists() for line in lines)


def test_one_bad_song_does_not_stop_the_others(capsys):
    """The status is 1, the bad song's line is its error, and the other song is done."""
    engine = ScriptedEngine(fail_on("a.wav", InputEmpty("It is empty.")))
    assert run(engine, "a.wav", "b.wav") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a.wav: It is empty."
    assert lines[1].startswith("b.wav -> ")


@pytest.mark.parametrize("error", [InputEmpty("It is empty."), ZeroDivisionError("division")])
def test_when_all_fail_each_is_told_once(capsys, error):
    """The only song failed, foreseen or not: one line, status 1, no traceback."""
    assert run(ScriptedEngine(fail_on("a.wav", error)), "a.wav") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_missing_model_is_downloaded_first(capsys):
    """A known model that is not installed is fetched before the first song."""
    engine = ScriptedEngine()
    assert run(engine, "a.wav", model="absent") == 0
    assert engine.downloaded == ["absent"]
    assert capsys.readouterr().err.startswith("Downloading net.th of absent")


@pytest.mark.parametrize(("words", "model"), [(["--offline"], "absent"), ([], "ready")])
def test_nothing_is_downloaded_without_need(words, model):
    """Offline, or with a model that is there, the engine decides what to say."""
    engine = ScriptedEngine()
    run(engine, "a.wav", *words, model=model)
    assert engine.downloaded == []
    assert len(engine.requests) == 1


def test_an_unknown_model_is_one_error_for_all_songs(capsys):
    """A typo in the model's name is said once, before any song is read."""
    engine = ScriptedEngine()
    assert run(engine, "a.wav", "b.wav", model="reddy") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert engine.requests == []


def test_songs_with_results_are_skipped(capsys, tmp_path):
    """With `--skip-existing` only the song without results is separated, and the status is 0."""
    for stem in ("drums", "vocals"):
        (tmp_path / "separated" / "ready" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "separated" / "ready" / "a" / f"{stem}.wav").touch()
    engine = ScriptedEngine()
    assert run(engine, "a.wav", "b.wav", "--skip-existing") == 0
    assert [request.input for request in engine.requests] == ["b.wav"]
    assert "a.wav: skipped" in capsys.readouterr().err
    assert run(engine, "a.wav", "b.wav") == 0
    assert len(engine.requests) == 3


def test_nothing_is_done_when_all_songs_have_results(tmp_path):
    """No model is downloaded for songs that are skipped."""
    (tmp_path / "separated" / "absent" / "a").mkdir(parents=True)
    (tmp_path / "separated" / "absent" / "a" / "vocals.wav").touch()
    engine = ScriptedEngine()
    assert run(engine, "a.wav", "--skip-existing", "--stems", "vocals", model="absent") == 0
    assert (engine.requests, engine.downloaded) == ([], [])


def test_wrong_usage_is_told_without_an_engine(capsys):
    """A mistake in the arguments is one line and status 2; nothing heavy is started for it."""
    assert main(["--no-split", "a.wav"], lambda settings: pytest.fail("an engine was made"), list_names) == 2
    assert capsys.readouterr().err.startswith("dsu-demucs: --no-split")


def test_wrong_setting_is_told_without_an_engine(capsys):
    """So is a setting that makes no sense."""
    assert main(["--threads", "0", "a.wav"], lambda settings: pytest.fail("an engine was made"), list_names) == 1
    assert "--threads" in capsys.readouterr().err


def test_device_that_is_not_there_ends_with_status_2(capsys):
    """As in worker mode: the device is never exchanged for another."""

    class WithoutCuda(ScriptedEngine):
        def start(self):
            raise DeviceUnavailable("There is no CUDA device here.", hint="Use cpu.")

    assert run(WithoutCuda(), "-d", "cuda", "a.wav") == 2
    assert capsys.readouterr().err == "dsu-demucs: There is no CUDA device here. Use cpu.\n"


def test_settings_reach_the_engine(tmp_path):
    """What was typed about the machine is what the engine is made with."""
    seen = []
    engine = ScriptedEngine()
    words = ["-n", "ready", "-d", "cpu", "--models-dir", str(tmp_path), "--threads", "2", "a.wav"]
    assert main(words, lambda settings: seen.append(settings) or engine, list_names) == 0
    assert (seen[0].device, seen[0].models_dir, seen[0].threads) == ("cpu", tmp_path, 2)


def test_list_models_prints_names_and_makes_no_engine(capsys, tmp_path):
    """The names of all folders go to stdout, one a line; nothing heavy is imported for that."""
    words = ["--list-models", "--models-dir", str(tmp_path / "mine"), "--repo", "local"]
    assert main(words, lambda settings: pytest.fail("an engine was made"), list_names) == 0
    assert capsys.readouterr().out == "one in mine\none in local\n"


def test_ctrl_c_ends_the_work(capsys):
    """Ctrl-C in the first song: the second is not begun, the status is 130, the engine is closed."""

    def interrupt(request, job):
        signal.raise_signal(signal.SIGINT)
        job.checkpoint()

    engine = ScriptedEngine(interrupt)
    assert run(engine, "a.wav", "b.wav") == 130
    assert len(engine.requests) == 1
    assert engine.closed
    assert "Stopped." in capsys.readouterr().err


def test_ctrl_c_before_there_is_a_job(capsys):
    """While the engine is still being imported, Ctrl-C is no traceback either."""

    def interrupted(settings):
        raise KeyboardInterrupt

    assert main(["a.wav"], interrupted, list_names) == 130
    assert capsys.readouterr().err == ""


def test_verbose_says_how_it_went(capsys):
    """With `-v` each song's speed, device and settings follow, and what the engine wants people to know."""
    engine = ScriptedEngine(lambda request, job: job.warn("The batch was halved."))
    run(engine, "-v", "a.wav")
    err = capsys.readouterr().err
    assert "Note: The batch was halved." in err
    assert "2.0 times real time" in err
    assert "shifts 1" in err


def test_terminal_shows_progress(monkeypatch):
    """On a terminal the bar moves."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    run(ScriptedEngine(lambda request, job: job.progress("separate", 1, 4)), "a.wav")
    assert "%" in screen.getvalue()
