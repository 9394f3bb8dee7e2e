"""MaskUnet: shares of the mix. It is our own, so there is no other implementation to compare it with."""

import pytest
import torch
from networks import noise, run, tiny

from models.mask_unet import LOUDNESS, MaskUnet, MaskUnetParams

CONFIG = {
    "audio": {"n_fft": 256, "hop_length": 64},
    "model": {"fine_bins": 32, "band_bins": 6, "widths": [4, 6, 8]},
    "training": {"instruments": ["drums", "bass", "other"], "target_instrument": None},
}


@pytest.mark.parametrize("samples", [900, 4096, 5001])
def test_stems_add_up_to_the_mix(samples):
    """Whatever the weights are, nothing is lost and nothing is added, up to the last sample."""
    mix = noise(2, 2, samples)
    torch.testing.assert_close(run(tiny("mask_unet"), mix).sum(dim=1), mix, atol=1e-5, rtol=0)


def test_bins_of_a_band_have_one_share_each_channel_its_own():
    """Above the fine bins the masks are constant within a band; channels and stems differ."""
    net = tiny("mask_unet")
    with torch.inference_mode():
        masks = net.masks(net.stft(noise(1, 2, 3000)))[0]
    fine, band = net.params.fine_bins, net.params.band_bins
    second = masks[:, :, fine + band : fine + 2 * band]
    assert torch.equal(second, second[:, :, :1].expand_as(second))
    assert not torch.equal(masks[:, :, fine], masks[:, :, fine + band])
    assert not torch.equal(masks[:, :, 0], masks[:, :, 1])
    assert not torch.equal(masks[0, 0], masks[0, 1])
    assert not torch.equal(masks[0], masks[1])
    assert masks.shape[2] == net.params.n_fft // 2 + 1


def test_what_is_seen_is_how_loud_each_view_of_the_stereo_is():
    """Left, right, their mean and half their difference, each as in its own transform."""
    net, mix = tiny("mask_unet"), noise(1, 2, 3000)
    spectrum = net.stft(mix)
    left, right = torch.view_as_complex(spectrum.contiguous())[0, :, : net.params.fine_bins]
    views = net._views(spectrum)[0, :, : net.params.fine_bins]
    for number, signal in enumerate((left, right, (left + right) / 2, (left - right) / 2)):
        expected = torch.log1p(LOUDNESS * signal.abs()).T
        torch.testing.assert_close(views[..., number], expected, atol=1e-3, rtol=1e-3)


def test_rows_hold_all_energy_but_the_highest_bin():
    """Bands are sums of their bins, bins stay as they are."""
    net = tiny("mask_unet")
    energy = torch.rand(net.params.n_fft // 2 + 1, 5)
    rows = net.rows(energy)
    assert torch.equal(rows[: net.params.fine_bins], energy[: net.params.fine_bins])
    torch.testing.assert_close(rows.sum(dim=0), energy[:-1].sum(dim=0))
    assert len(rows) == net.params.rows


def test_silence_stays_silence():
    """No energy is no reason for anything but zeros."""
    assert torch.equal(run(tiny("mask_unet"), torch.zeros(1, 2, 2000)), torch.zeros(1, 4, 2, 2000))


def test_a_configuration_is_understood():
    """What is left out has its usual value, and there is a head for each instrument."""
    params = MaskUnetParams.from_config(CONFIG)
    assert (params.num_stems, params.outputs, params.widths, params.fold) == (3, 3, (4, 6, 8), 2)
    assert run(MaskUnet(params).eval(), noise(1, 2, 900)).shape == (1, 3, 2, 900)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"band_bins": 7}, "band_bins"),
        ({"widths": [4] * 9}, "too many levels"),
        ({"depth": 3}, "depth"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(changes, message):
    """The message names the option."""
    with pytest.raises(ValueError, match=message):
        MaskUnetParams.from_config({**CONFIG, "model": CONFIG["model"] | changes})
