"""Both generations of HyperACE against other implementations, key for key and stem for stem."""

import copy
from dataclasses import asdict, replace

import pytest
import torch
from networks import noise, run, scrambled
from torch import nn

from models.bs_roformer_hyperace import BSRoformerHyperAce, BSRoformerHyperAceParams
from models.bs_roformer_hyperace_v1 import BSRoformerHyperAceV1, BSRoformerHyperAceV1Params
from tools.fixtures.peers import roformer_of_splifft

pytestmark = pytest.mark.slow

# What the public configurations of both generations say of the network.
PUBLIC = {"dim": 256, "depth": 12, "stereo": True, "time_transformer_depth": 1, "freq_transformer_depth": 1}
# Small, but for the U-net's channels, which the other implementations fix.
SMALL = {"unet_channels": (64, 256, 384, 512, 768), "num_stems": 1, "depth": 1}
OURS = {"unet_channels", "linear_transformer_depth"}  # options that `pymss-core` lacks
V1_HEAD = {"kind": "hyperace_residual_v1"}
SAMPLES = 2000


@pytest.fixture(scope="module")
def peer():
    """The class in `pymss-core`, written by others."""
    from pymss_core.modules.bs_roformer import BSRoformerHyperACE

    return BSRoformerHyperACE


@pytest.fixture(scope="module")
def twins(peer):
    """A network of the second generation, and that of `pymss-core` with the same random weights."""
    net = quieter(scrambled(BSRoformerHyperAce(replace(BSRoformerHyperAceParams.tiny(), **SMALL))))
    other = peer(**{key: value for key, value in asdict(net.params).items() if key not in OURS}).eval()
    other.load_state_dict(net.state_dict(), strict=True)
    other.set_mask_mode("full")
    return net, other


def quieter(net):
    """The network with masks around 1, so that its stems are about as loud as the mix."""
    for estimator in net.mask_estimators:
        estimator.segm.upsample_head.final_conv.weight.data.mul_(0.1)
    return net


def norms(net):
    return [module for module in net.modules() if isinstance(module, nn.InstanceNorm2d)]


def shapes(net, without=()):
    return {key: tuple(tensor.shape) for key, tensor in net.state_dict().items() if not key.endswith(without)}


def assert_same_stems(net, other):
    mix = noise(1, 2, SAMPLES)
    ours = run(net, mix)
    assert 0.05 < ours.abs().max() < 2
    torch.testing.assert_close(ours, run(other, mix).reshape(ours.shape), atol=1e-4, rtol=0)


def test_second_generation_agrees(twins):
    """With the same random weights, the network of `pymss-core` gives the same stems."""
    assert_same_stems(*twins)


@pytest.mark.parametrize("frames", [1, 33])
def test_the_u_net_alone_agrees_to_the_last_digits(twins, frames):
    """In double precision, at any number of frames; with norms that do not amplify the rounding of a few equal points."""
    ours, theirs = (copy.deepcopy(net.mask_estimators[0].segm).double() for net in twins)
    assert {norm.eps for norm in norms(ours)} == {norm.eps for norm in norms(theirs)} == {1e-8}
    for norm in (*norms(ours), *norms(theirs)):
        norm.eps = 1e-2
    image = noise(2, 8, frames, 7).double()
    torch.testing.assert_close(run(ours, image), run(theirs, image), atol=1e-8, rtol=1e-8)


def test_first_generation_agrees():
    """With the same random weights, the network of `splifft` gives the same stems."""
    params = replace(BSRoformerHyperAceV1Params.tiny(), **SMALL)
    other = scrambled(roformer_of_splifft(params, SAMPLES, V1_HEAD))
    net = BSRoformerHyperAceV1(params).eval()
    unfit = net.load_state_dict(quieter(other.net).state_dict(), strict=False)
    assert not unfit.unexpected_keys
    assert all(key.endswith("rotary_embed.freqs") for key in unfit.missing_keys)
    assert_same_stems(net, other)


def test_full_size_keys_and_shapes_of_the_second_generation(peer):
    """The public options give exactly the keys of the other implementation, and the size of the published files."""
    with torch.device("meta"):
        net = BSRoformerHyperAce(BSRoformerHyperAceParams.from_config({"model": PUBLIC}))
        assert shapes(net) == shapes(peer(**PUBLIC, num_stems=1))
    assert 4 * sum(map(torch.numel, net.parameters())) == pytest.approx(288_724_430, rel=0.01)


def test_full_size_keys_and_shapes_of_the_first_generation():
    """As of the second, beside the frequencies of the positions, which the other implementation has in no file."""
    params = BSRoformerHyperAceV1Params.from_config({"model": PUBLIC})
    with torch.device("meta"):
        net = BSRoformerHyperAceV1(params)
    assert shapes(net, without="rotary_embed.freqs") == shapes(roformer_of_splifft(params, SAMPLES, V1_HEAD).net)
    assert 4 * sum(map(torch.numel, net.parameters())) == pytest.approx(274_890_855, rel=0.01)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"stereo": False}, "stereo"),
        ({"unet_channels": [64, 256, 384, 512]}, "unet_channels"),
        ({"unet_channels": [64, 256, 384, 512, 700]}, "unet_channels"),
    ],
)
def test_a_wrong_option_is_named(wrong, named):
    """A U-net that cannot be is refused with the option's name."""
    with pytest.raises(ValueError, match=named):
        BSRoformerHyperAceParams.from_config({"model": {**PUBLIC, **wrong}})
