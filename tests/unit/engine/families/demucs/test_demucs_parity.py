"""The stems equal those of the demucs package's `apply_model` to 60 dB or better."""

import numpy as np
import pytest
import torch
from demucs.apply import apply_model
from demucs.pretrained import get_model
from demucs_case import make_engine, sdr_db, separate, write_song

pytestmark = pytest.mark.slow


def reference(repo, model_name, mix, **options):
    """The demucs package's result, scaled like in its `Separator`."""
    model = get_model(model_name, repo)
    model.eval()
    mix = torch.from_numpy(mix)
    mono = mix.mean(0)
    mean, std = mono.mean(), mono.std() + 1e-8
    stems = apply_model(model, ((mix - mean) / std)[None], shifts=0, **options)[0] * std + mean
    return dict(zip(model.sources, stems.numpy(), strict=True))


@pytest.mark.parametrize("seconds", [0.3, 2.0, 3.1234])
@pytest.mark.parametrize("model", ["tiny", "aaaa0002", "aaaa0003", "tiny_bag", "tiny_ft"])
def test_stems_equal_the_packages_own(repo, tmp_path, model, seconds):
    """Transformer, hybrid, time-domain, a weighted bag and a bag of specialists, for short and long songs."""
    mix = write_song(tmp_path / "song.wav", seconds)
    expected = reference(repo, model, mix)
    _, stems = separate(
        make_engine(tmp_path), tmp_path / "song.wav", tmp_path / "out", model=model, repo=str(repo), shifts=0
    )
    assert list(stems) == list(expected)
    for name, samples in stems.items():
        assert samples.shape == expected[name].shape
        assert sdr_db(expected[name], samples) >= 60, name


@pytest.mark.parametrize("options", [{"overlap": 0.5}, {"overlap": 0.0}, {"segment": 1.5}])
@pytest.mark.parametrize("model", ["tiny", "aaaa0002"])
def test_options_mean_the_same(repo, tmp_path, model, options):
    """Overlap and segment cut the song at the same positions as the package."""
    mix = write_song(tmp_path / "song.wav", 3.0)
    expected = reference(repo, model, mix, **({"overlap": 0.25} | options))
    fields = {"model": model, "repo": str(repo), "shifts": 0, **options}
    _, stems = separate(make_engine(tmp_path), tmp_path / "song.wav", tmp_path / "out", **fields)
    for name, samples in stems.items():
        assert sdr_db(expected[name], samples) >= 60, name


def test_shifts_are_those_of_the_seed(repo, tmp_path):
    """The same seed gives the same samples, another seed others, and both stay near the unshifted result."""
    write_song(tmp_path / "song.wav", 3.0)
    engine = make_engine(tmp_path)

    def vocals(**fields):
        _, stems = separate(engine, tmp_path / "song.wav", tmp_path / "out", model="tiny", repo=str(repo), **fields)
        return stems["vocals"]

    first, again, other = vocals(shifts=2, seed=1), vocals(shifts=2, seed=1), vocals(shifts=2, seed=2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert sdr_db(vocals(shifts=0), first) > 0
