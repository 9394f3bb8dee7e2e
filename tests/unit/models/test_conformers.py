"""The conformers of both band splits against two other implementations, and how they are told from their relatives."""

import warnings
from dataclasses import asdict, replace

import pytest
import torch
from roformer_case import largest_difference, noise, with_random_weights

from models.bs_conformer import BSConformer, BSConformerParams
from models.mel_band_conformer import MelBandConformer, MelBandConformerParams
from tools.fixtures.peers import network_of_msst
from utils.store.network_models import guess_type

KINDS = {
    "bs_conformer": (BSConformer, BSConformerParams, "BSConformer"),
    "mel_band_conformer": (MelBandConformer, MelBandConformerParams, "MelBandConformer"),
}
PUBLIC = {"dim": 128, "depth": 4, "stereo": True, "time_conformer_depth": 1, "freq_conformer_depth": 1}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def random_network(kind, **changes):
    network, params, _ = KINDS[kind]
    net = with_random_weights(network(replace(params.tiny(), **changes)))
    generator = torch.Generator().manual_seed(5)
    for key, buffer in net.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return net


def options(params, *unknown):
    """The options as configurations name them, without those that a peer lacks."""
    return {params.option(name): value for name, value in asdict(params).items() if params.option(name) not in unknown}


def assert_same_stems(net, other):
    other.eval().load_state_dict(net.state_dict(), strict=True)
    mix = noise(2, net.params.channels, 320)
    with torch.inference_mode():
        ours = net(mix)
        assert float(ours.abs().max()) > 0.1
        assert largest_difference(ours, other(mix).reshape(ours.shape)) <= 1e-4


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"conv_kernel_size": 7, "ff_mult": 3, "conv_expansion_factor": 1},
        {"skip_connection": True, "depth": 3, "mask_estimator_depth": 2},
        {"stereo": False, "time_transformer_depth": 2, "zero_dc": False},
    ],
    ids=lambda changes: "-".join(changes) or "tiny",
)
def test_an_independent_implementation_agrees(kind, changes):
    """With the same random weights, the network of `pymss-core` gives the same stems."""
    from pymss_core.modules import bs_roformer

    net = random_network(kind, **changes)
    unknown = ("linear_conformer_depth", "match_input_audio_length")
    other = getattr(bs_roformer, KINDS[kind][2])(**options(net.params, *unknown))
    assert_same_stems(net, other)


@pytest.mark.parametrize("linear", [0, 1])
def test_the_training_programs_network_agrees(kind, linear):
    """So does the network that the training program builds, which can also have linear attention."""
    net = random_network(kind, linear_transformer_depth=linear)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it runs an STFT without a window
        other = network_of_msst(f"bs_roformer.{kind}", KINDS[kind][2])(
            **options(net.params, "use_shared_bias"), flash_attn=False
        )
    assert_same_stems(net, other)


def test_full_size_keys_and_shapes(kind):
    """The defaults of the public program give exactly its keys."""
    from pymss_core.modules import bs_roformer

    network, params, name = KINDS[kind]
    other = getattr(bs_roformer, name)(**PUBLIC, num_stems=4)
    with torch.device("meta"):
        net = network(params.from_config({"model": {**PUBLIC, "num_stems": 4, "conv_dropout": 0.1}}))
    ours, theirs = ({key: tensor.shape for key, tensor in each.state_dict().items()} for each in (net, other))
    assert ours == theirs


def test_depths_have_their_own_names(kind):
    """An option of the transformers is unknown here, and a wrong one is called as in the configuration."""
    params = KINDS[kind][1]
    with pytest.raises(ValueError, match="time_transformer_depth"):
        params.from_config({"model": {**PUBLIC, "time_transformer_depth": 1}})
    with pytest.raises(ValueError, match="freq_conformer_depth"):
        params.from_config({"model": {**PUBLIC, "freq_conformer_depth": 0}})
    with pytest.raises(ValueError, match="conv_kernel_size"):
        params.from_config({"model": {**PUBLIC, "conv_kernel_size": 4}})


@pytest.mark.parametrize(
    ("model", "keys", "expected"),
    [
        ({"num_bands": 60, "time_conformer_depth": 1}, (), "mel_band_conformer"),
        ({"freqs_per_bands": [2], "freq_conformer_depth": 1}, (), "bs_conformer"),
        ({}, ["layers.0.0.layers.0.conv.net.0.gamma", "final_norm.gamma"], "bs_conformer"),
    ],
)
def test_they_are_told_from_each_other_by_their_bands(model, keys, expected):
    """What makes it a conformer is the same in both."""
    assert guess_type({"model": model}, keys) == expected
