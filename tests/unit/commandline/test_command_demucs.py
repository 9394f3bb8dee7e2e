"""What `dsu-demucs` has of its own, over an engine without models."""

import re

import msgspec
import pytest
from scripted_engine import ScriptedEngine, details

from utils.commandline.demucs import FAMILY, PROGRAM, find_models, main, results
from utils.commandline.existing import Results
from utils.core.errors import DeviceUnavailable, InputEmpty
from utils.core.requests import DemucsListModels


class Bag(ScriptedEngine):
    """Models are bags of two networks, and every song takes ten seconds."""

    def list_models(self, request):
        found = super().list_models(request)
        return msgspec.structs.replace(
            found, details=[msgspec.structs.replace(entry, networks=2) for entry in found.details]
        )

    def separate(self, request, job, **more):
        for done in range(0, 41, 4):
            job.progress("separate", done, 40.0)
        return super().separate(request, job, **more)


def listing(models_dir, repo):
    known = [details(f"one in {models_dir.name}"), msgspec.structs.replace(details("bag"), networks=1)]
    return [*known, details(f"one in {repo.name}")] if repo else known


def run(*words, engine=None):
    return main(["-n", "ready", *words], lambda settings: engine or Bag(), listing)


@pytest.mark.parametrize(
    ("words", "listed"),
    [
        ([], "Bag of models:\n    bag\nSingle models:\n    one in mine\n"),
        (["--repo", "local"], "Bag of models:\nSingle models:\n    one in local\n"),
    ],
)
def test_list_models_is_that_of_demucs_and_makes_no_engine(capsys, tmp_path, words, listed):
    """Bags and single networks, of a folder if one is named; nothing heavy is imported for that."""
    words = ["--list-models", "--models-dir", str(tmp_path / "mine"), *words]
    assert main(words, lambda settings: pytest.fail("an engine was made"), listing) == 0
    assert capsys.readouterr().out == listed


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
        (["--two-stems", "vocals", "--other-method", "minus"], ("vocals", "minus_vocals")),
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


def test_streams_are_those_of_demucs(capsys, tmp_path):
    """Sentences on stdout, and on stderr a bar for each network and shift, from 0 to 100 %."""
    assert run("a.wav", "b.wav", "--shifts", "2") == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "Selected model is a bag of 2 models. You will see that many progress bars per track.",
        f"Separated tracks will be stored in {(tmp_path / 'separated' / 'ready').resolve()}",
        "Separating track a.wav",
        "Separating track b.wav",
    ]
    bars = err.split("\n")
    assert bars.pop() == ""
    assert len(bars) == 8
    for bar in bars:
        drawn = re.findall(r"\r *(\d+)%\|.*?\| (\S+)/10.0 \[\d\d:\d\d<", bar)
        assert [drawn[0], drawn[-1]] == [("0", "0.0"), ("100", "10.0")]
        assert "seconds/s]" in bar


def test_with_print_paths_stdout_is_for_paths_alone(capsys):
    """What demucs says goes to stderr then."""
    assert run("a.wav", "--print-paths") == 0
    out, err = capsys.readouterr()
    assert [line[-4:] for line in out.splitlines()] == [".wav", ".wav"]
    assert "Separating track a.wav" in err


def test_a_missing_song_is_told_and_no_failure(capsys, tmp_path):
    """The others are separated, the status is 0; the journal says that one failed."""
    journal = tmp_path / "journal"
    assert run("missing.wav", "a.wav", "--journal", str(journal)) == 0
    out, err = capsys.readouterr()
    assert "Separating track a.wav" in out
    assert "missing.wav" not in out
    assert "File missing.wav does not exist." in err
    assert '"input_not_found"' in journal.read_text()
    assert run("missing.wav") == 0


def test_a_song_that_fails_is_a_failure(capsys):
    """Its error is on stderr, and the next song is separated."""

    def fail(request, job):
        if request.input == "a.wav":
            raise InputEmpty("It is empty.")

    assert run("a.wav", "b.wav", engine=ScriptedEngine(fail)) == 1
    out, err = capsys.readouterr()
    assert err == "a.wav: It is empty.\n"
    assert "Separating track b.wav" in out


@pytest.mark.parametrize(
    ("words", "status"),
    [([], 1), (["--shifts", "-1", "a.wav"], 1), (["--nonsense", "a.wav"], 2), (["--threads", "x", "a.wav"], 2)],
)
def test_exit_statuses_are_those_of_demucs(capsys, words, status):
    """2 where the command line cannot be read, 1 for every other mistake."""
    assert main(words, lambda settings: pytest.fail("an engine was made"), listing) == status
    assert capsys.readouterr().err.startswith("dsu-demucs: ")


def test_a_device_that_is_not_there_is_a_failure(capsys):
    """As in demucs, where it is one of torch."""

    class Without(ScriptedEngine):
        def start(self):
            raise DeviceUnavailable("Torch not compiled with CUDA enabled.", field="device")

    assert run("a.wav", "-d", "cuda", engine=Without()) == 1
    assert "Torch not compiled with CUDA enabled" in capsys.readouterr().err


def test_a_download_has_a_bar(capsys):
    """In bytes, on stderr; with `--download` stdout says where the model is."""
    assert main(["-n", "absent", "--download"], lambda settings: ScriptedEngine(), listing) == 0
    out, err = capsys.readouterr()
    assert out == "absent (10.0 MB) -> /m\n"
    assert err.startswith("Downloading net.th of absent\n\r  0%|")
    assert "100%|" in err


def test_the_family_in_dsu_keeps_its_own_ways():
    """`dsu -m htdemucs` rescales all stems by one gain, and the engine decides how to make the rest."""
    request = FAMILY.parse(["-m", "htdemucs", "song.wav"]).request
    assert (request.clip, request.other_method, request.shifts) == ("rescale", None, None)
