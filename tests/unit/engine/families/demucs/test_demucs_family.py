"""The Demucs family beyond sample values: only needed networks, safe loading, files, cache."""

import json
import os
import pickle
import sys
import types
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from demucs_case import RATE, make_engine, sdr_db, separate, write_song

from utils.core import requests
from utils.core.errors import (
    CheckpointInvalid,
    CheckpointMismatch,
    CheckpointUnsafe,
    ConfigInvalid,
    DsuError,
    InputEmpty,
    InputNotFound,
    InputUnreadable,
    InvalidRequest,
    ModelNotInstalled,
    OutputNotWritable,
    UnknownModel,
)
from utils.core.job import Job, JobCancelled
from utils.core.replies import LoadingModel, Progress, Separating
from utils.core.settings import Settings
from utils.engine import programs
from utils.engine.backends.torch import TorchBackend
from utils.engine.families.demucs.bag import SegmentView

pytestmark = pytest.mark.slow


@pytest.fixture
def song(tmp_path):
    write_song(tmp_path / "song.wav", 3.0)
    return tmp_path / "song.wav"


@pytest.fixture
def run(repo, tmp_path, song):
    """Separate the song with one engine: `run(model="tiny", …)`."""

    def call(job=None, **fields):
        fields = {"model": "tiny", "repo": str(repo), "shifts": 0, **fields}
        return separate(call.engine, fields.pop("input", song), fields.pop("out", tmp_path / "out"), job, **fields)

    call.engine = make_engine(tmp_path / "models")
    call.longer, call.second = tmp_path / "longer.wav", tmp_path / "second"
    write_song(call.longer, 6.0)
    return call


def nothing_written(folder):
    return not list(Path(folder).rglob("*")) if Path(folder).exists() else True


def test_files_are_laid_out_as_model_track_stem(run, tmp_path):
    """Files are `OUT/MODEL/TRACK/STEM.wav`, and the reply lists them as documented in the protocol."""
    done, _ = run()
    assert done.output_dir == str(tmp_path / "out" / "tiny" / "song")
    assert done.files == ["drums.wav", "bass.wav", "other.wav", "vocals.wav"]
    assert done.stems == ["drums", "bass", "other", "vocals"]
    assert sorted(p.name for p in (tmp_path / "out" / "tiny" / "song").iterdir()) == sorted(done.files)
    assert done.duration == 3.0
    assert done.sample_rate == RATE


def test_networks_of_a_bag_are_converted_when_they_are_read(run, monkeypatch):
    """Also those that a later job needs, in its precision: its first chunk does not have to wait for it."""
    prepared = []
    prepare = TorchBackend.prepare
    monkeypatch.setattr(
        TorchBackend, "prepare", lambda self, precision: prepared.append(precision) or prepare(self, precision)
    )
    run(model="tiny_ft", stems=["drums"], precision="bf16")
    first = len(prepared)
    run(model="tiny_ft", precision="bf16")
    assert len(prepared) - first == 3
    assert set(prepared) == {"bf16"}


def test_events_come_in_order(run):
    """`loading_model` only if a model is loaded, `separating`, then progress up to 100."""
    events = []
    run(Job(events.append))
    kinds = [type(event) for event in events]
    assert kinds[:2] == [LoadingModel, Separating]
    assert set(kinds[2:]) == {Progress}
    percents = [event.percent for event in events[2:]]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    events.clear()
    done, _ = run(Job(events.append))
    assert LoadingModel not in [type(event) for event in events]
    assert done.model_from_cache


@pytest.mark.parametrize(
    ("fields", "networks", "stems"),
    [
        ({"stems": ["vocals"]}, 1, ["vocals"]),
        ({"stems": ["drums", "bass"]}, 2, ["drums", "bass"]),
        ({"two_stems": "vocals", "other_method": "minus"}, 1, ["vocals", "no_vocals"]),
        ({"two_stems": "vocals"}, 4, ["vocals", "no_vocals"]),
        ({"two_stems": "vocals", "other_method": "none"}, 1, ["vocals"]),
        ({"two_stems": "vocals", "other_method": "add"}, 4, ["vocals", "no_vocals"]),
        ({}, 4, ["drums", "bass", "other", "vocals"]),
    ],
)
def test_only_networks_that_contribute_are_read_and_run(run, fields, networks, stems):
    """A bag of specialists runs one network for one stem."""
    done, _ = run(model="tiny_ft", **fields)
    assert done.settings["networks"] == networks
    assert done.stems == stems


def test_a_stem_alone_is_the_stem_of_the_whole(run):
    """A single stem equals the one from a full separation."""
    _, whole = run(model="tiny_ft")
    _, alone = run(model="tiny_ft", stems=["vocals"])
    np.testing.assert_array_equal(alone["vocals"], whole["vocals"])


def test_stem_and_rest_sum_to_the_mix(run, song):
    """`no_vocals` is the mix minus the vocals, sample for sample."""
    mix = soundfile.read(song, dtype="float32")[0].T
    _, stems = run(two_stems="vocals", other_method="minus")
    np.testing.assert_allclose(stems["vocals"] + stems["no_vocals"], mix, atol=1e-6)


def test_the_batch_size_does_not_change_the_stems(run):
    """Only the rounding of matrix products may differ."""
    _, one = run(batch_size=1)
    _, four = run(batch_size=4)
    for name, samples in one.items():
        assert sdr_db(samples, four[name]) > 100


def test_jobs_do_not_change_the_stems(run, tmp_path):
    """Segments computed in parallel give the same result."""
    _, alone = run()
    run.engine = make_engine(tmp_path / "models", threads=2)
    _done, together = run(jobs=2)
    assert sdr_db(alone["drums"], together["drums"]) > 100
    assert torch.get_num_threads() == 2


def test_shifted_segments_are_averaged(run):
    """Segments that begin elsewhere give other stems, and the mean of two is that of the separations by which they differ."""
    once = run(shifts=0, segment=1)[1]
    done, twice = run(shifts=0, segment=1, bigshifts=2)
    assert done.settings["bigshifts"] == 2
    other = {name: 2 * twice[name] - once[name] for name in once}
    for name in once:
        assert 0.5 < other[name].std() / once[name].std() < 2
        assert sdr_db(once[name], other[name]) < 60


def test_a_whole_song_has_no_segments_to_shift(run):
    """And the error says what to leave out."""
    with pytest.raises(InvalidRequest, match="only one") as caught:
        run(split=False, bigshifts=2)
    assert caught.value.field == "bigshifts"


def test_pcm_stems_keep_their_sum_under_one_gain(run, tmp_path):
    """If stems would clip, all get the same gain, and the reply reports it with a warning."""
    write_song(tmp_path / "loud.wav", 2.0, level=3.0)
    done, stems = run(input=tmp_path / "loud.wav", pcm_type="PCM_24", two_stems="vocals", other_method="minus")
    assert done.gain < 1
    mix = soundfile.read(tmp_path / "loud.wav", dtype="float32")[0].T
    np.testing.assert_allclose(sum(stems.values()), done.gain * mix, atol=1e-5)
    assert max(np.abs(samples).max() for samples in stems.values()) <= 1.0


def test_silence_gives_silent_stems(run, tmp_path):
    """Digital silence succeeds and gives digital silence."""
    soundfile.write(tmp_path / "quiet.wav", np.zeros((RATE, 2)), RATE)
    _, stems = run(input=tmp_path / "quiet.wav")
    assert all(samples.shape == (2, RATE) and not samples.any() for samples in stems.values())


@pytest.mark.parametrize("frames", [1, 2, 100])
def test_very_short_inputs_keep_their_length(run, tmp_path, frames):
    """Even one sample is separated, and comes back as one sample."""
    soundfile.write(tmp_path / "short.wav", np.full((frames, 2), 0.5), RATE)
    _, stems = run(input=tmp_path / "short.wav")
    assert {samples.shape for samples in stems.values()} == {(2, frames)}
    assert all(np.isfinite(samples).all() for samples in stems.values())


@pytest.mark.parametrize(
    ("rate", "channels", "requested", "out_rate"),
    [(48000, 2, None, 44100), (48000, 2, "source", 48000), (22050, 1, "source", 22050), (44100, 6, 32000, 32000)],
)
def test_any_rate_and_channels_in_any_rate_out(run, tmp_path, rate, channels, requested, out_rate):
    """The stems have the requested rate and exactly the duration of the input."""
    frames = rate * 2 + 123
    write_song(tmp_path / "in.wav", frames / rate, channels=channels, rate=rate)
    done, stems = run(input=tmp_path / "in.wav", output_sample_rate=requested, stems=["bass"])
    assert done.sample_rate == out_rate
    assert stems["bass"].shape == (2, int(frames * out_rate / rate + 0.5))


def test_preview_is_the_same_part(run, song, tmp_path):
    """A preview separates only its part of the song."""
    samples = soundfile.read(song, dtype="float32")[0]
    soundfile.write(tmp_path / "part.wav", samples[RATE : 2 * RATE], RATE, subtype="FLOAT")
    _, part = run(input=tmp_path / "part.wav")
    done, preview = run(preview=requests.Preview(start=1.0, duration=1.0))
    assert done.duration == 1.0
    np.testing.assert_allclose(preview["drums"], part["drums"], atol=1e-6)


def test_templates_name_the_files(run, tmp_path):
    """`name_template` replaces the layout; the names in the reply are relative to its folder."""
    done, _ = run(name_template="{track} - {stem}", stems=["bass"])
    assert done.files == ["song - bass.wav"]
    assert done.output_dir == str(tmp_path / "out")


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"segment": 50.0}, InvalidRequest, "segment"),
        ({"stems": ["voice"]}, InvalidRequest, "stems"),
        ({"model": "tinny"}, UnknownModel, None),
        ({"input": "missing.wav"}, InputNotFound, None),
        ({"name_template": "../{stem}"}, InvalidRequest, "name_template"),
    ],
)
def test_bad_requests_name_what_is_wrong_and_write_nothing(run, tmp_path, fields, error, field):
    """There is one error of the right type, and the output folder is not created."""
    with pytest.raises(error) as caught:
        run(**fields)
    if field:
        assert caught.value.field == field
    assert nothing_written(tmp_path / "out")
    run()


def test_a_typo_in_the_model_suggests_the_right_one(run):
    """Suggestions include local models."""
    with pytest.raises(UnknownModel) as caught:
        run(model="tinny")
    assert "tiny" in caught.value.suggestions


@pytest.mark.parametrize(
    ("content", "error"), [(b"", InputEmpty), (b"just some words\n" * 50, InputUnreadable), (None, InputNotFound)]
)
def test_inputs_that_are_not_audio(run, tmp_path, content, error):
    """Empty files, text named `.wav` and folders have different errors."""
    path = tmp_path / "bad.wav"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(error):
        run(input=path)
    assert nothing_written(tmp_path / "out")


def test_nan_samples_are_refused(run, tmp_path):
    """NaN in the input is an error with its position, not a stem full of NaN."""
    samples = np.zeros((RATE, 2), np.float32)
    samples[RATE // 2] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(InputUnreadable, match=r"0\.5"):
        run(input=tmp_path / "nan.wav")
    assert nothing_written(tmp_path / "out")


def test_a_network_that_gives_no_numbers_is_an_error(run, tmp_path, monkeypatch):
    """Stems full of NaN are an error."""
    from utils.engine.families.demucs.bag import SegmentView

    monkeypatch.setattr(SegmentView, "__call__", lambda self, mix: torch.full((1, 4, *mix.shape[1:]), torch.nan))
    with pytest.raises(DsuError, match="NaN or infinity") as caught:
        run()
    assert "damaged" in caught.value.hint
    assert nothing_written(tmp_path / "out")


def test_an_output_that_cannot_be_written(run, tmp_path):
    """A file in place of the folder is an output error."""
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OutputNotWritable):
        run()
    assert (tmp_path / "out").read_text() == "in the way"


def test_cancel_leaves_no_file(run, tmp_path):
    """A job cancelled halfway leaves neither stems, nor temporary files, nor folders of its own."""

    def listen(event):
        if isinstance(event, Progress) and event.percent > 30:
            job.cancel()

    job = Job(listen, clock=count().__next__)  # by which every line is due
    write_song(tmp_path / "long.wav", 20)
    with pytest.raises(JobCancelled):
        run(job, input=tmp_path / "long.wav")
    assert nothing_written(tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Models -----------------------------------------------------------------------------------------------------------


def copy_repo(repo, target, edit):
    """A repo with one network, changed by `edit(package)`."""
    target.mkdir()
    source = next(repo.glob("aaaa0001*.th"))
    package = torch.load(source, weights_only=False)
    torch.save(edit(package) or package, target / "bbbb0001.th")
    return {"model": "bbbb0001", "repo": str(target)}


def test_a_checkpoint_with_code_is_refused_and_not_run(run, tmp_path, song):
    """A pickle that would call a function is named and refused; none of it is executed."""

    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "pwned"),)

    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "cccc0001.th").write_bytes(pickle.dumps({"klass": Attack()}))
    torch.save({"klass": Attack(), "args": (), "kwargs": {}, "state": {}}, tmp_path / "evil" / "cccc0002.th")
    for model in ("cccc0001", "cccc0002"):
        with pytest.raises((CheckpointUnsafe, CheckpointInvalid)):
            run(model=model, repo=str(tmp_path / "evil"))
    assert not (tmp_path / "pwned").exists()
    run()


def test_a_checkpoint_that_is_cut_off_is_refused(run, repo, tmp_path):
    """A truncated file is an error, and leaves nothing in the cache."""
    (tmp_path / "half").mkdir()
    whole = next(repo.glob("aaaa0001*.th")).read_bytes()
    (tmp_path / "half" / "dddd0001.th").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointInvalid):
        run(model="dddd0001", repo=str(tmp_path / "half"))
    assert run.engine.list_cached().count == 0


def test_missing_weights_are_named(run, repo, tmp_path):
    """The error names keys that do not fit the network; the checkpoint is never loaded partially."""

    def forget_one(package):
        package["state"].pop(next(iter(package["state"])))

    with pytest.raises(CheckpointMismatch, match="missing keys"):
        run(**copy_repo(repo, tmp_path / "less", forget_one))


def test_half_precision_weights_are_computed_in_fp32(run, repo, tmp_path):
    """Half-precision checkpoints, like the public ones, give the same result as the same values in fp32."""

    def halve(package):
        package["state"] = {key: value.half() for key, value in package["state"].items()}

    _, halved = run(**copy_repo(repo, tmp_path / "half", halve))
    _, full = run(model="aaaa0001")
    assert sdr_db(full["bass"], halved["bass"]) > 40


def test_parameters_that_newer_networks_dropped_are_ignored(run, repo, tmp_path):
    """Old checkpoints contain arguments that the class no longer accepts."""

    def add_old(package):
        package["kwargs"]["an_old_parameter"] = 3

    done, _ = run(**copy_repo(repo, tmp_path / "old", add_old))
    assert done.model == "bbbb0001"


def test_quantised_members_say_what_is_missing(run, repo, tmp_path, monkeypatch):
    """Quantised checkpoints need diffq; if it is not installed, the error says so and what to do."""
    quantiser = type("DiffQuantizer", (), {"__module__": "diffq.diffq"})
    package = types.ModuleType("diffq")
    package.diffq = types.ModuleType("diffq.diffq")
    package.diffq.DiffQuantizer = quantiser

    def quantise(content):
        content["state"] = {"__quantized": True, "meta": {"klass": quantiser, "init_kwargs": {}}}

    with monkeypatch.context() as installed:
        installed.setitem(sys.modules, "diffq", package)
        installed.setitem(sys.modules, "diffq.diffq", package.diffq)
        fields = copy_repo(repo, tmp_path / "quantised", quantise)
    monkeypatch.setitem(sys.modules, "diffq", None)  # as if it were not installed, also where it is
    with pytest.raises(ModelNotInstalled, match="diffq") as caught:
        run(**fields)
    assert "pip install diffq" in caught.value.hint


def test_a_bag_with_wrong_weights_is_refused(run, repo, tmp_path):
    """Rows must match members, and columns must match stems."""
    bad = tmp_path / "badbag"
    bad.mkdir()
    for file in repo.glob("aaaa000*.th"):
        (bad / file.name).write_bytes(file.read_bytes())
    (bad / "odd.yaml").write_text("models: ['aaaa0001', 'aaaa0002']\nweights: [[1., 1.], [1., 1.]]\n")
    with pytest.raises(ConfigInvalid, match="weights"):
        run(model="odd", repo=str(bad))


def test_a_public_model_that_is_not_installed_says_how_to_get_it(run):
    """The error for the default model names the file and the command that downloads it."""
    with pytest.raises(ModelNotInstalled) as caught:
        run(model="htdemucs", repo=None)
    assert "955717e8-8726e21a.th" in caught.value.message
    assert json.dumps({"cmd": "download_model"})[1:-1].split(":")[0] in caught.value.hint


def test_load_model_then_separate_from_cache(run, repo):
    """`load_model` reads everything and makes the model active; the second load is from the cache."""
    engine = run.engine
    first = engine.load_model(requests.DemucsLoad(model="tiny_ft", repo=str(repo)), Job())
    again = engine.load_model(requests.DemucsLoad(model="tiny_ft", repo=str(repo)), Job())
    assert (first.cached, again.cached) == (False, True)
    assert engine.ping().model_loaded == "tiny_ft"
    done, _ = run(model="tiny_ft")
    assert done.model_from_cache


def test_preload_does_not_change_the_active_model(run, repo):
    """A preloaded model is cached but not active."""
    engine = run.engine
    engine.load_model(requests.DemucsLoad(model="tiny", repo=str(repo)), Job())
    reply = engine.preload_model(requests.DemucsPreload(model="aaaa0002", repo=str(repo)), Job())
    assert (reply.already_cached, reply.cached_count) == (False, 2)
    assert engine.ping().model_loaded == "tiny"
    assert {entry.name: entry.active for entry in engine.list_cached().models} == {"tiny": True, "aaaa0002": False}


def test_with_the_cache_off_every_job_loads(run, repo):
    """A cache of zero keeps nothing and still works."""
    run.engine.set_cache_size(0)
    run()
    done, _ = run()
    assert not done.model_from_cache
    assert run.engine.list_cached().count == 0


def test_reading_without_mapping_gives_the_same(run):
    """`hdd` reads files at once; the samples are the same."""
    _, mapped = run()
    run.engine.clear_cache()
    reply = run.engine.set_storage_type("hdd")
    assert (reply.mmap_enabled, reply.mmap_supported) == (False, True)
    _, read = run()
    np.testing.assert_array_equal(mapped["vocals"], read["vocals"])


def test_a_hybrid_network_goes_on_with_shorter_segments_when_memory_is_short(run, monkeypatch):
    """After batches and cached models, chunks are halved; there is a warning, and the song is complete."""
    from utils.engine.families.demucs.bag import SegmentView

    forward = SegmentView.__call__

    def limited(self, mix):
        if mix.shape[-1] > 1.2 * RATE:
            raise torch.OutOfMemoryError("out of memory (in a test)")
        return forward(self, mix)

    monkeypatch.setattr(SegmentView, "__call__", limited)
    job = Job()
    done, stems = run(job, model="aaaa0002", segment=2.0)
    assert done.settings["segment"] == 1.0
    assert stems["drums"].shape == (2, 3 * RATE)
    assert any("half as long" in warning for warning in job.warnings)


def test_models_are_listed_with_and_without_details(run, repo):
    """The list has names; details say what is installed."""
    names = run.engine.list_models(requests.DemucsListModels()).models
    assert names[:8] == [
        "htdemucs",
        "htdemucs_ft",
        "htdemucs_6s",
        "hdemucs_mmi",
        "mdx",
        "mdx_extra",
        "mdx_q",
        "mdx_extra_q",
    ]
    details = run.engine.list_models(requests.DemucsListModels(details=True, repo=str(repo))).details
    by_name = {entry.name: entry for entry in details}
    assert by_name["tiny"].installed
    assert not by_name["htdemucs"].installed


# Whole songs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["aaaa0002", "aaaa0003"])
def test_a_song_may_be_separated_at_once(run, monkeypatch, model):
    """A network without a fixed segment then sees the whole song, once for each time shift."""
    lengths = []
    forward = SegmentView.__call__
    monkeypatch.setattr(SegmentView, "__call__", lambda view, mix: lengths.append(mix.shape[-1]) or forward(view, mix))
    run(model=model, split=False, shifts=2, input=run.longer)
    assert len(lengths) == 2
    assert min(lengths) >= 6 * RATE


def test_a_network_with_a_fixed_segment_says_that_it_keeps_to_it(run):
    """The stems are those of segments."""
    job = Job()
    _, whole = run(job, split=False)
    _, split = run(out=run.second)
    assert "takes at most 2 s at once" in job.warnings[0]
    assert all(np.array_equal(whole[stem], split[stem]) for stem in split)


def test_a_song_for_which_memory_does_not_suffice_is_separated_in_segments(run, monkeypatch):
    """And that is said."""
    monkeypatch.setattr("utils.device.free_bytes", lambda device: 10_000_000)
    job = Job()
    done, _ = run(job, model="aaaa0002", split=False, input=run.longer)
    assert done.settings["segment"] == 4.0
    assert "GB of memory" in job.warnings[0]


def test_the_rest_has_the_name_that_was_asked_for(run):
    """`rest_name` is for programs whose users look for another file than `no_STEM`."""
    done, _ = run(two_stems="bass", other_method="minus", rest_name="minus_bass")
    assert done.stems == ["bass", "minus_bass"]


@pytest.mark.parametrize(("program", "networks"), [("dsu-demucs", 4), ("dsu", 1)])
def test_how_the_rest_is_made_depends_on_the_program(tmp_path, repo, song, program, networks):
    """Where the request does not say it: dsu-demucs adds the other stems, as demucs does, `dsu` subtracts the one."""
    engine = programs.make_engine(program, Settings(models_dir=tmp_path / "models", device="cpu", threads=1))
    engine.start()
    done, _ = separate(engine, song, tmp_path / "out", model="tiny_ft", repo=str(repo), shifts=0, two_stems="vocals")
    assert done.settings["networks"] == networks
