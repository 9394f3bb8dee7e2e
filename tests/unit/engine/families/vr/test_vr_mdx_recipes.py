"""The whole path from a file to stem files, with VR and MDX models."""

from itertools import count
from pathlib import Path

import numpy as np
import pytest
import soundfile
from msgspec import UNSET
from vr_case import inverted_by_hand, sdr_db, song, write

from utils.audio import scanning
from utils.core.errors import ConfigInvalid, InvalidRequest, ModelNotInstalled
from utils.core.job import Job, JobCancelled
from utils.core.replies import Progress, Separating
from utils.core.requests import AudioSeparatorLoad, AudioSeparatorPreload, AudioSeparatorSeparate, Preview
from utils.core.settings import Settings
from utils.engine.families.mdx.model import load_mdx
from utils.engine.pipeline import track
from utils.engine.programs import make_engine
from utils.store import audio_separator_models, hashes
from utils.store.audio_separator_models import own_audio_separator


@pytest.fixture
def engine(tmp_path):
    settings = Settings(models_dir=tmp_path / "models", device="cpu", threads=1, max_load_seconds=10**9)
    engine = make_engine("dsu-audio-separator", settings)
    engine.start()
    return engine


@pytest.fixture(params=["vr", "mdx"])
def own(request, modern, mdx):
    """Request fields for a VR and an MDX model."""
    if request.param == "vr":
        return {"model": str(modern.checkpoint), "vr_window_size": 320}
    return {"model": str(mdx.checkpoint)}


@pytest.fixture
def run(engine, own, tmp_path):
    def run(samples=None, *, job=None, **fields):
        write(tmp_path / "song.wav", song(2) if samples is None else samples)
        fields = {"input": str(tmp_path / "song.wav"), "output": str(tmp_path / "out"), **own, **fields}
        done = engine.separate(AudioSeparatorSeparate(pcm_type="FLOAT", clip="none", **fields), job or Job())
        return done, {name: soundfile.read(path, always_2d=True)[0].T for name, path in done.paths.items()}

    return run


def test_both_stems(run):
    """Files are named after song and stem, have the song's length, and sum to roughly the song."""
    samples = song(2)[:, :80001]
    done, stems = run(samples)
    assert done.files == ["song_(Vocals).wav", "song_(Instrumental).wav"]
    assert {stem.shape for stem in stems.values()} == {samples.shape}
    assert sdr_db(samples, sum(stems.values())) > 20
    assert done.settings


def test_without_a_name_the_packages_default_is_meant_until_one_is_loaded(engine, own, tmp_path, monkeypatch):
    """By all three commands. One that is not installed is an error with its name."""
    commands = (
        lambda: engine.load_model(AudioSeparatorLoad(), Job()),
        lambda: engine.preload_model(AudioSeparatorPreload(), Job()),
        lambda: engine.separate(AudioSeparatorSeparate(input=str(tmp_path / "song.wav")), Job()),
    )
    write(tmp_path / "song.wav", song(2))
    for command in commands:
        with pytest.raises(ModelNotInstalled, match="vocals_bsroformer_viperx") as caught:
            command()
        assert "download_model" in caught.value.hint
    with pytest.raises(ModelNotInstalled, match="Name a model"):
        engine.load_model(AudioSeparatorLoad(model_file_dir=str(tmp_path)), Job())
    monkeypatch.setattr("utils.engine.engine.DEFAULT_MODEL", "dsu_mini")
    assert engine.preload_model(AudioSeparatorPreload(), Job()).model == "dsu_mini"
    assert engine.load_model(AudioSeparatorLoad(), Job()).cached
    loaded = engine.load_model(AudioSeparatorLoad(model=own["model"]), Job())
    assert engine.load_model(AudioSeparatorLoad(), Job()).model == loaded.model


def test_one_stem(run):
    """`single_stem` and `stems` write only that stem, ignoring case, identical to the one from a full job."""
    _, both = run()
    _, alone = run(single_stem="instrumental")
    _, listed = run(stems=["INSTRUMENTAL"])
    assert list(alone) == list(listed) == ["Instrumental"]
    np.testing.assert_array_equal(alone["Instrumental"], both["Instrumental"])
    np.testing.assert_array_equal(listed["Instrumental"], both["Instrumental"])


def test_a_stem_and_the_rest(run):
    """`two_stems` writes the stem and the song without it."""
    samples = song(2)
    _, stems = run(samples, two_stems="Vocals")
    assert list(stems) == ["Vocals", "no_Vocals"]
    assert sdr_db(samples, sum(stems.values())) > 100


def test_stems_that_there_are_not(run):
    """The error lists the stems of the model; the ways to select stems are mutually exclusive."""
    with pytest.raises(InvalidRequest, match="it has Vocals, Instrumental"):
        run(single_stem="drums")
    with pytest.raises(InvalidRequest, match="either `single_stem`"):
        run(single_stem="Vocals", stems=["Vocals"])


def test_previews(run):
    """A preview is surveyed and separated like a song of its own."""
    samples = song(4)
    _, part = run(samples, preview=Preview(start=1.0, duration=2.0))
    _, own = run(samples[:, 44100 : 3 * 44100])
    assert part["Vocals"].shape == (2, 2 * 44100)
    np.testing.assert_allclose(part["Vocals"], own["Vocals"], atol=1e-6)


def test_silence(run):
    """Silence has silent stems."""
    _, stems = run(np.zeros((2, 30000), np.float32))
    assert all(stem.shape == (2, 30000) and not stem.any() for stem in stems.values())


def test_cancel(run, tmp_path):
    """A job cancelled during separation leaves no files."""

    def listen(event):
        if getattr(event, "stage", "") == "separate":
            job.cancel()

    job = Job(listen, clock=count().__next__)  # by which every line is due
    with pytest.raises(JobCancelled):
        run(song(6), job=job)
    assert not (tmp_path / "out").exists()


def test_inverted_spectrum(engine, mdx, tmp_path):
    """The primary stem is unchanged, and the other, computed per bin, is close to the difference."""
    write(tmp_path / "song.wav", song(2))
    found = {}
    for inverted in (False, True):
        fields = {"input": str(tmp_path / "song.wav"), "output": str(tmp_path / str(inverted))}
        fields |= {"model": str(mdx.checkpoint), "pcm_type": "FLOAT", "clip": "none", "invert_spect": inverted}
        done = engine.separate(AudioSeparatorSeparate(**fields), Job())
        found[inverted] = {name: soundfile.read(path)[0] for name, path in done.paths.items()}
    np.testing.assert_allclose(found[True]["Vocals"], found[False]["Vocals"], atol=1e-5)
    assert 5 < sdr_db(found[False]["Instrumental"], found[True]["Instrumental"]) < 60
    model = load_mdx(own_audio_separator(mdx.checkpoint), device="cpu", threads=1)
    primary = model.parameters.compensation * found[True]["Vocals"].T
    assert sdr_db(inverted_by_hand(song(2), primary), found[True]["Instrumental"].T) > 90


@pytest.mark.parametrize(
    ("own", "field", "value"),
    [("vr", "vr_window_size", 100), ("mdx", "mdx_segment_size", 2)],
    indirect=["own"],
)
def test_requests_that_cannot_be_met_fail_before_the_song_is_separated(run, tmp_path, field, value):
    """An unsupported window or segment is an error before any event."""
    events = []
    with pytest.raises(InvalidRequest, match=field):
        run(job=Job(events.append), **{field: value})
    assert not any(isinstance(event, Separating | Progress) for event in events)
    assert not (tmp_path / "out").exists()


def decoded(monkeypatch):
    """Counts how often the song is opened."""
    opened = []
    for module in (scanning, track):
        real = module.open_audio

        def opening(path, *args, real=real, **options):
            opened.append(path)
            return real(path, *args, **options)

        monkeypatch.setattr(module, "open_audio", opening)
    return opened


@pytest.mark.parametrize(("own", "times"), [("vr", 3), ("mdx", 2)], indirect=["own"])
def test_a_song_is_decoded_no_more_often_than_needed(run, monkeypatch, times):
    """A song is decoded once for the scan and once for separation, and for VR once more for the survey."""
    opened = decoded(monkeypatch)
    run()
    assert len(opened) == times


@pytest.mark.parametrize("own", ["vr"], indirect=True)
def test_the_survey_of_a_song_is_a_stage(run, monkeypatch):
    """The survey has its own progress and timing, and the job can be cancelled during it."""
    stages = []
    done, _ = run(song(4), job=Job(lambda event: stages.append(getattr(event, "stage", "")), clock=count().__next__))
    assert [stage for stage in dict.fromkeys(stages) if stage] == ["scan", "survey", "separate", "write"]
    assert done.timing.survey > 0
    opened = decoded(monkeypatch)
    job = Job(lambda event: getattr(event, "stage", "") == "survey" and job.cancel(), clock=count().__next__)
    with pytest.raises(JobCancelled):
        run(song(4), job=job)
    assert len(opened) == 2


@pytest.mark.parametrize("own", ["mdx"], indirect=True)
def test_other_models_need_no_survey(run):
    """Their timing has no survey."""
    assert run()[0].timing.survey is UNSET


def test_a_model_is_hashed_once(run, own, monkeypatch):
    """A model is looked up by the hash of its file, which is computed only once."""
    path = Path(own["model"])
    path.with_suffix(".json").rename(path.with_suffix(".away"))
    hashed = []
    monkeypatch.setattr(hashes, "tail_md5_of", lambda path: hashed.append(path) or "0" * 32)
    try:
        for _ in range(2):
            with pytest.raises(ConfigInvalid, match="not a known model"):
                run()
    finally:
        path.with_suffix(".away").rename(path.with_suffix(".json"))
    assert hashed == [path]


def test_a_name_is_resolved_once(run, engine, own, monkeypatch):
    """A job and a load resolve the name once, whether the model is cached or not."""
    resolved = []
    real = audio_separator_models.own_audio_separator
    monkeypatch.setattr(
        audio_separator_models, "own_audio_separator", lambda *args: resolved.append(args) or real(*args)
    )
    for attempt in range(1, 3):
        engine.load_model(AudioSeparatorLoad(model=own["model"]), Job())
        assert len(resolved) == 2 * attempt - 1
        run()
        assert len(resolved) == 2 * attempt
