"""Apollo against reference data, the public models' shapes, and another implementation."""

import golden
import pytest
import torch
from networks import noise, run, scrambled, tiny, twin

from models.apollo import ApolloNetwork, ApolloNetworkParams

MODEL = {"sr": 44100, "win": 20, "feature_dim": 16, "layer": 1}
VARIANTS = {
    "public settings": {},
    "two wide layers": {"layer": 2, "feature_dim": 32},
    "another rate": {"sr": 48000},
    "another window": {"win": 40},
}


@pytest.mark.parametrize("name", golden.case_names("apollo"))
def test_golden_forward(name):
    """The reference weights give the reference output."""
    case = golden.read_case(name)
    net = ApolloNetwork(ApolloNetworkParams.from_config(case.config)).eval()
    net.load_state_dict(case.state)
    assert golden.largest_difference(run(net, case.chunk), case.output) <= golden.TOLERANCE


@pytest.mark.parametrize("name", golden.full_size_names("apollo"))
def test_full_size_keys_and_shapes(name):
    """A network built from a public configuration has exactly the public checkpoint's tensors."""
    with torch.device("meta"):
        net = ApolloNetwork(ApolloNetworkParams.from_config(golden.full_size_config(name)))
    assert golden.shapes(net) == golden.full_size_shapes(name)


@pytest.fixture
def peer_class():
    from pymss_core.modules.look2hear.apollo import Apollo as PeerApollo

    return PeerApollo


@pytest.mark.parametrize(
    ("variant", "samples"), [(variant, 6000) for variant in VARIANTS] + [("public settings", 6174)]
)
def test_another_implementation_agrees(peer_class, variant, samples):
    """Another implementation with the same random weights gives the same output."""
    model = MODEL | VARIANTS[variant]
    torch.manual_seed(0)
    peer = scrambled(peer_class(**model))
    ours = twin(ApolloNetwork(ApolloNetworkParams.from_config({"model": model})), peer)
    mix = noise(2, 2, samples)
    reference = run(peer, mix)
    assert reference.std() > 0.01
    torch.testing.assert_close(run(ours, mix)[:, 0], reference, atol=1e-4, rtol=0)


def test_the_stored_rotary_tables_are_the_ones_in_use():
    """Attention turns its queries and keys by the checkpoint's tables, not by tables of its own."""
    net, mix = tiny("apollo"), noise(1, 2, 4000)
    before = run(net, mix)
    state = net.state_dict()
    net.load_state_dict(state | {"net.0.band_net.cos_freq": -state["net.0.band_net.sin_freq"]})
    assert not torch.allclose(run(net, mix), before, atol=1e-5)


def test_audio_channels_are_restored_independently():
    """Changing one channel does not change the other."""
    net, mix = tiny("apollo"), noise(1, 2, 4000)
    changed = torch.stack((mix[:, 0], mix[:, 1].flip(-1)), dim=1)
    first, second = run(net, mix), run(net, changed)
    torch.testing.assert_close(first[:, :, 0], second[:, :, 0], atol=1e-6, rtol=0)
    assert not torch.allclose(first[:, :, 1], second[:, :, 1], atol=1e-3)


def test_band_widths_cover_all_bins():
    """The public window has 79 bands of 5 bins, and one with the other 47 of its 442."""
    widths = ApolloNetworkParams().band_widths
    assert widths == [5] * 79 + [47]


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"layers": 6}, "model.layers"),
        ({"layer": 0}, "model.layer"),
        ({"feature_dim": 100}, "model.feature_dim"),
        ({"win": 1}, "model.win"),
        ({"win": "20"}, "model.win"),
        ({"sr": None}, "model.sr"),
    ],
)
def test_a_wrong_value_is_refused_by_name(wrong, key):
    """A value that no network can have is an error that names its key."""
    with pytest.raises(ValueError, match=f"`{key}`"):
        ApolloNetworkParams.from_config({"model": MODEL | wrong})
