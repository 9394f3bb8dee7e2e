"""Blending members' stems: what each way gives, and that parts of any size give the same."""

import numpy as np
import pytest
import torch

from utils.engine.pipeline.blending import (
    BANDS_FRAME,
    FRAME,
    Average,
    QuietestSong,
    SpectrumBlend,
    Sum,
    Unblended,
    WaveBlend,
    blend_for,
    combined,
    crossover,
    loudest,
    middle,
    quietest,
    with_phases,
)
from utils.engine.pipeline.demix import Stretch


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def blended(blend, rows, sizes):
    """What leaves the blend when the rows enter in parts of these sizes; the mix is a count of samples."""
    total = rows.shape[-1]
    mix = np.tile(np.arange(total, dtype=np.float32), (rows.shape[1], 1))
    parts, start = [], 0
    for size in sizes:
        parts += blend.push(Stretch(start, rows[..., start : start + size], mix[:, start : start + size]))
        start += size
    assert start == total
    parts += blend.finish()
    assert [part.start for part in parts] == list(np.cumsum([0, *(part.mix.shape[1] for part in parts[:-1])]))
    np.testing.assert_array_equal(np.concatenate([part.mix for part in parts], axis=1), mix)
    return torch.cat([part.rows for part in parts], dim=-1)


def test_the_choices_on_numbers():
    """Median between the middle two, smallest and largest by size, signs kept."""
    values = torch.tensor([[1.0, -4.0], [-2.0, 3.0], [5.0, 0.5], [0.0, 1.0]])
    assert middle(values).tolist() == [0.5, 0.75]
    assert quietest(values).tolist() == [0.0, 0.5]
    assert loudest(values).tolist() == [5.0, -4.0]
    assert middle(values[:3]).tolist() == [1.0, 0.5]


def test_the_median_of_spectra_is_that_of_both_parts():
    """Real and imaginary parts have medians of their own."""
    values = torch.tensor([1 + 9j, 5 + 2j, 3 + 4j])
    assert middle(values).item() == 3 + 4j
    assert quietest(values).item() == 3 + 4j
    assert loudest(values).item() == 1 + 9j


def test_sample_by_sample():
    """Rows of the members become the stems, in the order of the stems."""
    rows = noise(6, 2, 100)  # three members of two stems
    out = blended(WaveBlend(3, middle), rows, [30, 70])
    expected = np.median(rows.unflatten(0, (3, 2)).numpy(), axis=0)
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("total", [1, 500, (FRAME // 2), 5 * (FRAME // 2), 5 * (FRAME // 2) + 1, 20000])
def test_equal_members_come_back_as_they_are(total):
    """Where members agree there is nothing to choose: every sample comes back, to the first and the last."""
    one = noise(2, 2, total)
    out = blended(SpectrumBlend(2, quietest), torch.cat([one, one]), [total])
    assert out.shape == one.shape
    torch.testing.assert_close(out, one, atol=1e-5, rtol=0)


@pytest.mark.parametrize("choose", [middle, quietest, loudest])
def test_the_sizes_of_parts_do_not_matter(choose):
    """A song in many small parts gives what it gives in one."""
    rows = noise(3, 2, 9000)
    sizes = [1, 2, 3000, 10, 2048, 1024, 2000, 915]
    whole = blended(SpectrumBlend(3, choose), rows, [9000])
    torch.testing.assert_close(blended(SpectrumBlend(3, choose), rows, sizes), whole, atol=1e-5, rtol=0)


def test_bin_by_bin_equals_a_whole_transform():
    """The same as one transform of the whole song, a choice in it, and the way back."""
    rows = noise(2, 1, 8 * (FRAME // 2))
    window = torch.hann_window(2 * (FRAME // 2))
    options = {"n_fft": 2 * (FRAME // 2), "hop_length": (FRAME // 2), "window": window}
    spectra = torch.stft(rows[:, 0], **options, pad_mode="constant", return_complex=True)
    expected = torch.istft(loudest(spectra), **options, length=8 * (FRAME // 2))
    out = blended(SpectrumBlend(2, loudest), rows, [8 * (FRAME // 2)])
    torch.testing.assert_close(out[0, 0], expected, atol=1e-5, rtol=0)


def test_tones_of_both_members_or_of_one():
    """Over spectra `max` keeps what only one member has and `min` drops it."""
    time = torch.arange(44100) / 44100
    common, own = torch.sin(2 * torch.pi * 440 * time), 0.5 * torch.sin(2 * torch.pi * 5000 * time)
    rows = torch.stack([common + own, common])[:, None]
    inside = slice(4096, -4096)
    least = blended(SpectrumBlend(2, quietest), rows, [44100])[0, 0]
    most = blended(SpectrumBlend(2, loudest), rows, [44100])[0, 0]
    assert (least - common)[inside].abs().max() < 0.01
    assert (most - common - own)[inside].abs().max() < 0.01


def test_silence_without_parts_gives_none():
    """A blend that nothing entered has nothing to finish."""
    assert list(SpectrumBlend(2, middle).finish()) == []


@pytest.mark.parametrize(
    ("name", "kind"), [("median_wave", WaveBlend), ("min_wave", WaveBlend), ("max_fft", SpectrumBlend)]
)
def test_blends_by_name(name, kind):
    """The names of the protocol lead to the right kind."""
    assert isinstance(blend_for(name, 2)(), kind)


def test_averages_need_no_blend():
    """They are sums, over the waveform as over the spectrum."""
    assert blend_for("avg_wave", 2) is None
    assert blend_for("avg_fft", 2) is None


def test_without_an_ensemble_parts_pass():
    """Nothing is held back or changed."""
    rows = noise(2, 2, 10)
    torch.testing.assert_close(blended(Unblended(), rows, [4, 6]), rows, atol=0, rtol=0)


def test_the_average_of_a_stem():
    """Members count by their weights."""
    rows = noise(2, 2, 100)
    out = blended(Average([1.0, 3.0]), rows, [30, 70])
    np.testing.assert_allclose(out[0], (rows[0] + 3 * rows[1]) / 4, atol=1e-6)


def test_the_quietest_member_of_a_song():
    """For each channel by itself, and known only at the end."""
    rows = noise(2, 2, 100)
    rows[0, 0] *= 0.1
    rows[1, 1] *= 0.1
    out = blended(QuietestSong(), rows, [30, 70])
    np.testing.assert_array_equal(out[0], torch.stack([rows[0, 0], rows[1, 1]]))


# What only recipes have ---------------------------------------------------------------------------------------------

RATE = 44100


def tone(hertz, samples=40_000):
    return torch.sin(2 * torch.pi * hertz * torch.arange(samples) / RATE).repeat(2, 1)


def middle_of(rows):
    return rows[..., 10_000:-10_000]


def test_a_sum_is_rounded_once():
    """As a sum in double precision is, in any number of parts."""
    rows = torch.cat([noise(1, 2, 100) * 1e4, noise(2, 2, 100, seed=1)])
    wanted = (rows[0].double() - rows[1] + 0.5 * rows[2]).float()
    assert torch.equal(blended(Sum([1.0, -1.0, 0.5]), rows, [60, 40])[0], wanted)


@pytest.mark.parametrize("sizes", [[40_000], [1, 9999, 30_000]])
def test_bands_sum_to_what_they_divide(sizes):
    """One signal in all bands comes back, whatever the frequencies between them."""
    rows = noise(2, 40_000).repeat(3, 1, 1)
    blend = SpectrumBlend(3, crossover([30, 5000], RATE, BANDS_FRAME), BANDS_FRAME)
    torch.testing.assert_close(blended(blend, rows, sizes)[0], rows[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("hertz", "member"), [(60, 0), (150, 0), (400, 1), (2000, 1), (4000, 2), (15_000, 2)])
def test_each_band_is_taken_from_its_member(hertz, member):
    """With the phase that it has: a tone outside the edges is that of one member alone."""
    rows = torch.stack([tone(hertz) * gain for gain in (1.0, 2.0, 3.0)])
    blend = SpectrumBlend(3, crossover([250, 3000], RATE, BANDS_FRAME), BANDS_FRAME)
    found = blended(blend, rows, [40_000])[0]
    torch.testing.assert_close(middle_of(found), middle_of(rows[member]), atol=2e-3, rtol=0)


def test_magnitudes_of_one_get_the_phases_of_another():
    """Above the range alone, below it not at all."""
    for hertz, turned in ((100, False), (9000, True)):
        own, other = 2 * tone(hertz), -tone(hertz)
        blend = SpectrumBlend(2, with_phases(500, 5000, RATE, FRAME))
        found = blended(blend, torch.stack([own, other]), [40_000])[0]
        torch.testing.assert_close(middle_of(found), middle_of(-own if turned else own), atol=1e-2, rtol=0)


def test_phases_of_silence_change_nothing():
    """Where the other has no phase, a stem keeps its own."""
    rows = torch.stack([noise(2, 8000), torch.zeros(2, 8000)])
    found = blended(SpectrumBlend(2, with_phases(500, 5000, RATE, FRAME)), rows, [8000])[0]
    torch.testing.assert_close(found, rows[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "same"), [("uvr_max_spec", "max_fft"), ("uvr_min_spec", "min_fft")])
def test_algorithms_with_two_names(name, same):
    """They are the same."""
    rows = noise(2, 2, 5000)
    one, other = (blended(combined(each, [1.0, 1.0], RATE), rows, [5000]) for each in (name, same))
    assert torch.equal(one, other)
