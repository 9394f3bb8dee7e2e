"""Both generations of BandIt against another implementation."""

import warnings

import pytest
import torch
from networks import noise, run, scrambled, twin

from models.bandit import Bandit, BanditParams
from models.bandit_v2 import BanditV2, BanditV2Params
from models.blocks.musical import musical_bands, shares_of_bins

OPTIONS = {
    "stems": ["speech", "music", "effects"],
    "n_bands": 16,
    "fs": 44100,
    "n_sqm_modules": 2,
    "emb_dim": 16,
    "rnn_dim": 12,
    "rnn_type": "GRU",
    "mlp_dim": 24,
    "n_fft": 512,
    "win_length": 512,
    "hop_length": 128,
    "normalized": False,
}
# The class, its parameters, the section, and what only that generation's configurations say.
GENERATIONS = {
    "bandit": (Bandit, BanditParams, "model", {"in_channel": 1, "band_specs": "musical"}),
    "bandit_v2": (BanditV2, BanditV2Params, "kwargs", {"in_channels": 1, "band_type": "musical"}),
}
VARIANTS = {
    "public settings": {},
    "mirrored ends": {"pad_mode": "reflect"},
    "one direction": {"bidirectional": False, "rnn_type": "LSTM"},
    "plain sum of bands": {"use_freq_weights": False},
    "short window": {"win_length": 400},
}


def config_of(generation, **changes):
    *_, section, own = GENERATIONS[generation]
    return {section: {**OPTIONS, **own, **changes}}


def built(generation, **changes):
    network, params, *_ = GENERATIONS[generation]
    return network(params.from_config(config_of(generation, **changes)))


@pytest.fixture(params=GENERATIONS)
def generation(request):
    return request.param


@pytest.fixture
def peer_class(generation):
    if generation == "bandit":
        from pymss_core.modules.bandit.core.model import MultiMaskMultiSourceBandSplitRNNSimple as Peer
    else:
        from pymss_core.modules.bandit_v2.bandit import Bandit as Peer
    return Peer


def by_channel(peer, mix):
    """What a peer makes of each channel by itself: its first generation mistakes the second channel of stereo."""
    batch, channels, samples = mix.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about checkpoints of gradients
        estimates = run(peer, mix.reshape(batch * channels, 1, samples))
    return estimates.reshape(batch, channels, -1, samples).transpose(1, 2)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_another_implementation_agrees(generation, peer_class, variant):
    """Another implementation with the same random weights gives the same output."""
    torch.manual_seed(0)
    config = config_of(generation, **variant)
    peer = scrambled(peer_class(**next(iter(config.values())))).float()
    ours = twin(built(generation, **variant), peer)
    mix = noise(2, 2, 4200)
    reference = by_channel(peer, mix)
    assert reference.std() > 0.01
    torch.testing.assert_close(run(ours, mix), reference, atol=1e-4, rtol=0)


def test_normalising_means_the_window(generation):
    """The network sees a spectrum that is divided by the window's length as a vector, and gives it back undivided."""
    plain = scrambled(built(generation))
    normalised = twin(built(generation, normalized=True), plain)
    mix, length = noise(1, 2, 4200), float(torch.hann_window(512).square().sum().sqrt())
    torch.testing.assert_close(run(normalised, mix * length) / length, run(plain, mix), atol=1e-5, rtol=0)
    assert not torch.allclose(run(normalised, mix), run(plain, mix), atol=1e-5, rtol=0)


def test_window_of_the_checkpoint_is_used(generation):
    """The window is a tensor of the checkpoint, not one worked out."""
    net, mix = scrambled(built(generation)), noise(1, 2, 4200)
    before = run(net, mix)
    state = net.state_dict()
    state["stft.window"] = state["stft.window"].sqrt()
    net.load_state_dict(state)
    assert not torch.allclose(run(net, mix), before, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("sample_rate", "n_fft", "num_bands"), [(44100, 2048, 64), (48000, 4096, 48), (8000, 256, 8)])
def test_bands_are_those_of_another_implementation(sample_rate, n_fft, num_bands):
    """Edges and shares of the bands are another implementation's."""
    from pymss_core.modules.bandit.core.model.bsrnn.utils import MusicalBandsplitSpecification

    peer = MusicalBandsplitSpecification(nfft=n_fft, fs=sample_rate, n_bands=num_bands)
    bands = musical_bands(sample_rate, n_fft, num_bands)
    assert [(band.start, band.stop) for band in bands] == [tuple(edges) for edges in peer.get_band_specs()]
    for share, reference in zip(shares_of_bins(bands), peer.get_freq_weights(), strict=True):
        torch.testing.assert_close(torch.from_numpy(share), reference.float())


def test_public_size():
    """At the size of the public models, a network has their number of values."""
    public = {"n_bands": 64, "n_sqm_modules": 8, "emb_dim": 128, "rnn_dim": 256, "mlp_dim": 512, "n_fft": 2048}
    for name in GENERATIONS:
        with torch.device("meta"):
            net = built(name, **public, win_length=2048, hop_length=512)
        assert sum(parameter.numel() for parameter in net.parameters()) == 37_022_688


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"depth": 3}, "depth"),
        ({"stems": []}, "stems"),
        ({"rnn_type": "Transformer"}, "rnn_type"),
        ({"pad_mode": "circular"}, "pad_mode"),
        ({"win_length": 1024}, "win_length"),
        ({"n_fft": "many"}, "n_fft"),
        ({"hidden_activation": "ReLU"}, "hidden_activation"),
        ({"complex_mask": False}, "complex_mask"),
    ],
)
def test_a_wrong_value_is_refused_by_name(generation, wrong, key):
    """A value that no public network has is an error that names its key."""
    section = GENERATIONS[generation][2]
    with pytest.raises(ValueError, match=f"`{section}.{key}`"):
        built(generation, **wrong)


def test_bands_of_other_kinds_are_refused(generation):
    """Only networks with bands of musical width are public, and others would be split wrongly."""
    section, own = GENERATIONS[generation][2:]
    kind = next(key for key in own if key.startswith("band"))
    with pytest.raises(ValueError, match=f"`{section}.{kind}` must be musical"):
        built(generation, **{kind: "mel"})
