"""The unofficial SCNet against the training program's own network, key for key and stem for stem."""

from dataclasses import asdict, replace

import pytest
import torch
from networks import noise, run, scrambled, twin

from models.scnet_unofficial import ScnetUnofficial, ScnetUnofficialParams
from tools.fixtures.peers import network_of_msst

# What the published configuration says of layers that it does not use.
UNUSED = {"use_mamba": False, "d_state": 16, "d_conv": 4, "d_expand": 2}


@pytest.fixture(scope="module")
def peer():
    """The class in the training program."""
    return network_of_msst("scnet_unofficial.scnet", "SCNet")


def options_of(params):
    """The options of the peer, whose types are checked."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(params).items()} | UNUSED


@pytest.mark.parametrize(
    "changes",
    [{}, {"dims": (2, 4, 8, 12), "n_sources": 3, "n_rnn_layers": 4, "rnn_hidden_dim": 5, "stft_normalized": True}],
    ids=["tiny", "mono"],
)
@pytest.mark.parametrize("samples", [2047, 2048])
def test_the_training_programs_network_agrees(peer, changes, samples):
    """With the same random weights it gives the same output, whether or not the frames fit."""
    params = replace(ScnetUnofficialParams.tiny(), **changes)
    torch.manual_seed(0)
    other = scrambled(peer(**options_of(params)))
    net = twin(ScnetUnofficial(params), other)
    mix = noise(2, params.channels, samples)
    reference = run(other, mix)
    assert reference.std() > 0.001
    torch.testing.assert_close(run(net, mix), reference, atol=1e-4, rtol=0)


def test_full_size_keys_and_shapes(peer):
    """The published options give exactly the keys of the other implementation."""
    params = ScnetUnofficialParams()
    with torch.device("meta"):
        ours, theirs = ScnetUnofficial(params), peer(**options_of(params))
    assert {key: tensor.shape for key, tensor in ours.state_dict().items()} == {
        key: tensor.shape for key, tensor in theirs.state_dict().items()
    }


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"dims": [3, 8]}, "dims"),
        ({"dims": [4, 2]}, "dims"),
        ({"n_conv_modules": [1]}, "n_conv_modules"),
        ({"bandsplit_ratios": [0.2, 0.3, 0.4]}, "bandsplit_ratios"),
        ({"n_rnn_layers": 3}, "n_rnn_layers"),
        ({"win_length": 8192}, "win_length"),
        ({"n_fft": 2, "win_length": 2}, "bandsplit_ratios"),
        ({"use_mamba": True}, "use_mamba"),
    ],
)
def test_a_wrong_option_is_named(wrong, named):
    """A value that no network can have is refused with its option's name."""
    with pytest.raises(ValueError, match=f"`model.{named}`"):
        ScnetUnofficialParams.from_config({"model": wrong})
