"""Recipes give what their steps give one by one through files, in as few passes as can be, and in bounded memory."""

from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from demucs_case import write_song
from recipe_case import RATE, RecipeCase, samples, sdr_db, write

from tools.fixtures.audio_separator import make_vr
from tools.fixtures.audiosep import write_audiosep
from tools.fixtures.models import make_models
from tools.fixtures.networks import write_network
from utils.core.errors import InvalidRequest, ModelNotInstalled, OutOfMemory, OutputNotWritable, UnknownModel
from utils.core.job import Job, JobCancelled
from utils.core.many_files import separate_each
from utils.core.requests import Preview
from utils.engine import recipe_run
from utils.engine.pipeline.demix import Runner
from utils.engine.pipeline.recording import Recorder

FIRST = {"model": "tiny_mdx23c"}
STEPS = {
    "networks": ({"model": "tiny_bs_roformer", "overlap": 2}, "vocals"),
    "tta": ({"model": "tiny_scnet", "use_tta": True}, "vocals"),
    "demucs": ({"model": "tiny", "shifts": 1, "seed": 3}, "drums"),
    "bag": ({"model": "tiny_ft", "shifts": 0}, "bass"),
    "vr": ({"model": "tiny_vr_vocals.pth"}, "Vocals"),
    "vr 32 kHz": ({"model": "low_vr.pth"}, "Vocals"),
    "mdx": ({"model": "tiny_mdx_vocals.onnx"}, "Vocals"),
    "mdx inverted": ({"model": "tiny_mdx_vocals.onnx", "invert_spect": True}, "Instrumental"),
    "mdx pitched": ({"model": "tiny_mdx_vocals.onnx", "pitch_shift": -3, "bigshifts": 2}, "Vocals"),
    "apollo": ({"model": "tiny_apollo"}, "restored"),
}
RESAMPLED = ("vr 32 kHz", "mdx pitched")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A models directory with tiny networks of every family."""
    folder = tmp_path_factory.mktemp("recipe_models")
    make_models(folder, ("demucs", "bsroformer", "audio-separator"))
    write_network(folder / "bsroformer", "apollo", name="tiny_apollo")
    for seed, name in enumerate(("four_a", "four_b")):
        write_network(folder / "bsroformer", "mdx23c", name=name, seed=seed, stems=("drums", "bass", "other", "vocals"))
    write_network(folder / "bsroformer", "mdx23c", name="low_rate", sample_rate=32000)
    bands = {"sr": 32000, "hl": 512, "n_fft": 1024, "crop_start": 0, "crop_stop": 512}
    numbers = {"bins": 512, "sr": 32000, "band": {"1": {**bands, "hpf_start": -1, "res_type": "sinc_best"}}}
    numbers |= {"pre_filter_start": -1, "pre_filter_stop": -1}
    make_vr(folder / "audio-separator", "low_vr", bands=numbers)
    return folder


@pytest.fixture
def case(models, tmp_path):
    return RecipeCase(models, tmp_path)


@pytest.fixture
def song(tmp_path):
    write_song(tmp_path / "song.wav", 1.2)
    return tmp_path / "song.wav"


def test_only_the_models_of_a_recipe_are_looked_at(case, song, monkeypatch):
    """Unless one does not exist: then all of them are, to suggest one."""
    asked, look = [], case.engine._details
    monkeypatch.setattr(
        case.engine, "_details", lambda request, *more: asked.append(request.model) or look(request, *more)
    )
    case.run(song, {"a": FIRST, "b": {"model": "tiny", "shifts": 0, "input": "a.vocals"}}, {"x": "b.drums"})
    assert asked == ["tiny", "tiny_mdx23c"]
    with pytest.raises(UnknownModel) as caught:
        case.run(song, {"a": {"model": "tiny_mdx23"}}, {"x": "a.vocals"})
    assert "tiny_mdx23c" in caught.value.suggestions


@pytest.mark.parametrize("kind", STEPS)
def test_a_step_hears_a_stem_as_it_would_hear_its_file(kind, case, song):
    """Of every family, to the last bit at one rate, and to 100 dB at two."""
    step, stem = STEPS[kind]
    done, found = case.run(song, {"a": FIRST, "b": {**step, "input": "a.vocals"}}, {"x": f"b.{stem}", "a": "a.other"})
    first = case.alone(song, **FIRST)
    wanted = samples(case.alone(first["vocals"], **step)[stem])
    np.testing.assert_array_equal(found["a"], samples(first["other"]))
    if kind in RESAMPLED:
        assert found["x"].shape == wanted.shape
        assert sdr_db(wanted, found["x"]) > 100
    else:
        np.testing.assert_array_equal(found["x"], wanted)
    assert np.abs(wanted).max() > 0
    waits = kind.split()[0] in ("demucs", "bag", "vr", "mdx")
    assert done.settings["passes"] == ([["a"], ["b"]] if waits else [["a", "b"]])


@pytest.mark.parametrize("kind", STEPS)
def test_a_stem_of_any_family_may_be_heard(kind, case, song):
    """Whatever made it, the next step hears its file."""
    step, stem = STEPS[kind]
    _, found = case.run(song, {"a": step, "b": {**FIRST, "input": f"a.{stem}"}}, {"x": "b.vocals"})
    wanted = samples(case.alone(case.alone(song, **step)[stem], **FIRST)["vocals"])
    if kind in RESAMPLED:
        assert sdr_db(wanted, found["x"]) > 100
    else:
        np.testing.assert_array_equal(found["x"], wanted)


def test_a_text_is_separated_from_a_stem(models, tmp_path, song):
    """At the rate of the stem, with every text as a stem."""
    case = RecipeCase(models, tmp_path)
    parts = write_audiosep(tmp_path / "audiosep")
    step = {
        "texts": ["a dog", "rain. and wind"],
        "checkpoint_path": str(parts.checkpoint),
        "config_path": str(parts.config),
        "clap_checkpoint_path": str(parts.clap_checkpoint),
        "roberta_dir": str(parts.roberta_dir),
    }
    steps = {"a": FIRST, "b": {**step, "input": "a.vocals"}}
    done, found = case.run(song, steps, {"rain": "b.rain. and wind", "left": "b.residual"})
    wanted = case.alone(
        case.alone(song, **FIRST)["vocals"],
        **step,
    )
    np.testing.assert_array_equal(found["rain"], samples(wanted["rain. and wind"]))
    assert done.settings["passes"] == [["a", "b"]]


@pytest.mark.parametrize("rate", [44100, 48000, 22050])
@pytest.mark.parametrize("channels", [1, 2])
def test_steps_at_other_rates_are_aligned_to_the_sample(rate, channels, case, tmp_path):
    """The recipe has the highest rate of its models, and all its outputs the length of the song."""
    write_song(tmp_path / "song.wav", 1.3, rate=rate, channels=channels)
    steps = {
        "low": {"model": "low_rate"},
        "high": {**FIRST, "input": "low.vocals"},
        "sum": {"sum": ["low.vocals", "high.other"]},
    }
    done, found = case.run(tmp_path / "song.wav", steps, {"low": "low.vocals", "high": "high.vocals", "sum": "sum"})
    first = case.alone(tmp_path / "song.wav", model="low_rate")
    second = case.alone(first["vocals"], **FIRST)
    frames = round(1.3 * RATE)
    assert done.sample_rate == RATE
    assert {each.shape[1] for each in found.values()} == {frames}
    assert sdr_db(samples(second["vocals"])[:, :frames], found["high"]) > 100
    _, resampled = case.run(
        tmp_path / "song.wav", {"low": {"model": "low_rate"}}, {"low": "low.vocals"}, output_sample_rate=RATE
    )
    assert sdr_db(resampled["low"], found["low"]) > 100


def test_what_is_left_and_what_was_taken_sum_to_the_song(case, song):
    """To the last bit: what is left is rounded once."""
    steps = {"a": FIRST, "b": {"model": "tiny"}, "left": {"residual": ["a.vocals", "b.drums", "b.bass"]}}
    outputs = {"vocals": "a.vocals", "drums": "b.drums", "bass": "b.bass", "left": "left"}
    _, found = case.run(song, steps, outputs, document={"sums_to_mix": True})
    mix = samples(song).astype(np.float64)
    total = sum(each.astype(np.float64) for each in found.values())
    assert np.all(np.abs(total - mix) <= np.spacing(np.abs(found["left"])) / 2)


def test_stems_are_combined_as_their_numbers_say(case, song):
    """Sums, differences, gains and averages of two models' stems, each named once."""
    steps = {
        "a": FIRST,
        "b": {"model": "tiny_bs_roformer"},
        "sum": {"sum": ["a.vocals", "b.vocals", "mix"]},
        "less": {"subtract": ["a.vocals", "b.vocals"]},
        "soft": {"gain": "a.vocals", "db": -6},
        "mean": {"ensemble": ["a.vocals", "b.vocals"], "weights": [1, 3]},
        "loud": {"ensemble": ["a.vocals", "b.vocals"], "algorithm": "max_wave"},
    }
    names = ["sum", "less", "soft", "mean", "loud"]
    done, found = case.run(song, steps, {name: name for name in names} | {"a": "a.vocals", "b": "b.vocals"})
    a, b, mix = found["a"].astype(np.float64), found["b"].astype(np.float64), samples(song)
    np.testing.assert_array_equal(found["sum"], (a + b + mix).astype(np.float32))
    np.testing.assert_array_equal(found["less"], (a - b).astype(np.float32))
    np.testing.assert_allclose(found["soft"], a * 10**-0.3, rtol=1e-6)
    np.testing.assert_allclose(found["mean"], (a + 3 * b) / 4, atol=1e-6)
    np.testing.assert_array_equal(found["loud"], np.where(np.abs(a) > np.abs(b), found["a"], found["b"]))
    assert done.settings["passes"] == [["a", "b"]]


def test_an_ensemble_of_whole_steps_combines_each_stem(case, song):
    """With the weights of that stem."""
    steps = {
        "a": {"model": "four_a"},
        "b": {"model": "four_b"},
        "both": {"ensemble": ["a", "b"], "weights": {"drums": [1, 3]}},
    }
    outputs = {
        "drums": "both.drums",
        "bass": "both.Bass",
        **{f"{step} {stem}": f"{step}.{stem}" for step in "ab" for stem in ("drums", "bass")},
    }
    _, found = case.run(song, steps, outputs)
    np.testing.assert_allclose(found["drums"], (found["a drums"] + 3 * found["b drums"]) / 4, atol=1e-6)
    np.testing.assert_allclose(found["bass"], (found["a bass"] + found["b bass"]) / 2, atol=1e-6)


def test_a_model_that_is_used_twice_is_loaded_once(case, song):
    """Steps with one model share it."""
    events = []
    steps = {
        "a": FIRST,
        "b": {**FIRST, "input": "a.vocals", "overlap": 2},
        "c": {"model": "tiny_mdx23c", "input": "a.other"},
    }
    case.run(song, steps, {"b": "b.vocals", "c": "c.vocals"}, job=Job(events.append))
    assert [event.model for event in events if hasattr(event, "model")] == ["tiny_mdx23c"]


def test_steps_that_are_named_very_often_cost_no_time(case, song):
    """Each is made once, however many ways lead to it."""
    steps = {f"s{number}": {"ensemble": [f"s{number - 1}" if number else "mix"] * 16} for number in range(31)}
    _, found = case.run(song, steps, {"x": "s30"})
    np.testing.assert_allclose(found["x"], samples(song), atol=1e-5)


def test_the_rest_of_a_step_is_its_input_without_its_stems(case, song):
    """For each model, whatever it calls its stems."""
    _, found = case.run(
        song,
        {"a": {"model": "tiny"}},
        {"rest": "a.rest", **{stem: f"a.{stem}" for stem in ("drums", "bass", "other", "vocals")}},
    )
    np.testing.assert_allclose(sum(found.values()), samples(song), atol=1e-5)


def test_a_preview_is_heard_by_all_steps(case, tmp_path):
    """Part of a song goes through a recipe like a song of its own."""
    whole = write_song(tmp_path / "whole.wav", 2.2)
    part = write(tmp_path / "part.wav", whole[:, RATE : 2 * RATE])
    steps = {"a": FIRST, "b": {"model": "tiny", "input": "a.vocals"}}
    _, wanted = case.run(part, steps, {"x": "b.drums"})
    _, found = case.run(tmp_path / "whole.wav", steps, {"x": "b.drums"}, preview=Preview(start=1.0, duration=1.0))
    np.testing.assert_array_equal(found["x"], wanted["x"])


def test_each_output_may_have_a_format_and_a_name_of_its_own(case, song):
    """All appear together; what an output leaves open is as the request says."""
    outputs = {
        "vocals": {"from": "a.vocals", "format": "flac"},
        "other": {"from": "a.other", "file": "{music}/1"},
        "mix": {"from": "mix", "format": "mp3", "bitrate": 128},
    }
    done, found = case.run(song, {"a": FIRST}, outputs, name_template="{track}/{stem}")
    assert done.files == ["vocals.flac", "{music}_1.wav", "mix.mp3"]
    assert soundfile.info(done.paths["vocals"]).subtype == "PCM_16"
    assert soundfile.info(done.paths["other"]).subtype == "FLOAT"
    wanted = samples(case.alone(song, **FIRST)["vocals"]).clip(-1, 1)
    np.testing.assert_allclose(found["vocals"], wanted, atol=2**-14)


@pytest.mark.parametrize("file", [".", "..", "../../x", "a\\..\\b", "CON"])
def test_the_name_of_an_output_is_that_of_one_file_in_its_folder(case, song, file):
    """Whatever a recipe calls it, it stays where the other outputs are."""
    outputs = {"vocals": "a.vocals", "other": {"from": "a.other", "file": file}}
    done, _ = case.run(song, {"a": FIRST}, outputs, name_template="{track}/{stem}")
    assert Path(done.paths["other"]).parent == Path(done.paths["vocals"]).parent


def test_one_file_may_hold_all_outputs(case, song):
    """Then none of them can have a file of its own."""
    outputs = {"vocals": "a.vocals", "other": "a.other"}
    done = case.engine.separate(case.request(song, {"a": FIRST}, outputs, format="mka", pcm_type=None), Job())
    assert len(set(done.paths.values())) == 1
    with pytest.raises(InvalidRequest, match="cannot have one of its own"):
        case.run(song, {"a": FIRST}, {"x": {"from": "a.vocals", "format": "flac"}}, format="mka", pcm_type=None)


@pytest.mark.parametrize(("file", "template"), [({}, "{track}"), ({"file": "a"}, "{track}/{stem}")])
def test_no_output_replaces_the_song(case, tmp_path, file, template):
    """Whatever it is called, and however the song was named; a link to the song may be replaced."""
    folder = tmp_path / "music" / "a" if file else tmp_path / "music"
    folder.mkdir(parents=True)
    song = folder / "a.wav"
    write_song(song, 0.2)
    before = song.read_bytes()
    (tmp_path / "a.wav").symlink_to(song)
    steps, output = {"half": {"gain": "mix", "db": -6}}, {"from": "half", **file}
    fields = {"output": str(tmp_path / "music"), "name_template": template}
    request = case.request(tmp_path / "a.wav", steps, {"x": output}, **fields)
    with pytest.raises(OutputNotWritable, match="stem of its own"):
        case.engine.separate(request, Job())
    assert song.read_bytes() == before


def test_no_output_replaces_a_song_whose_turn_is_yet_to_come(case, tmp_path):
    """It was given to be separated, not to be lost; stems of an earlier job may be made again."""
    songs = [tmp_path / "a.wav", tmp_path / "a_x.wav"]
    for song in songs:
        write_song(song, 0.2)
    before = songs[1].read_bytes()
    request = case.request(songs[0], {"half": {"gain": "mix", "db": -6}}, {"x": "half"}, output=str(tmp_path))
    request = msgspec.structs.replace(request, name_template="{track}_{stem}", pcm_type="FLOAT")
    done = separate_each(case.engine, request, songs, Job(), lambda _: None)
    assert [result["status"] for result in done.results] == ["error", "done"]
    assert "would be replaced by a stem of 'a.wav'" in done.results[0]["message"]
    assert songs[1].read_bytes() == before
    songs[1].unlink()
    for _ in range(2):
        done = separate_each(case.engine, request, songs[:1], Job(), lambda _: None)
    again = separate_each(case.engine, request, songs, Job(), lambda _: None)
    assert (done.failed, again.failed) == (0, 0)


def test_infinite_samples_are_an_error_of_their_step(case, song):
    """However it comes to them, and whatever the file could hold."""
    steps = {"g0": {"gain": "mix", "db": 60}} | {f"g{n}": {"gain": f"g{n - 1}", "db": 60} for n in range(1, 15)}
    with pytest.raises(InvalidRequest, match="infinite") as caught:
        case.run(song, steps, {"x": "g14"})
    assert caught.value.field in ("recipe.steps.g12", "recipe.steps.g13")


def test_one_gain_is_for_all_outputs_whatever_their_formats(case, tmp_path):
    """So they still sum to the song, lowered as a whole."""
    write(tmp_path / "loud.wav", np.full((2, RATE), 1.5, np.float32))
    outputs = {"whole": {"from": "mix", "format": "flac"}, "float": {"from": "half", "pcm_type": "FLOAT"}}
    steps = {"half": {"gain": "mix", "db": -6}}
    done, found = case.run(tmp_path / "loud.wav", steps, outputs, pcm_type=None, clip="rescale")
    assert done.gain == pytest.approx(1 / 1.5, rel=1e-3)
    np.testing.assert_allclose(found["float"], 1.5 * 10**-0.3 * done.gain, rtol=1e-6)
    np.testing.assert_allclose(found["whole"], 1.5 * done.gain, atol=2**-15)


# Passes, and what can go wrong in them --------------------------------------------------------------------------------

CHAIN = {
    "a": FIRST,
    "b": {"model": "four_a", "input": "a.vocals"},
    "c": {"model": "four_b", "input": "a.other"},
    "sum": {"sum": ["b.drums", "c.bass", "mix"]},
}
CHAIN_OUTPUTS = {"sum": "sum", "early": "a.vocals", "late": "c.other"}


def room_for(case, bytes_):
    """Let the models of a job take so many bytes together."""
    case.engine.cache._max_bytes = bytes_


def temporary_files(case):
    return [path for path in case.folder.rglob("*") if ".part" in path.name]


def test_models_that_do_not_fit_together_run_in_passes(case, song):
    """With the same samples to the last bit; `done` says which ran when, and nothing is left behind."""
    _, wanted = case.run(song, CHAIN, CHAIN_OUTPUTS)
    room_for(case, 1)
    done, found = case.run(song, CHAIN, CHAIN_OUTPUTS)
    assert done.settings["passes"] == [["a"], ["b"], ["c"]]
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])
    assert temporary_files(case) == []


def test_models_that_are_out_of_room_are_not_kept(case, song):
    """Of those that have run, none keeps memory while the next is loaded."""
    room_for(case, 1)
    loaded = []
    real = case.engine.load

    def load(source, *rest, **options):
        loaded.append([entry.name for entry in case.engine.cache.entries()])
        return real(source, *rest, **options)

    case.engine.load = load
    case.run(song, CHAIN, CHAIN_OUTPUTS)
    assert all(len(names) <= 1 for names in loaded)
    assert len(loaded) >= 3


def test_memory_that_runs_out_makes_the_models_run_one_after_another(case, song, monkeypatch):
    """With a warning, and the same samples."""
    _, wanted = case.run(song, CHAIN, CHAIN_OUTPUTS)
    real, failed = recipe_run.write_stems, []

    def write_stems(*args):
        if not failed:
            failed.append(True)
            raise OutOfMemory("There is no memory left.")
        return real(*args)

    monkeypatch.setattr(recipe_run, "write_stems", write_stems)
    job = Job()
    done, found = case.run(song, CHAIN, CHAIN_OUTPUTS, job=job)
    assert done.settings["passes"] == [["a"], ["b"], ["c"]]
    assert "one after another" in " ".join(job.warnings)
    np.testing.assert_array_equal(found["sum"], wanted["sum"])


def test_a_model_that_cannot_be_loaded_beside_others_is_loaded_without_them(case, song):
    """As if it had been known before."""
    real, failed = case.engine.load, []

    def load(source, request, lease, *rest, **options):
        if lease.models and not failed:
            failed.append(True)
            raise OutOfMemory("There is no memory left.")
        return real(source, request, lease, *rest, **options)

    case.engine.load = load
    done, _ = case.run(song, CHAIN, CHAIN_OUTPUTS)
    assert done.settings["passes"] == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("steps", [1, 3])
def test_memory_that_is_never_enough_is_an_error_that_names_its_step(steps, case, song, monkeypatch):
    """After models have run alone and chunks have become as short as they may."""
    network = Runner.run

    def run(self, net, mixes):
        if len(mixes[0][0]) > 0:
            raise OutOfMemory("There is no memory left.")
        return network(self, net, mixes)

    monkeypatch.setattr(Runner, "run", run)
    chain = CHAIN if steps == 3 else {"a": FIRST}
    with pytest.raises(OutOfMemory) as caught:
        case.run(song, chain, {"x": "a.vocals"} if steps == 1 else CHAIN_OUTPUTS)
    assert caught.value.step == "a"
    assert temporary_files(case) == []
    assert not list(case.folder.rglob("x.wav"))


def test_a_stem_of_zeros_has_silent_stems_as_its_file_would(case, song):
    """Though that is only known when it has been heard."""
    steps = {"none": {"subtract": ["mix", "mix"]}, "a": {**FIRST, "input": "none"}}
    _, found = case.run(song, steps, {"vocals": "a.vocals"})
    assert not found["vocals"].any()
    assert found["vocals"].shape == samples(song).shape


def test_a_model_that_listens_first_may_hear_what_is_made_of_the_song_alone(case, song):
    """Which is recorded as any stem is."""
    done, found = case.run(
        song, {"soft": {"gain": "mix", "db": -6}, "a": {"model": "tiny", "input": "soft"}}, {"x": "a.bass"}
    )
    assert done.settings["passes"] == [[], ["a"]]
    soft = write(case.folder / "soft.wav", (samples(song).astype(np.float64) * 10**-0.3).astype(np.float32))
    np.testing.assert_array_equal(found["x"], samples(case.alone(soft, model="tiny")["bass"]))


def test_a_silent_song_has_silent_stems(case, tmp_path):
    """In every step, whether its model would have to hear all of it first or not."""
    write(tmp_path / "silence.wav", np.zeros((2, RATE), np.float32))
    steps = {"a": {"model": "tiny"}, "b": {**FIRST, "input": "a.drums"}, "c": {"model": "tiny", "input": "b.vocals"}}
    _, found = case.run(tmp_path / "silence.wav", steps, {"x": "c.bass", "y": "b.other"})
    assert not found["x"].any()
    assert not found["y"].any()


@pytest.mark.parametrize("after", range(12))
def test_a_recipe_can_be_cancelled_anywhere(after, case, song):
    """While it loads, listens, runs any pass or writes: at the next checkpoint, and nothing is left."""

    class Impatient(Job):
        def checkpoint(self):
            self.seen = getattr(self, "seen", 0) + 1
            if self.seen > after * 4:
                self.cancel()
            super().checkpoint()

    room_for(case, 1)
    with pytest.raises(JobCancelled):
        case.run(song, CHAIN, CHAIN_OUTPUTS, job=Impatient())
    assert [path.name for path in case.folder.rglob("*") if path.is_file()] == ["song.wav"]


def test_progress_is_even_over_passes(case, song):
    """It never goes back, and ends with all of it."""
    events = []
    room_for(case, 1)
    job = Job(events.append, clock=iter(range(10**7)).__next__)
    case.run(song, CHAIN, CHAIN_OUTPUTS, job=job)
    percents = [event.percent for event in events if hasattr(event, "percent")]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert max(b - a for a, b in pairwise(percents)) < 40


def test_a_finished_recipe_is_skipped_until_it_says_something_else(case, song):
    """Whatever its name, what counts is what it says."""
    out = case.out()
    first, _ = case.run(song, {"a": FIRST}, {"x": "a.vocals"}, resume=True, output=out)
    again, _ = case.run(song, {"a": FIRST}, {"x": "a.vocals"}, resume=True, output=out)
    other, _ = case.run(song, {"a": {**FIRST, "overlap": 1}}, {"x": "a.vocals"}, resume=True, output=out)
    assert [first.skipped is True, again.skipped is True, other.skipped is True] == [False, True, False]


def test_what_was_cut_off_goes_on_after_the_last_whole_pass(case, song, monkeypatch):
    """With `resume`, stems between passes are kept until the job is done; then nothing of them is left."""
    _, wanted = case.run(song, CHAIN, CHAIN_OUTPUTS)
    room_for(case, 1)
    out, passes, last = case.out(), [], recipe_run.write_stems
    real = Recorder.record
    monkeypatch.setattr(Recorder, "record", lambda *args: passes.append(1) or real(*args))

    def cut_off(*args):
        raise JobCancelled

    monkeypatch.setattr(recipe_run, "write_stems", cut_off)
    for _ in range(2):
        with pytest.raises(JobCancelled):
            case.run(song, CHAIN, CHAIN_OUTPUTS, resume=True, output=out)
    assert len(passes) == 2  # of the first try alone
    (kept,) = Path(out, ".dsu").glob("*.stems")
    assert len(list(kept.glob("*.wav"))) == 3
    monkeypatch.setattr(recipe_run, "write_stems", last)
    _, found = case.run(song, CHAIN, CHAIN_OUTPUTS, resume=True, output=out)
    assert len(passes) == 2
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name])
    assert [path.suffix for path in Path(out, ".dsu").iterdir()] == [".json"]


def test_stems_of_another_recipe_are_not_taken_and_not_kept_for_ever(case, song, monkeypatch):
    """Nor those that were changed: then their pass runs again."""
    room_for(case, 1)
    out, last = case.out(), recipe_run.write_stems

    def cut_off(*args):
        raise JobCancelled

    monkeypatch.setattr(recipe_run, "write_stems", cut_off)
    with pytest.raises(JobCancelled):
        case.run(song, CHAIN, CHAIN_OUTPUTS, resume=True, output=out)
    (first,) = Path(out, ".dsu").glob("*.stems")
    changed = {**CHAIN, "a": {**FIRST, "overlap": 1}}
    with pytest.raises(JobCancelled):
        case.run(song, changed, CHAIN_OUTPUTS, resume=True, output=out)
    (second,) = Path(out, ".dsu").glob("*.stems")
    assert first != second
    for path in second.glob("*.wav"):
        write(path, np.zeros((2, 100), np.float32))
    monkeypatch.setattr(recipe_run, "write_stems", last)
    _, found = case.run(song, changed, CHAIN_OUTPUTS, resume=True, output=out)
    _, wanted = case.run(song, changed, CHAIN_OUTPUTS)
    np.testing.assert_array_equal(found["sum"], wanted["sum"])


def test_an_unused_step_is_a_warning(case, song):
    """Its model is not even loaded."""
    job = Job()
    done, _ = case.run(song, {"a": FIRST, "spare": {"model": "tiny"}}, {"x": "a.vocals"}, job=job)
    assert "No output needs the step `spare`, so it was left out." in job.warnings
    assert done.settings["passes"] == [["a"]]


def test_models_that_are_missing_are_one_error(case, song):
    """With all of their names, before anything is loaded."""
    steps = {"a": {"model": "htdemucs"}, "b": {"model": "vocals_melband", "input": "a.vocals"}}
    with pytest.raises(ModelNotInstalled, match="`htdemucs`, `vocals_melband`") as caught:
        case.run(song, steps, {"x": "b.vocals"})
    assert caught.value.field == "recipe.steps.a.model"


def test_a_stem_that_a_model_of_ones_own_has_not_is_an_error_of_its_step(case, song):
    """Which stems it has is only known once it is read."""
    with pytest.raises(InvalidRequest, match="no stem `horns`; it has drums, bass, other, vocals, rest") as caught:
        case.run(song, {"a": {"model": "tiny"}}, {"x": "a.horns"})
    assert caught.value.step == "a"
    assert caught.value.field == "recipe.steps.a"
