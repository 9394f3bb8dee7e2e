"""From a file to files of stems, with VR and MDX models: the whole path."""

from itertools import count

import numpy as np
import pytest
import soundfile
from vr_case import inverted_by_hand, loaded, sdr_db, song, write

from utils.core.errors import InvalidRequest
from utils.core.job import Job, JobCancelled
from utils.core.requests import Preview, Separate
from utils.engine.demix import Compute
from utils.engine.mdx import MdxOptions, load_mdx
from utils.engine.separation import Loaded, separate
from utils.engine.vr.options import VrOptions
from utils.engine.vr_mdx import Setting, mdx_recipe, vr_recipe
from utils.store.audio_separator_models import own_audio_separator


@pytest.fixture(params=["vr", "mdx"])
def recipe_of(request, modern, mdx):
    """What makes the recipe of a setting, for either sort of model."""
    if request.param == "vr":
        model = loaded(modern)
        return lambda setting, **options: vr_recipe(model, VrOptions(window_size=320, **options), setting)
    model = load_mdx(own_audio_separator(mdx.checkpoint), device="cpu", threads=1)
    return lambda setting, **options: mdx_recipe(model, MdxOptions(**options), setting)


@pytest.fixture
def run(recipe_of, tmp_path):
    def run(samples=None, *, job=None, single_stem=None, options=None, **fields):
        write(tmp_path / "song.wav", song(2) if samples is None else samples)
        request = Separate(
            input=str(tmp_path / "song.wav"), output=str(tmp_path / "out"), pcm_type="FLOAT", clip="none", **fields
        )
        job = job or Job()
        setting = Setting(request, Compute("cpu", 1), job, lambda: False, single_stem)
        done = separate(request, recipe_of(setting, **(options or {})), Loaded(0.0, from_cache=True), job)
        return done, {name: soundfile.read(path, always_2d=True)[0].T for name, path in done.paths.items()}

    return run


def test_both_stems(run):
    """Files are called after the song and the stem, as long as the song, and add up to about the song."""
    samples = song(2)[:, :80001]
    done, stems = run(samples)
    assert done.files == ["song_(Vocals).wav", "song_(Instrumental).wav"]
    assert {stem.shape for stem in stems.values()} == {samples.shape}
    assert sdr_db(samples, sum(stems.values())) > 20
    assert done.settings


def test_one_stem(run):
    """`single_stem` and `stems` write just that one, in any letter case, the same as among both."""
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
    """The error names those that there are; two ways of naming stems exclude each other."""
    with pytest.raises(InvalidRequest, match="it has Vocals, Instrumental"):
        run(single_stem="drums")
    with pytest.raises(InvalidRequest, match="either `single_stem`"):
        run(single_stem="Vocals", stems=["Vocals"])


def test_previews(run):
    """A part of the song is measured and separated as a song of its own."""
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
    """A job cancelled while it separates leaves nothing."""

    def listen(event):
        if getattr(event, "stage", "") == "separate":
            job.cancel()

    job = Job(listen, clock=count().__next__)  # by which every line is due
    with pytest.raises(JobCancelled):
        run(song(6), job=job)
    assert not (tmp_path / "out").exists()


def test_inverted_spectrum(mdx, tmp_path):
    """The primary stem stays as it is, and the other is taken from the spectrum, nearly the difference."""
    model = load_mdx(own_audio_separator(mdx.checkpoint), device="cpu", threads=1)
    write(tmp_path / "song.wav", song(2))
    found = {}
    for inverted in (False, True):
        output = str(tmp_path / str(inverted))
        request = Separate(input=str(tmp_path / "song.wav"), output=output, pcm_type="FLOAT", clip="none")
        job = Job()
        setting = Setting(request, Compute("cpu", 1), job, lambda: False)
        recipe = mdx_recipe(model, MdxOptions(invert_spectrum=inverted), setting)
        done = separate(request, recipe, Loaded(0.0, from_cache=True), job)
        found[inverted] = {name: soundfile.read(path)[0] for name, path in done.paths.items()}
    np.testing.assert_allclose(found[True]["Vocals"], found[False]["Vocals"], atol=1e-5)
    assert 5 < sdr_db(found[False]["Instrumental"], found[True]["Instrumental"]) < 60
    primary = model.parameters.compensation * found[True]["Vocals"].T
    assert sdr_db(inverted_by_hand(song(2), primary), found[True]["Instrumental"].T) > 90


def test_requests_that_cannot_be_met_fail_before_the_song_is_read(modern, mdx):
    """A window or a segment that the network cannot look through is known without any input."""
    setting = Setting(Separate(input="missing.wav", output="out"), Compute("cpu", 1), Job(), lambda: False)
    with pytest.raises(InvalidRequest, match="vr_window_size"):
        vr_recipe(loaded(modern), VrOptions(window_size=100), setting)
    model = load_mdx(own_audio_separator(mdx.checkpoint), device="cpu", threads=1)
    with pytest.raises(InvalidRequest, match="mdx_segment_size"):
        mdx_recipe(model, MdxOptions(segment_size=2), setting)
