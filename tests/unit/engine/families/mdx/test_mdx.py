"""MDX networks: stems equal to the package's, any number of frames, and the other stem by subtraction."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from package_separators import librosa, mdx_separator, mdx_stems, package_function
from vr_case import inside, inverted_by_hand, numbers, run, sdr_db, song

from utils.core.errors import CheckpointMismatch, InvalidRequest
from utils.engine.families.mdx.model import InvertedRest, MdxOptions, by_subtraction, load_mdx, mdx_lanes, plan_mdx
from utils.engine.pipeline.chunking import shifted
from utils.engine.pipeline.demix import Stretch
from utils.engine.pipeline.outputs import select
from utils.store.audio_separator_models import own_audio_separator

OPTIONS = [
    ({}, MdxOptions()),
    ({"overlap": 0.0}, MdxOptions(overlap=0)),
    ({"overlap": 0.7}, MdxOptions(overlap=0.7)),
    ({"enable_denoise": True}, MdxOptions(denoise=True)),
]


@pytest.fixture(scope="module")
def model(mdx):
    return load_mdx(own_audio_separator(mdx.checkpoint), device="cpu", threads=1)


def primary_of(model, samples, options=None, **details):
    peak = float(np.abs(samples).max())
    lanes = mdx_lanes(model, options or MdxOptions(), samples=samples.shape[1], peak=peak)
    return run(lanes, samples, **details)[0]


@pytest.mark.parametrize(("package", "own"), OPTIONS, ids=str)
def test_stems_are_the_packages(model, mdx, package, own):
    """Stems equal the package's up to both ends, except that the package leaves the song at a peak of 0.9."""
    samples = song(4)
    samples /= np.abs(samples).max()
    primary = primary_of(model, samples, own)
    other = samples - model.parameters.compensation * primary
    reference = mdx_stems(mdx_separator(mdx.checkpoint, numbers(mdx), **package), samples)
    assert sdr_db(reference[0], 0.9 * primary) > 100
    assert sdr_db(reference[1], 0.9 * other) > 100
    assert reference[0].std() > 0.02


def test_quiet_songs_stay_as_quiet(model, mdx):
    """Songs below a peak of 0.9 keep their level; the package's stem is too quiet by the song's peak."""
    samples = song(2)
    samples *= 0.5 / np.abs(samples).max()
    reference = mdx_stems(mdx_separator(mdx.checkpoint, numbers(mdx)), samples)
    assert sdr_db(reference[0], 0.5 * primary_of(model, samples)) > 100


def test_denoising_cancels_what_does_not_depend_on_the_song(model):
    """Denoising removes the network's response to silence and changes the stem."""
    samples = song(2)
    plain, clean = primary_of(model, samples), primary_of(model, samples, MdxOptions(denoise=True))
    assert sdr_db(plain, clean) < 40
    assert sdr_db(clean, -primary_of(model, -samples, MdxOptions(denoise=True))) > 100


def test_chunks_that_end_at_any_sample(model):
    """The weights of all chunks sum to one for any length of the song."""
    for samples in (1, 1000, 31743, 31744, 31745, 54321, 100001):
        for plan in shifted(plan_mdx(samples, n_fft=2048, frames=32, overlap=0.25), 3):
            total = np.zeros(samples)
            for chunk in (plan[index] for index in range(len(plan))):
                low, high = max(0, chunk.start), min(samples, chunk.start + chunk.length)
                total[low:high] += plan.weights(chunk.number)[low - chunk.start : high - chunk.start]
            np.testing.assert_allclose(total, 1, atol=1e-5)


def test_shifted_chunks_are_averaged(model):
    """As if the song had begun later, each time by a third of what chunks advance by."""
    samples = song(3)
    hop = plan_mdx(1, n_fft=model.parameters.n_fft, frames=model.parameters.frames, overlap=0.25).hop
    by_hand = [
        primary_of(model, np.pad(samples, ((0, 0), (number * hop // 3, 0))))[:, number * hop // 3 :]
        for number in range(3)
    ]
    primary = primary_of(model, samples, MdxOptions(shifts=3))
    middle = slice(samples.shape[1] // 3, -samples.shape[1] // 3)
    assert sdr_db(np.mean(by_hand, axis=0)[:, middle], primary[:, middle]) > 100
    assert sdr_db(by_hand[0][:, middle], by_hand[1][:, middle]) < 60


def test_another_number_of_frames(model):
    """A network can process more frames than its file says, with a similar stem."""
    samples = song(4)
    assert model.backend(64)(torch.zeros(1, 4, 512, 64)).shape == (1, 4, 512, 64)
    longer = primary_of(model, samples, MdxOptions(segment_size=64))
    assert longer.std() == pytest.approx(primary_of(model, samples).std(), rel=0.2)


def test_too_few_frames(model):
    """Half an STFT frame is lost at either end of a chunk, so longer segments are required."""
    with pytest.raises(InvalidRequest, match="above 3") as caught:
        primary_of(model, song(1), MdxOptions(segment_size=3))
    assert caught.value.field == "mdx_segment_size"


@pytest.mark.parametrize("overlap", [-0.1, 1.0, 25])
def test_overlaps_that_make_no_sense(overlap):
    """The overlap must be a fraction of a chunk."""
    with pytest.raises(InvalidRequest, match="from 0 to below 1"):
        MdxOptions(overlap=overlap)


def test_the_other_stem_by_subtraction():
    """Outputs over both stems are computed from the primary stem and the song."""
    rng = np.random.default_rng(0)
    primary, mix = rng.standard_normal((2, 2, 100)).astype(np.float32)
    both = select(("Vocals", "Instrumental"), stems=None, two_stems=None)
    vocals, rest = by_subtraction(both, 1.1).outputs
    np.testing.assert_array_equal(vocals.render(primary[None], mix), primary)
    np.testing.assert_allclose(rest.render(primary[None], mix), mix - 1.1 * primary, rtol=1e-5)
    two = by_subtraction(select(("Vocals", "Instrumental"), stems=None, two_stems="instrumental"), 1.1)
    np.testing.assert_allclose(two.outputs[1].render(primary[None], mix), 1.1 * primary, rtol=1e-5, atol=1e-5)


def inverted(mix, primary, compensation=1.0):
    blend = InvertedRest(compensation)
    parts = []
    for start in range(0, mix.shape[1], 5000):
        stems = torch.from_numpy(primary[None, :, start : start + 5000])
        parts += blend.push(Stretch(start, stems, mix[:, start : start + 5000]))
    parts += blend.finish()
    assert [part.start for part in parts] == list(np.cumsum([0, *(part.mix.shape[1] for part in parts[:-1])]))
    return torch.cat([part.rows for part in parts], dim=-1).numpy()


def test_the_other_stem_from_the_spectrum():
    """The other stem is the difference if the stem is quieter than the song; otherwise its polarity does not flip."""
    mix = song(1)
    quiet = inverted(mix, 0.3 * mix)
    assert sdr_db(inside(0.3 * mix), inside(quiet[0])) > 100
    assert sdr_db(inside(0.7 * mix), inside(quiet[1])) > 100
    assert np.abs(inside(inverted(mix, 1.5 * mix)[1])).max() < 1e-4
    assert sdr_db(inside(0.4 * mix), inside(inverted(mix, 0.3 * mix, compensation=2)[1])) > 100


def unlike(mix):
    """A stem that is louder than the song in some bins, with a different phase in most."""
    noise = np.random.default_rng(3).standard_normal(mix.shape).astype(np.float32)
    return np.roll(mix, 37, axis=1) * 0.6 + 0.1 * noise


@pytest.mark.parametrize("compensation", [1.0, 1.03, 2.0])
def test_the_other_stem_is_what_inverting_a_spectrum_means(compensation):
    """This holds for any stem, from the first sample to the last, for any blocks of the song."""
    mix = song(1)[:, :40321]
    stem = unlike(mix)
    primary, rest = inverted(mix, stem, compensation)
    assert sdr_db(primary, stem) > 100
    assert sdr_db(inverted_by_hand(mix, compensation * stem), rest) > 100


def test_bins_are_inverted_as_the_package_does():
    """The package's function for two spectra gives the same stem; only its caller passes a transposed stem."""
    mix = song(1)
    stem = unlike(mix)
    spectra = [np.stack([librosa().stft(one, n_fft=2048, hop_length=1024) for one in signal]) for signal in (mix, stem)]
    taken = package_function("invert_audio")(spectra)
    reference = -np.stack([librosa().istft(one, hop_length=1024) for one in taken])
    assert sdr_db(reference, inverted(mix, stem)[1]) > 90


def test_moving_and_size(mdx):
    """A moved model is read again on use; its size is that of its file."""
    model = load_mdx(own_audio_separator(mdx.checkpoint), device="cpu", threads=1)
    first = model.backend(32)
    assert model.backend(32) is first
    assert model.warning is None
    assert model.size_bytes() == mdx.checkpoint.stat().st_size
    model.move("cpu")
    assert model.backend(32) is not first


def test_a_device_that_the_runtime_does_not_know(mdx):
    """The job warns that the network runs on the CPU."""
    model = load_mdx(own_audio_separator(mdx.checkpoint), device="cpu", threads=1)
    model.device = "cuda:3"
    assert "onnxruntime-gpu" in model.warning


def test_numbers_of_two_models(mdx):
    """More bins than the STFT has are refused."""
    source = own_audio_separator(mdx.checkpoint)
    with pytest.raises(CheckpointMismatch, match="512 of 257 bins"):
        load_mdx(replace(source, parameters=replace(source.parameters, n_fft=512)), device="cpu", threads=1)
