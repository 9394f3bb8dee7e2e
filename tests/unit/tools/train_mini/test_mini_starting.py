"""What a band-split network needs before it is trained."""

import numpy as np
import pytest
import torch

from models.bs_roformer import BSRoformer, BSRoformerParams
from tools.train_mini.mixing import Bank, Mixer
from tools.train_mini.starting import constant_masks, start_from_masks, use_own_layers

SAMPLES = 8192


@pytest.fixture
def net():
    torch.manual_seed(0)
    return BSRoformer(
        BSRoformerParams(
            dim=8, depth=1, stereo=True, num_stems=4, time_transformer_depth=1, freq_transformer_depth=1, dim_head=4,
            heads=2, freqs_per_bands=(4, 4, 121), stft_n_fft=256, stft_hop_length=128, stft_win_length=256,
            mlp_expansion_factor=1,
        )
    )  # fmt: skip


@pytest.fixture
def mixer(tmp_path):
    """Its stems are tones of their own: each is told from the others by its frequency alone."""
    t = np.arange(200_000) / 44100
    tones = [3000 * np.sin(2 * np.pi * hz * t) for hz in (300, 2000, 6000, 15000)]
    clips = np.stack([np.stack([tone, tone], axis=1) for tone in tones])[None].astype(np.int16)
    np.save(tmp_path / "shard-0000.npy", clips)
    return Mixer(Bank(tmp_path), SAMPLES, seed=0)


def test_every_weight_is_within_reach(net):
    """With its own layers a network computes the same, and all layers that read and write bands get gradients."""
    mix = torch.randn(2, 2, SAMPLES, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = net(mix)
    use_own_layers(net)
    after = net(mix)
    assert torch.allclose(before, after, atol=1e-6)
    after.square().sum().backward()
    bands = [*net.band_split.parameters(), *net.mask_estimators.parameters()]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in bands)


def test_changed_weights_are_seen_at_once(net):
    """No copy of a layer is kept that an optimiser's step would leave behind."""
    mix = torch.randn(1, 2, SAMPLES, generator=torch.Generator().manual_seed(0))
    use_own_layers(net)
    with torch.no_grad():
        before = net(mix)
        for parameter in net.band_split.parameters():
            parameter.mul_(-1)
        assert not torch.allclose(before, net(mix), atol=1e-4)


def test_constant_masks_say_where_each_stem_lies(net, mixer):
    """At its own frequency, a tone's stem has a mask near one and the others have small ones."""
    masks = constant_masks(net, mixer)
    bins = [round(hz / 44100 * 256) for hz in (300, 2000, 6000, 15000)]
    assert (masks[:, bins].diag() > 0.9).all()
    assert (masks[:, bins].sum(dim=0) < 1.2).all()


def test_a_network_starts_from_its_masks(net, mixer):
    """Tones come out in their stems before anything is learned."""
    start_from_masks(net, mixer)
    use_own_layers(net)
    example = mixer.draw()
    with torch.no_grad():
        estimates = net(example.mix[None])[0]
    missed = (estimates - example.stems).square().sum(dim=(1, 2))
    sounding = example.stems.square().sum(dim=(1, 2)) > 0
    assert (missed < 0.2 * example.stems.square().sum(dim=(1, 2)))[sounding].all()
