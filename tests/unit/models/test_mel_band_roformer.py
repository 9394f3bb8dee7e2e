"""Mel-Band RoFormer against the golden data, the public models' shapes and an independent implementation."""

from dataclasses import asdict, replace

import golden
import numpy as np
import pytest
import torch
from roformer_case import largest_difference, noise, with_random_weights

from models.mel_band_roformer import MelBandRoformer, MelBandRoformerParams, overlaps


@pytest.fixture(scope="module")
def peer():
    """The class of the same name in `pymss-core`, written by others."""
    from pymss_core.modules.bs_roformer import MelBandRoformer as Peer

    return Peer


@pytest.mark.parametrize("name", golden.case_names("mel_band_roformer"))
def test_golden_forward(name):
    """The reference's output for the reference's weights, in single precision."""
    case = golden.read_case(name)
    with torch.device("meta"):
        net = MelBandRoformer(MelBandRoformerParams.from_config(case.config))
    net.load_state_dict(case.state, strict=True, assign=True)
    with torch.inference_mode():
        assert golden.largest_difference(net(case.chunk), case.output) <= golden.TOLERANCE


@pytest.mark.parametrize("name", golden.full_size_names("mel_band_roformer"))
def test_full_size_keys_and_shapes(name):
    """A public model's configuration gives exactly its checkpoint's keys and shapes."""
    with torch.device("meta"):
        net = MelBandRoformer(MelBandRoformerParams.from_config(golden.full_size_config(name)))
    assert golden.shapes(net) == golden.full_size_shapes(name)
    assert sum(parameter.numel() for parameter in net.parameters()) == golden.full_size_value_count(name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"zero_dc": False},
        {"skip_connection": True, "depth": 3},
        {"mask_estimator_depth": 2, "freq_transformer_depth": 2},
        {"stereo": False, "num_stems": 1, "stft_normalized": True},
        {"stft_n_fft": 256, "stft_win_length": 256, "num_bands": 12, "sample_rate": 32000},
    ],
    ids=lambda changes: "-".join(changes) or "tiny",
)
@pytest.mark.parametrize("samples", [320, 333])
def test_an_independent_implementation_agrees(peer, changes, samples):
    """With the same random weights, the network of `pymss-core` gives the same stems."""
    params = replace(MelBandRoformerParams.tiny(), match_input_audio_length=True, **changes)
    net = with_random_weights(MelBandRoformer(params))
    options = asdict(params)
    options.pop("linear_transformer_depth")
    other = peer(**options, mlp_hidden_layers=params.mask_estimator_depth).eval()
    other.load_state_dict(net.state_dict(), strict=True)
    mix = noise(2, params.channels, samples)
    with torch.inference_mode():
        ours = net(mix)
        assert float(ours.abs().max()) > 0.1
        assert largest_difference(ours, other(mix).reshape(ours.shape)) <= 1e-4


@pytest.mark.parametrize(("n_fft", "slots"), [(2048, 1979), (4096, 3957)])
def test_public_band_layouts(n_fft, slots):
    """Sixty bands of the public sizes have the public number of bins in all."""
    params = replace(MelBandRoformerParams.tiny(), num_bands=60, stft_n_fft=n_fft)
    assert sum(band.size for band in params.bands()) == slots


def test_bands_have_to_cover_every_bin():
    """More bands than a coarse spectrum can serve are refused."""
    with pytest.raises(ValueError, match="num_bands"):
        replace(MelBandRoformerParams.tiny(), num_bands=60)


def test_merging_the_bands_of_a_spectrum_gives_the_spectrum():
    """The mean over the bands that a bin lies in is the bin, where all of them agree."""
    net = MelBandRoformer(MelBandRoformerParams.tiny())
    spectrum = noise(2, 5, net.params.bins, 4)
    assert largest_difference(net._merge_bands(net._gather_bands(spectrum)), spectrum) < 1e-6


def test_overlapping_bands_are_averaged():
    """A bin's value is the mean of its slots, whether it has one, two or three."""
    bins_of_slots = np.array([0, 1, 0, 1, 2, 0])
    slots = np.array([1.0, 10.0, 2.0, 20.0, 7.0, 6.0])
    merged = sum(slots[index] * weight for index, weight in overlaps(bins_of_slots))
    np.testing.assert_allclose(merged, [3.0, 15.0, 7.0])
