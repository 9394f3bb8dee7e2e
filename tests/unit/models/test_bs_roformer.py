"""BS-RoFormer against the golden data, the public models' shapes and an independent implementation."""

from dataclasses import asdict, replace

import golden
import pytest
import torch
from roformer_case import largest_difference, noise, with_random_weights

from models.bs_roformer import SHARED_BIASES, BSRoformer, BSRoformerParams


@pytest.fixture(scope="module")
def peer():
    """The class of the same name in `pymss-core`, written by others."""
    from pymss_core.modules.bs_roformer import BSRoformer as Peer

    return Peer


@pytest.mark.parametrize("name", golden.case_names("bs_roformer"))
def test_golden_forward(name):
    """The reference's output for the reference's weights, in single precision."""
    case = golden.read_case(name)
    with torch.device("meta"):
        net = BSRoformer(BSRoformerParams.from_config(case.config))
    net.load_state_dict(case.state, strict=True, assign=True)
    with torch.inference_mode():
        assert golden.largest_difference(net(case.chunk), case.output) <= golden.TOLERANCE


@pytest.mark.parametrize("name", golden.full_size_names("bs_roformer"))
def test_full_size_keys_and_shapes(name):
    """A public model's configuration gives exactly its checkpoint's keys and shapes."""
    with torch.device("meta"):
        net = BSRoformer(BSRoformerParams.from_config(golden.full_size_config(name)))
    assert golden.shapes(net) == golden.full_size_shapes(name)
    assert sum(parameter.numel() for parameter in net.parameters()) == golden.full_size_value_count(name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"zero_dc": False},
        {"skip_connection": True, "depth": 3},
        {"use_shared_bias": True},
        {"mask_estimator_depth": 1},
        {"mask_estimator_depth": 3, "time_transformer_depth": 2},
        {"stereo": False, "stft_normalized": True, "stft_win_length": 48},
    ],
    ids=lambda changes: "-".join(changes) or "tiny",
)
def test_an_independent_implementation_agrees(peer, changes):
    """With the same random weights, the network of `pymss-core` gives the same stems."""
    params = replace(BSRoformerParams.tiny(), **changes)
    net = with_random_weights(BSRoformer(params))
    options = asdict(params)
    options.pop("linear_transformer_depth")
    other = peer(**options).eval()
    other.load_state_dict(net.state_dict(), strict=True)
    mix = noise(2, params.channels, 320)
    with torch.inference_mode():
        ours = net(mix)
        assert float(ours.abs().max()) > 0.1
        assert largest_difference(ours, other(mix).reshape(ours.shape)) <= 1e-4


@pytest.fixture
def shared():
    """A network with shared biases."""
    return with_random_weights(BSRoformer(replace(BSRoformerParams.tiny(), use_shared_bias=True)))


def test_shared_biases_matter(shared):
    """The two shared biases change the stems."""
    mix = noise(1, 2, 320)
    with torch.inference_mode():
        before = shared(mix)
        shared.linear_62_bias_0.zero_()
        between = shared(mix)
        shared.linear_64_bias_0.zero_()
        after = shared(mix)
    assert largest_difference(before, between) > 1e-3
    assert largest_difference(between, after) > 1e-3


def test_files_may_leave_out_the_repeats_of_shared_biases(shared):
    """A file that holds each shared bias once loads as one that repeats it under every layer."""
    full = shared.state_dict()
    short = {key: tensor for key, tensor in full.items() if not key.endswith(tuple(SHARED_BIASES))}
    assert len(short) < len(full)
    with torch.device("meta"):
        net = BSRoformer(shared.params)
    net.load_state_dict(short, strict=True, assign=True)
    assert net.complete_state(short).keys() == full.keys()
    mix = noise(1, 2, 320)
    with torch.inference_mode():
        assert torch.equal(net(mix), shared(mix))


def test_without_shared_biases_a_file_is_complete_as_it_is():
    """Completing a state dict that lacks nothing adds nothing."""
    net = BSRoformer(BSRoformerParams.tiny())
    assert net.complete_state(net.state_dict()).keys() == net.state_dict().keys()


def test_bands_have_to_cover_every_bin():
    """Bands that end before the last bin are refused."""
    with pytest.raises(ValueError, match="freqs_per_bands"):
        replace(BSRoformerParams.tiny(), freqs_per_bands=(2, 2))
