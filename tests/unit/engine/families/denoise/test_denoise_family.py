"""`denoise` through the engine: files in, files out, in dsu-denoise and in dsu."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from plain_denoise import RELEASES, agreement_db, denoised, drums, hiss

from utils.audio.resampling import resampled
from utils.core.errors import InputEmpty, InputNotFound, InvalidRequest, UnknownModel
from utils.core.job import Job, JobCancelled
from utils.core.replies import Denoised, Denoising, Progress
from utils.core.requests import Denoise, DenoiseLoad, DsuListModels, ListModels, Preview
from utils.core.settings import Settings
from utils.engine.programs import make_engine

RATE = 44100
AGREEMENT_DB = 90.0


@pytest.fixture(params=["dsu-denoise", "dsu"])
def engine(request, tmp_path):
    engine = make_engine(request.param, Settings(models_dir=tmp_path / "models", device="cpu", threads=1))
    engine.start()
    return engine


@pytest.fixture
def files(tmp_path):
    """`song.wav`, stereo, and `noise.wav`."""
    soundfile.write(tmp_path / "song.wav", drums(RATE, 2.5, channels=2), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "noise.wav", hiss(RATE, 1.2), RATE, subtype="FLOAT")
    return {"input": str(tmp_path / "song.wav"), "noise_profile": str(tmp_path / "noise.wav")}


def run(engine, fields, job=None, **more):
    request = Denoise(**{"pcm_type": "FLOAT", "clip": "none", **fields, **more})
    return engine.separate(request, job or Job())


def samples_of(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def read_denoised(done):
    return samples_of(done.paths["denoised"])


def expected_of(files, **settings):
    song, noise = samples_of(files["input"]), samples_of(files["noise_profile"])
    return np.stack([denoised(channel, noise.mean(axis=1), RATE, **settings) for channel in song.T], axis=1)


@pytest.mark.parametrize("mode", RELEASES)
def test_a_file_is_denoised_as_the_formulas_say(engine, files, mode):
    """Each mode has a release time of its own; length, rate and channels stay."""
    done = run(engine, files, mode=mode)
    assert agreement_db(read_denoised(done), expected_of(files, release=RELEASES[mode])) > AGREEMENT_DB
    assert done.settings["release_time"] == RELEASES[mode]
    assert (done.sample_rate, done.model, done.device) == (RATE, "envelope_matched", "cpu")


def test_a_release_time_overrides_the_mode(engine, files):
    """Both names of the noise's file are understood as well."""
    files["noise_path"] = files.pop("noise_profile")
    done = run(engine, files, mode="slow", release_time=0.2, attack_time=0.05, subtraction_factor=0.5)
    files["noise_profile"] = files.pop("noise_path")
    expected = expected_of(files, release=0.2, attack=0.05, factor=0.5)
    assert agreement_db(read_denoised(done), expected) > AGREEMENT_DB


def test_the_result_is_next_to_the_song_unless_it_is_named(engine, files, tmp_path):
    """It may be a file, whose extension is the format, or go to a directory."""
    assert run(engine, files).files == [str(tmp_path / "song_denoised.wav")]
    flac = run(engine, files, output=str(tmp_path / "a" / "b.flac"), pcm_type="PCM_24")
    assert flac.files == [str(tmp_path / "a" / "b.flac")]
    assert soundfile.info(flac.files[0]).subtype == "PCM_24"
    assert run(engine, files, output_dir=str(tmp_path / "c")).files == [str(tmp_path / "c" / "song_denoised.wav")]


def test_the_reply_and_the_events(engine, files):
    """The event is `denoising`, all stages are reported, and the active model stays what it was."""
    events = []
    done = run(engine, files, Job(events.append, clock=iter(range(10**6)).__next__))
    assert type(done) is Denoised
    assert [event.input for event in events if isinstance(event, Denoising)] == ["song.wav"]
    stages = [event.stage for event in events if isinstance(event, Progress)]
    assert list(dict.fromkeys(stages)) == ["scan", "survey", "separate", "write"]
    assert engine.ping().model_loaded is None


@pytest.mark.parametrize("rate", [22050, 48000])
def test_the_noise_is_resampled_to_the_song(engine, files, tmp_path, rate):
    """The song keeps its rate, and the channels of the noise are averaged."""
    noise = hiss(rate, 1.2, channels=2)
    soundfile.write(files["noise_profile"], noise, rate, subtype="FLOAT")
    done = run(engine, files)
    converted = resampled(noise, rate, RATE).mean(axis=1)
    song = samples_of(files["input"])
    expected = np.stack([denoised(channel, converted, RATE) for channel in song.T], axis=1)
    assert agreement_db(read_denoised(done), expected) > AGREEMENT_DB
    assert done.sample_rate == RATE


def test_six_channels_stay_six(engine, files):
    """Each is processed by itself."""
    soundfile.write(files["input"], drums(RATE, 0.7, channels=6), RATE, subtype="FLOAT")
    assert agreement_db(read_denoised(run(engine, files)), expected_of(files)) > AGREEMENT_DB


def test_an_excerpt_is_a_song_of_its_own(engine, files, tmp_path):
    """A preview gives what its samples alone would."""
    done = run(engine, files, preview=Preview(start=0.5, duration=1.0))
    found = read_denoised(done)
    soundfile.write(files["input"], samples_of(files["input"])[RATE // 2 : RATE // 2 + RATE], RATE, subtype="FLOAT")
    assert agreement_db(found, expected_of(files)) > AGREEMENT_DB


def test_silent_noise_changes_nothing_and_is_a_warning(engine, files):
    """There is nothing to subtract."""
    soundfile.write(files["noise_profile"], np.zeros(RATE), RATE)
    job = Job()
    done = run(engine, files, job)
    assert agreement_db(read_denoised(done), samples_of(files["input"])) > AGREEMENT_DB
    assert job.warnings == ["The recording of the noise is silent, so the result is the input."]


def test_noise_that_cannot_be_used_is_an_error(engine, files, tmp_path):
    """It names the field, and nothing is written."""
    soundfile.write(tmp_path / "click.wav", hiss(RATE, 0.05), RATE)
    (tmp_path / "empty.wav").touch()
    for name, error in {"nois.wav": InputNotFound, "empty.wav": InputEmpty, "click.wav": InputEmpty}.items():
        with pytest.raises(error) as caught:
            run(engine, files, noise_profile=str(tmp_path / name))
        assert caught.value.field == "noise_profile"
    with pytest.raises(InvalidRequest, match="needs a recording of the noise"):
        run(engine, files, noise_profile=None)
    assert sorted(path.name for path in tmp_path.glob("*.wav")) == ["click.wav", "empty.wav", "noise.wav", "song.wav"]


def test_a_cancelled_job_leaves_nothing(engine, files, tmp_path):
    """Also in the middle of the song."""
    job = Job(
        lambda event: getattr(event, "stage", "") == "separate" and job.cancel(), clock=iter(range(10**6)).__next__
    )
    with pytest.raises(JobCancelled):
        run(engine, files, job, output_dir=str(tmp_path / "out"))
    assert not list((tmp_path / "out").glob("*"))


def test_resume_knows_the_noise(engine, files, tmp_path):
    """What is done is skipped while the song, the settings and the noise are what they were."""
    fields = {**files, "output_dir": str(tmp_path / "out"), "resume": True}
    assert run(engine, fields).skipped is msgspec.UNSET
    assert run(engine, fields).skipped is True
    assert run(engine, fields, mode="slow").skipped is msgspec.UNSET
    assert run(engine, fields).skipped is msgspec.UNSET  # its result was replaced
    soundfile.write(files["noise_profile"], hiss(RATE, 1.0, seed=5), RATE)
    done = run(engine, fields)
    assert done.skipped is msgspec.UNSET
    assert Path(done.files[0]).is_file()


def test_loading_is_accepted_and_loads_nothing(engine):
    """`envelope_matched` is the only name there is; `dsu` does not list it among its models."""
    assert engine.list_models(ListModels(model="envelope_matched")).models == ["envelope_matched"]
    assert "envelope_matched" not in engine.list_models(DsuListModels()).models
    for name in (None, "envelope_matched"):
        loaded = engine.load_model(DenoiseLoad(model=name), Job())
        assert (loaded.model, loaded.stems) == ("envelope_matched", ["denoised"])
    with pytest.raises(UnknownModel):
        engine.load_model(DenoiseLoad(model="htdemucs"), Job())
