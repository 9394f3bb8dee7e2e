"""The whole run of every program, over an engine without models."""

import signal
import sys
from pathlib import Path

import msgspec
import pytest
from both_programs import PROGRAMS
from scripted_engine import ScriptedEngine, Terminal

from utils.core.errors import DeviceUnavailable, DownloadFailed, InputEmpty, InvalidRequest


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name)
def program(request):
    return request.param


def no_engine(settings):
    pytest.fail("an engine was made")


def fail_on(name, error):
    def act(request, job):
        if Path(request.input).name == name:
            raise error

    return act


def test_songs_are_separated_one_after_the_other(program, capsys):
    """Each song gets its line on stderr, and all of them the last; stdout stays empty, the status is 0."""
    engine = ScriptedEngine()
    assert program.run(engine, "a.wav", "b.wav", "--flac") == 0
    out, err = capsys.readouterr()
    assert out == ""
    *songs, total = err.splitlines()
    assert [line.partition(" ")[0] for line in songs] == ["a.wav", "b.wav"]
    assert total == "2 done"
    assert [request.format for request in engine.requests] == ["flac", "flac"]
    assert engine.started
    assert engine.closed


def test_a_card_that_cannot_be_used_is_told_before_the_work(program, capsys):
    """The work may take long on another device."""
    engine = ScriptedEngine()
    engine.warnings = ["`cuda:0` is not used. Its driver is too old."]
    assert program.run(engine, "a.wav") == 0
    first, *_ = capsys.readouterr().err.splitlines()
    assert first == f"Note: {engine.warnings[0]}"


def test_folder_gives_the_songs_in_it_but_not_earlier_results(program, tmp_path):
    """A folder stands for its audio files; the output folder inside it is left out."""
    (tmp_path / "separated").mkdir()
    (tmp_path / "separated" / "drums.wav").touch()
    engine = ScriptedEngine()
    assert program.run(engine, str(tmp_path)) == 0
    assert [Path(request.input).name for request in engine.requests] == ["a.wav", "b.wav"]


def test_stems_of_earlier_runs_in_a_folder_are_skipped(program, capsys, tmp_path):
    """Each is told and counted, the status is 0; one that is named itself is separated."""
    for name in ("vocals.wav", "drums.wav"):
        (tmp_path / name).touch()
    engine = ScriptedEngine()
    engine.stems = {"vocals", "drums"}
    assert program.run(engine, "drums.wav", str(tmp_path)) == 0
    assert [Path(request.input).name for request in engine.requests] == ["drums.wav", "a.wav", "b.wav"]
    lines = capsys.readouterr().err.splitlines()
    told = "skipped, it is a stem that DSU made; name it itself to separate it."
    assert lines[0] == f"{tmp_path / 'vocals.wav'}: {told}"
    assert lines[-1] == "3 done, 1 skipped"


def test_a_folder_of_nothing_but_stems_costs_no_model(program, capsys, tmp_path):
    """It is no error either."""
    engine = ScriptedEngine()
    engine.stems = {"a", "b"}
    assert program.run(engine, str(tmp_path)) == 0
    assert (engine.requests, engine.downloaded) == ([], [])
    assert capsys.readouterr().err.splitlines()[-1] == "2 skipped"


def test_print_paths_lists_what_was_written(program, capsys):
    """With `--print-paths` stdout holds one existing file a line, and nothing else."""
    program.run(ScriptedEngine(), "a.wav", "--print-paths")
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line).name for line in lines] == ["drums.wav", "vocals.wav"]
    assert all(Path(line).exists() for line in lines)


def test_one_bad_song_does_not_stop_the_others(program, capsys):
    """The status is 1, the bad song's line is its error, and the other song is done."""
    engine = ScriptedEngine(fail_on("a.wav", InputEmpty("It is empty.")))
    assert program.run(engine, "a.wav", "b.wav") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a.wav: It is empty."
    assert lines[1].startswith("b.wav -> ")


def test_the_end_says_what_became_of_all(program, capsys):
    """How many were done and failed, after what failed once more; nothing of that for a single song."""
    Path("folder").mkdir()
    songs = [f"folder/{number}.wav" for number in range(9)]
    engine = ScriptedEngine(fail_on("1.wav", InputEmpty("It is empty.")))
    assert program.run(engine, *songs) == 1
    assert capsys.readouterr().err.splitlines()[-3:] == ["", "folder/1.wav: It is empty.", "8 done, 1 failed"]
    assert program.run(ScriptedEngine(), "one.wav") == 0
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_errors_of_a_song_speak_of_options(program, capsys):
    """What the engine says of a field, the line of the song says of the option; and it stays one line."""
    error = InvalidRequest("Too\nmuch in `batch_size`.", hint='Use "precision":"fp32".', field="batch_size")
    assert program.run(ScriptedEngine(fail_on("a.wav", error)), "a.wav", "b.wav") == 1
    assert capsys.readouterr().err.splitlines()[0] == "a.wav: Too much in --batch-size. Use --precision fp32."


def test_a_name_for_many_songs_is_refused_with_the_option(program, capsys):
    """A template that would give all songs the same files is one error, in the words of the program."""
    assert program.run(ScriptedEngine(), "a.wav", "b.wav", program.template_option, program.template) == 2
    told = f"{program.name}: {program.template_option} gives the results of all 2 files the same names."
    assert capsys.readouterr().err.startswith(told)


@pytest.mark.parametrize("error", [InputEmpty("It is empty."), ZeroDivisionError("division")])
def test_when_all_fail_each_is_told_once(program, capsys, error):
    """The only song failed, foreseen or not: one line, status 1, no traceback."""
    assert program.run(ScriptedEngine(fail_on("a.wav", error)), "a.wav") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_traceback_of_an_unexpected_error_is_shown_on_request(program, capsys):
    """The error says which option to use; with it, the traceback follows. Errors that were foreseen have none."""
    engine = ScriptedEngine(fail_on("a.wav", ZeroDivisionError("division")))
    program.run(engine, "a.wav")
    assert capsys.readouterr().err.endswith("Run it again with --verbose for a traceback to report.\n")
    program.run(engine, "a.wav", "--verbose")
    assert "Traceback (most recent call last):" in capsys.readouterr().err
    program.run(ScriptedEngine(fail_on("a.wav", InputEmpty("It is empty."))), "a.wav", "--verbose")
    assert "Traceback" not in capsys.readouterr().err


def test_missing_model_is_downloaded_first(program, capsys):
    """A known model that is not installed is fetched before the first song."""
    engine = ScriptedEngine()
    assert program.run(engine, "a.wav", model="absent") == 0
    assert engine.downloaded == ["absent"]
    assert capsys.readouterr().err.startswith("Downloading net.th of absent")


def test_nothing_is_downloaded_without_need(program):
    """A model that is there is not fetched again."""
    engine = ScriptedEngine()
    program.run(engine, "a.wav", model="ready")
    assert engine.downloaded == []
    assert len(engine.requests) == 1


def test_a_model_that_cannot_be_fetched_is_one_error_for_all_songs(program, capsys):
    """Offline, or without an address: no song is tried."""
    engine = ScriptedEngine()

    def refuse(request, job):
        raise DownloadFailed("Offline mode is on.", hint="Put it there yourself.")

    engine.download_model = refuse
    assert program.run(engine, "a.wav", "b.wav", "--offline", model="absent") == 1
    assert engine.requests == []
    assert capsys.readouterr().err == f"{program.name}: Offline mode is on. Put it there yourself.\n"


def test_an_unknown_model_is_one_error_for_all_songs(program, capsys):
    """A typo in the model's name is said once, before any song is read."""
    engine = ScriptedEngine()
    assert program.run(engine, "a.wav", "b.wav", model="reddy") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert engine.requests == []


def test_songs_with_results_are_skipped(program, capsys, tmp_path):
    """With `--skip-existing` only the song without results is separated, and the status is 0."""
    for stem in ("drums", "vocals"):
        for name in (f"a/{stem}", f"ready/a/{stem}", f"a_({stem})"):  # each is where one of the programs puts it
            path = tmp_path / "separated" / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    engine = ScriptedEngine()
    assert program.run(engine, "a.wav", "b.wav", "--skip-existing") == 0
    assert [request.input for request in engine.requests] == ["b.wav"]
    assert "a.wav: skipped" in capsys.readouterr().err
    assert program.run(engine, "a.wav", "b.wav") == 0
    assert len(engine.requests) == 3


@pytest.mark.parametrize("words", [["--threads", "many", "a.wav"], ["--nonsense", "a.wav"], []])
def test_wrong_usage_is_told_without_an_engine(program, capsys, words):
    """A mistake in the arguments is one line and status 2; nothing heavy is started for it."""
    assert program.main(words, no_engine, no_engine) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{program.name}: ")
    assert err.count("\n") == 1


def test_wrong_setting_is_told_without_an_engine(program, capsys):
    """So is a setting that makes no sense."""
    assert program.main(program.typed("--threads", "0", "a.wav"), no_engine, no_engine) == 1
    assert capsys.readouterr().err == f"{program.name}: --threads must be a whole number of at least 1, not 0.\n"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_are_no_error(program, capsys, option):
    """They are printed on stdout, with status 0."""
    assert program.main([option], no_engine, no_engine) == 0
    assert program.name in capsys.readouterr().out


def test_device_that_is_not_there_ends_with_status_2(program, capsys):
    """As in worker mode: the device is never exchanged for another."""

    class WithoutCuda(ScriptedEngine):
        def start(self):
            raise DeviceUnavailable("There is no CUDA device here.", hint="Use cpu.")

    assert program.run(WithoutCuda(), "-d", "cuda", "a.wav") == 2
    assert capsys.readouterr().err == f"{program.name}: There is no CUDA device here. Use cpu.\n"


def test_settings_reach_the_engine(program, tmp_path):
    """What was typed about the machine is what the engine is made with."""
    seen = []
    words = program.typed("-d", "cpu", "--models-dir", str(tmp_path), "--threads", "2", "a.wav")
    assert program.main(words, lambda settings: seen.append(settings) or ScriptedEngine(), no_engine) == 0
    assert (seen[0].device, seen[0].models_dir, seen[0].threads) == ("cpu", tmp_path, 2)


def test_download_alone_says_where_the_model_is(program, capsys):
    """Without songs the model is fetched, its path and size are told, and the status is 0."""
    engine = ScriptedEngine()
    assert program.run(engine, "--download", "--print-paths", model="absent") == 0
    out, err = capsys.readouterr()
    assert out == "/m\n"
    assert err.splitlines() == ["Downloading net.th of absent", "absent (10.0 MB) -> /m"]
    assert engine.downloaded == ["absent"]
    assert engine.requests == []
    assert engine.closed


def test_download_before_songs(program):
    """With songs the model is fetched first, then they are separated."""
    engine = ScriptedEngine(lambda request, job: engine.downloaded.append("then the song"))
    assert program.run(engine, "--download", "a.wav", model="absent") == 0
    assert engine.downloaded == ["absent", "then the song"]


def test_download_of_a_model_of_the_user_s_own(program, capsys):
    """A model that nobody publishes but that is there needs no download, which is said."""
    assert program.run(ScriptedEngine(), "--download", model="mine") == 0
    assert capsys.readouterr().err == "mine is your own model; there is nothing to download.\n"


def test_download_of_an_unknown_model_is_an_error(program, capsys):
    """Its name is told, and what people type to see the names there are."""
    assert program.run(ScriptedEngine(), "--download", model="reddy") == 1
    told = "There is no model `reddy`. Did you mean: ready? --list-models lists all models."
    assert capsys.readouterr().err == f"{program.name}: {told}\n"


def test_ctrl_c_ends_the_work(program, capsys):
    """Ctrl-C in the first song: the second is not begun, the status is 130, the engine is closed."""

    def interrupt(request, job):
        signal.raise_signal(signal.SIGINT)
        job.checkpoint()

    engine = ScriptedEngine(interrupt)
    assert program.run(engine, "a.wav", "b.wav") == -signal.SIGINT
    assert len(engine.requests) == 1
    assert engine.closed
    assert "Stopped." in capsys.readouterr().err


def test_verbose_says_how_it_went(program, capsys):
    """With `-v` each song's speed, device and settings follow, and what the engine wants people to know."""
    engine = ScriptedEngine(lambda request, job: job.warn("The batch was halved."))
    program.run(engine, "-v", "a.wav")
    err = capsys.readouterr().err
    assert "Note: The batch was halved." in err
    assert "2.0 times real time" in err
    assert "shifts 1" in err


def test_terminal_shows_progress(program, monkeypatch):
    """On a terminal the bar moves."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    program.run(ScriptedEngine(lambda request, job: job.progress("separate", 1, 4)), "a.wav")
    assert "%" in screen.getvalue()


def test_resume_is_asked_of_every_song(program, capsys):
    """The engine knows what was done; a song that was is told as skipped, and its files are listed all the same."""

    class Finder(ScriptedEngine):
        def separate(self, request, job, *, track=None, index=1):
            done = super().separate(request, job, track=track, index=index)
            return msgspec.structs.replace(done, skipped=True) if request.input == "a.wav" else done

    engine = Finder()
    assert program.run(engine, "a.wav", "b.wav", "--resume", "--print-paths") == 0
    out, err = capsys.readouterr()
    assert [request.resume for request in engine.requests] == [True, True]
    assert err.splitlines()[0] == "a.wav: skipped, because it is already finished."
    assert err.splitlines()[1].startswith("b.wav -> ")
    assert len(out.splitlines()) == 4
    assert not program.one().request.resume


def test_resume_and_skip_existing_exclude_each_other(program, capsys):
    """One looks at names alone, the other at what they were made from."""
    assert program.main(program.typed("--resume", "--skip-existing", "a.wav"), no_engine, no_engine) == 2
    assert "not allowed with" in capsys.readouterr().err
