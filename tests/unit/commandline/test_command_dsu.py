"""`dsu`, one program for every family: what is chosen, refused, listed and downloaded, over an engine without models."""

import json
import signal
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from scripted_engine import ScriptedEngine, Terminal, details

from utils.commandline import dsu
from utils.core.catalogue import FamilyName, family_of
from utils.core.errors import InvalidRequest, UnknownModel
from utils.core.requests import Apollo, AudioSeparatorSeparate, AudioSepSeparate, DemucsSeparate, NetworkSeparate


def model(name, kind, **facts):
    return msgspec.structs.replace(details(name), type=kind, **facts)


KNOWN = [
    model(
        "dsu_mini",
        "mask_unet",
        size_bytes=5_400_000,
        license="MIT",
        sdr={"drums": 5.0, "bass": 4.0},
        description="Small and fast.",
    ),
    model("big", "bs_roformer", installed=False, size_bytes=1_300_000_000, sdr={"drums": 1.0, "average": 9.876}),
    model("restorer", "apollo", stems=["restored"]),
    model("htdemucs", "demucs", aliases=["htdemucs.yaml", "big"]),
    model("HQ.onnx", "mdx", size_bytes=None),
    model("audiosep_base", "audiosep", stems=["query"]),
]


def listing(models_dir, repo):
    return KNOWN


class Knowing(ScriptedEngine):
    """Knows all of these."""

    def list_models(self, request):
        self.listed.append(request)
        found = [one for one in KNOWN if request.model in (None, one.name)]
        return super().list_models(type(request)(details=True)).__class__(models=[], details=found)


def run(engine, *words):
    return dsu.main(list(words), lambda settings: engine, listing)


def no_engine(settings):
    pytest.fail("an engine was made")


def told(capsys, *words):
    """What is said to a mistake, and the status."""
    status = dsu.main(list(words), no_engine, listing)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return status, err


@pytest.mark.parametrize(("typed", "meant"), [("modles", "models"), ("bacth", "batch"), ("serv", "serve")])
def test_a_misspelt_command_is_no_song(capsys, tmp_path, monkeypatch, typed, meant):
    """It is told at once, without an engine; a file of that name is a song."""
    monkeypatch.chdir(tmp_path)
    status, error = told(capsys, typed, "show", "dsu_mini")
    assert status == 2
    assert f"neither a command nor a file `{typed}`. Did you mean: {meant}?" in error
    (tmp_path / typed).touch()
    engine = Knowing()
    run(engine, typed)
    assert "neither" not in capsys.readouterr().err


# Separating -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "kind", "name"),
    [
        ([], NetworkSeparate, None),
        (["-m", "big"], NetworkSeparate, "big"),
        (["--model=htdemucs"], DemucsSeparate, "htdemucs"),
        (["-m", "htdemucs.yaml"], DemucsSeparate, "htdemucs.yaml"),
        (["--family", "demucs"], DemucsSeparate, "htdemucs"),
        (["-m", "955717e8", "--family", "demucs"], DemucsSeparate, "955717e8"),
        (["-m", "mine", "--repo", "nets"], DemucsSeparate, "mine"),
        (["-m", "HQ.onnx"], AudioSeparatorSeparate, "HQ.onnx"),
        (["-m", "nets/mine.pth"], AudioSeparatorSeparate, "nets/mine.pth"),
        (["-m", "restorer"], Apollo, "restorer"),
        (["--family", "apollo", "--model-path", "net.ckpt"], Apollo, None),
        (["--text", "rain"], AudioSepSeparate, None),
        (["-t", "rain", "-m", "audiosep_base"], AudioSepSeparate, "audiosep_base"),
        (["--model-path", "net.ckpt", "--config-path", "net.yaml"], NetworkSeparate, None),
        (["--ensemble", "dsu_mini,big"], NetworkSeparate, None),
    ],
)
@pytest.mark.parametrize("command", [[], ["separate"]])
def test_the_model_says_the_family(command, words, kind, name):
    """By its name, by the kind of its file, or by the option that names it; `separate` need not be said."""
    Path("nets").mkdir()
    for file in ("nets/mine.pth", "net.ckpt"):
        Path(file).touch()
    engine = Knowing()
    engine.list_models = lambda request: type("Found", (), {"details": [details(request.model or "x")]})
    assert run(engine, *command, *words, "a.wav") == 0
    (request,) = engine.requests
    assert (type(request), request.model) == (kind, name)


@pytest.mark.parametrize("family", dsu.FAMILIES)
def test_each_family_has_its_own_layout_of_files(family):
    """That of the program which it comes from, and its options."""
    program = dsu.program_of(family, "net")
    assert program.layout.requests == dsu.FAMILIES[family].layout.requests
    assert program.layout.program == "dsu separate"
    options = dsu.flags_of(program.layout)
    assert {"-m", "--model", "--family", "--name-template", "--two-stems"} <= options
    assert options.isdisjoint({"--list-models", "--download"})


@pytest.mark.parametrize(
    ("words", "pcm_type", "rate"),
    [
        ([], "source", "source"),
        (["--int24"], "PCM_24", "source"),
        (["--sample-rate", "model"], "source", None),
        (["--sample-rate", "22050", "--sample-type", "16"], "PCM_16", 22050),
        (["--mp3"], "source", "source"),
    ],
)
@pytest.mark.parametrize("model", ["big", "htdemucs", "HQ.onnx", "restorer", "audiosep_base"])
def test_stems_are_as_the_song_unless_somebody_says_otherwise(model, words, pcm_type, rate):
    """In the programs that follow others they are as these have them."""
    engine = Knowing()
    text = ["--text", "rain"] if model == "audiosep_base" else []
    assert run(engine, "-m", model, *text, *words, "a.wav") == 0
    (request,) = engine.requests
    assert (request.pcm_type, request.output_sample_rate) == (pcm_type, rate)


@pytest.mark.parametrize(
    ("words", "option"),
    [(["--mp3", "--int24"], "--int24"), (["--format", "opus", "--sample-type", "32"], "--sample-type PCM_32")],
)
def test_a_lossy_format_has_no_type_of_sample(capsys, words, option):
    """To ask for one is a mistake."""
    status, err = told(capsys, *words, "a.wav")
    assert status == 2
    assert f"{option} is for lossless formats" in err


def test_results_of_a_folder_lie_as_the_songs_do(tmp_path):
    """Below the folder's name; a song that is named alone has no folders."""
    for path in ("Music/A/song.wav", "Music/B/song.wav", "alone/song.wav"):
        Path(path).parent.mkdir(parents=True)
        Path(path).touch()
    tracks = []
    engine = Knowing()
    separate = engine.separate
    engine.separate = lambda *words, **more: tracks.append(more["track"]) or separate(*words, **more)
    assert run(engine, "Music", "alone/song.wav") == 0
    assert tracks == ["Music/A/song", "Music/B/song", None]


def test_videos_in_a_folder_are_songs_too():
    """The programs that follow others leave them out, as these do."""
    Path("Music").mkdir()
    for name in ("a.wav", "b.MP4", "c.mkv", "d.txt"):
        Path("Music", name).touch()
    engine = Knowing()
    assert run(engine, "Music") == 0
    assert [Path(request.input).name for request in engine.requests] == ["a.wav", "b.MP4", "c.mkv"]


def test_results_are_not_replaced_unless_somebody_says_so():
    """With `--resume` what is replaced comes from an earlier run with it."""
    engine = Knowing()
    for words in ([], ["--overwrite"], ["--resume"]):
        assert run(engine, *words, "a.wav") == 0
    assert [request.overwrite for request in engine.requests] == [False, True, True]


def test_families_are_those_of_the_catalogue():
    """Whatever the order."""
    assert dsu.FAMILIES.keys() == set(get_args(FamilyName))
    assert {family_of(kind) for kind in ("scnet", "apollo", "vr", "demucs", "audiosep")} == dsu.FAMILIES.keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shifts", "2"], "--shifts is for models of the family demucs; `dsu_mini` is of the family networks."),
        (["--shifts=2"], "--shifts is for models of the family demucs; `dsu_mini` is of the family networks."),
        (["-m", "htdemucs", "--tta"], "--tta is for models of the family networks or audio-separator; `htdemucs`"),
        (["-m", "restorer", "--denoise"], "--denoise is for models of the family audio-separator; `restorer` is of"),
        (["--text", "rain", "-j", "2"], "-j is for models of the family demucs; `--text` is of the family audiosep."),
        (["--family", "demucs", "--text", "rain"], "--text is for models of the family audiosep; `--family demucs`"),
        (["--shfits", "2"], "There is no option --shfits."),
        (["--family", "other"], "--family: invalid choice: 'other'"),
        (["-m", "HQ.onnx", "--aggression", "3"], "--aggression is for VR models; HQ.onnx is not one."),
        (["--family", "apollo"], "Name an Apollo model with --model. `dsu models` lists all models."),
        (["--family", "apollo", "-m", "a", "--model-path", "b"], "Give either --model or --model-path, not both."),
        (["--family", "audio-separator"], "Name a model with --model. `dsu models` lists all models."),
    ],
)
def test_what_makes_no_sense_is_refused(capsys, words, message):
    """An option of another family is refused with the reason, before an engine is made; the status is 2."""
    status, err = told(capsys, *words, "a.wav")
    assert (status, err[: len("dsu separate: ") + len(message)]) == (2, f"dsu separate: {message}")


@pytest.mark.parametrize(("name", "near"), [("dsu_minni", " Did you mean: dsu_mini?"), ("zzz", "")])
def test_an_unknown_model_is_an_error(capsys, name, near):
    """With the nearest names of any family, and the way to name what is not listed."""
    status, err = told(capsys, "-m", name, "a.wav")
    assert status == 1
    assert err == (
        f"dsu separate: There is no model `{name}`.{near} `dsu models` lists all models. "
        "For a model that is not listed, set its --family.\n"
    )


def test_a_missing_model_is_downloaded_first():
    """As in the programs of the families."""
    engine = Knowing()
    assert run(engine, "-m", "big", "a.wav", "--journal", "run.jsonl") == 0
    assert engine.downloaded == ["big"]
    assert len(Path("run.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_hints_of_the_engine_name_commands(capsys):
    """What programs are told to send, people are told to type."""

    def act(request, job):
        raise UnknownModel("It is gone.", hint='Send {"cmd":"download_model","model":"big"} to fetch it.')

    assert run(Knowing(act), "-m", "dsu_mini", "a.wav") == 1
    assert capsys.readouterr().err == "a.wav: It is gone. `dsu download NAME` fetches it.\n"


@pytest.mark.parametrize("words", [["-o", "x.wav"], ["-o", "out"]])
def test_a_restoration_goes_to_a_file_or_a_folder(words):
    """As `--out` says."""
    engine = Knowing()
    assert run(engine, "-m", "restorer", "a.wav", *words) == 0
    (request,) = engine.requests
    assert (request.output or request.output_dir) == words[1]


# Help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_every_command(capsys, words):
    """Within 80 columns."""
    assert dsu.main(words, no_engine, listing) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in ("separate", "models", "download", "worker"))
    assert max(map(len, text.splitlines())) < 80


@pytest.mark.parametrize(
    ("words", "own", "others"),
    [
        (["separate", "--help"], "--family FAMILY", "--shifts"),
        (["separate", "-m", "htdemucs", "--help"], "--shifts", "--ensemble"),
        (["separate", "--family", "networks", "--help"], "--ensemble", "--shifts"),
        (["models", "--help"], "--installed", "--device"),
        (["download", "--help"], "--models-dir", "--device"),
    ],
)
def test_help_of_a_command(monkeypatch, capsys, words, own, others):
    """Shows what belongs to the family, if one is known, and only that; each line fits."""
    monkeypatch.setenv("COLUMNS", "80")
    assert dsu.main(words, no_engine, listing) == 0
    text = capsys.readouterr().out
    assert own in text
    assert others not in text
    assert "--list-models" not in text
    assert max(map(len, text.splitlines())) < 80


def test_version(capsys):
    """The one there is."""
    assert dsu.main(["--version"], no_engine, listing) == 0
    assert capsys.readouterr().out.startswith("dsu ")


# Models -----------------------------------------------------------------------------------------------------------


def models(capsys, *words):
    assert dsu.main(["models", *words], no_engine, listing) == 0
    return capsys.readouterr().out


def test_models_are_listed_by_family(capsys):
    """A heading for each, a mark for what is installed, and what is published; nothing is cut in a pipe."""
    assert models(capsys) == (
        "networks (2)\n"
        "  NAME         SIZE   SDR  STEMS          ABOUT            LICENCE\n"
        "* dsu_mini   5.4 MB   5.0  drums, vocals  Small and fast.  MIT\n"
        "  big        1.3 GB   9.9  drums, vocals\n"
        "apollo (1)\n"
        "  NAME         SIZE   SDR  STEMS     ABOUT  LICENCE\n"
        "* restorer  10.0 MB        restored\n"
        "demucs (1)\n"
        "  NAME         SIZE   SDR  STEMS          ABOUT  LICENCE\n"
        "* htdemucs  10.0 MB        drums, vocals\n"
        "audio-separator (1)\n"
        "  NAME        SIZE   SDR  STEMS          ABOUT  LICENCE\n"
        "* HQ.onnx                 drums, vocals\n"
        "audiosep (1)\n"
        "  NAME              SIZE   SDR  STEMS  ABOUT  LICENCE\n"
        "* audiosep_base  10.0 MB        query\n"
    )


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--family", "networks"], ["dsu_mini", "big"]),
        (["--family", "networks", "--installed"], ["dsu_mini"]),
        (["--family", "demucs", "dsu"], []),
        (["DEMUCS", "hq"], ["htdemucs", "HQ.onnx"]),
    ],
)
def test_models_can_be_picked(capsys, words, names):
    """By family, by a part of the name, and by whether they are installed."""
    assert [one["name"] for one in json.loads(models(capsys, "--json", *words))] == names
    table = models(capsys, *words)
    assert [line.split()[1] for line in table.splitlines() if line.startswith("*")] == [n for n in names if n != "big"]


def test_names_alone_are_listed_as_other_programs_do(capsys):
    """One a line."""
    assert dsu.main(["--list-models"], no_engine, listing) == 0
    assert capsys.readouterr().out.splitlines() == [one.name for one in KNOWN]


def test_json_is_one_document(capsys):
    """With all that is known of each model, and its family."""
    (one,) = json.loads(models(capsys, "--json", "big"))
    assert one == {**msgspec.to_builtins(KNOWN[1]), "family": "networks"}


def test_a_model_by_its_whole_name_is_described(capsys):
    """A fact on each line, without what is not known."""
    assert models(capsys, "big").splitlines() == [
        "name         big",
        "family       networks (bs_roformer)",
        "stems        drums, vocals",
        "size         1.3 GB",
        "installed    no",
        "licence      not stated",
        "SDR          drums 1.00 dB, average 9.88 dB",
        "use          dsu download big",
        "             dsu -m big song.mp3",
    ]


def test_lines_are_cut_to_the_terminal(monkeypatch):
    """A table stays a table in a narrow window."""
    monkeypatch.setenv("COLUMNS", "40")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    assert dsu.main(["models", "--all"], no_engine, listing) == 0
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) == 39
    assert any(line.endswith("…") for line in lines)


def test_what_a_model_is_about_is_told_in_a_narrow_terminal(monkeypatch):
    """Below the model; where there is room for it, in a column."""
    shown = {}
    for columns in (50, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        screen = Terminal()
        monkeypatch.setattr(sys, "stdout", screen)
        assert dsu.main(["models", "--all"], no_engine, listing) == 0
        shown[columns] = screen.getvalue().splitlines()
    name = next(index for index, line in enumerate(shown[50]) if "dsu_mini" in line)
    assert shown[50][name + 1] == "      Small and fast."
    assert next(line for line in shown[120] if "dsu_mini" in line).endswith("Small and fast.  MIT")


def test_a_part_of_no_name_is_an_error(capsys):
    """With the nearest name."""
    assert told(capsys, "models", "dsu_minni") == (
        1,
        "dsu models: There is no model `dsu_minni`. Did you mean: dsu_mini? `dsu models` lists all models.\n",
    )


def test_a_model_is_found_by_its_other_names(capsys):
    """Where no model has such a name of its own."""
    assert models(capsys, "htdemucs.yaml").startswith("name         htdemucs\nalso         htdemucs.yaml, big\n")
    assert models(capsys, "big").startswith("name         big\n")
    engine = Knowing()
    assert run(engine, "download", "htdemucs.yaml") == 0
    assert engine.downloaded == ["htdemucs"]


def test_models_come_from_the_models_directory(tmp_path):
    """That of the option, or of the settings."""
    seen = []
    assert dsu.main(["models", "--models-dir", str(tmp_path)], no_engine, lambda *where: seen.append(where) or []) == 0
    assert seen == [(tmp_path, None)]


# Downloads --------------------------------------------------------------------------------------------------------


def test_models_are_downloaded(capsys):
    """One after the other, each once; where they are is told, and with `--print-paths` listed on stdout."""
    engine = Knowing()
    assert run(engine, "download", "--print-paths", "big", "htdemucs", "big") == 0
    out, err = capsys.readouterr()
    assert engine.downloaded == ["big", "htdemucs"]
    assert out == "/m\n/m\n"
    assert [line for line in err.splitlines() if "->" in line] == ["big (1300.0 MB) -> /m", "htdemucs (10.0 MB) -> /m"]
    assert engine.closed


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ([], 2, "Name at least one model. `dsu models` lists all models."),
        (["big", "bigg"], 1, "There is no model `bigg`. Did you mean: big? `dsu models` lists all models."),
    ],
)
def test_nothing_is_downloaded_by_mistake(capsys, words, status, message):
    """One wrong name stops all before anything is fetched."""
    assert told(capsys, "download", *words) == (status, f"dsu download: {message}\n")


def test_a_run_that_was_stopped_says_how_to_go_on(capsys):
    """If something is done already and something is left."""

    def stop_at_b(request, job):
        if Path(request.input).name == "b.wav":
            job.cancel()
            job.checkpoint()

    assert run(Knowing(stop_at_b), "-m", "dsu_mini", "a.wav", "b.wav") == -signal.SIGINT
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "Stopped. No half-written files are left. --skip-existing skips the songs that are done."
    assert run(Knowing(stop_at_b), "-m", "dsu_mini", "b.wav", "a.wav") == -signal.SIGINT
    assert capsys.readouterr().err.splitlines()[-1] == "Stopped. No half-written files are left."


def test_a_pressed_ctrl_c_ends_a_download(capsys):
    """Without a traceback; what was not fetched is not there."""

    class Slow(Knowing):
        def download_model(self, request, job):
            job.cancel()
            job.checkpoint()

    assert run(Slow(), "download", "big", "htdemucs") == -signal.SIGINT
    assert capsys.readouterr().err == "Stopped. No half-written files are left.\n"


def test_options_that_choose_are_real():
    """Each of those that choose a family is an option of that family."""
    for flag, family in dsu.NAMING.items():
        assert flag in dsu.flags_of(dsu.layout_of(family))
    with pytest.raises(InvalidRequest, match="-m/--model: expected one argument"):
        dsu.choose_family(["-m"], listing)
