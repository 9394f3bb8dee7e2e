"""BS-PolarFormer against an independent implementation, key for key and stem for stem."""

from dataclasses import asdict, replace

import pytest
import torch
from roformer_case import largest_difference, noise, with_random_weights

from models.blocks import attention
from models.bs_polarformer import BSPolarFormer, BSPolarFormerParams
from utils.store.network_models import guess_type

PUBLIC = {"dim": 256, "depth": 12, "stereo": True, "time_transformer_depth": 1, "freq_transformer_depth": 1}


@pytest.fixture(scope="module")
def peer():
    """The class in `pymss-core`, written by others: a BS-RoFormer that is told so by an option."""
    from pymss_core.modules.bs_roformer import BSRoformer

    return BSRoformer


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"skip_connection": True, "depth": 3},
        {"mask_estimator_depth": 3, "time_transformer_depth": 2},
        {"stereo": False, "stft_normalized": True, "zero_dc": False},
    ],
    ids=lambda changes: "-".join(changes) or "tiny",
)
@pytest.mark.parametrize("samples", [320, 333])
def test_an_independent_implementation_agrees(peer, changes, samples):
    """With the same random weights, the network of `pymss-core` gives the same stems."""
    params = replace(BSPolarFormerParams.tiny(), **changes)
    net = with_random_weights(BSPolarFormer(params))
    options = asdict(params)
    options.pop("linear_transformer_depth")
    other = peer(**options).eval()
    other.load_state_dict(net.state_dict(), strict=True)
    mix = noise(2, params.channels, samples)
    with torch.inference_mode():
        ours = net(mix)
        assert float(ours.abs().max()) > 0.1
        assert largest_difference(ours, other(mix).reshape(ours.shape)) <= 1e-4


def test_full_size_keys_and_shapes(peer):
    """The public options give exactly the keys of the other implementation, and the size of the published file."""
    with torch.device("meta"):
        net = BSPolarFormer(BSPolarFormerParams.from_config({"model": {**PUBLIC, "use_pope": True}}))
        other = peer(**PUBLIC, use_pope=True)
    ours, theirs = (
        {key: (tensor.shape, tensor.dtype) for key, tensor in each.state_dict().items()} for each in (net, other)
    )
    assert ours == theirs
    # Of 97.7 MiB, in half precision.
    assert 2 * sum(map(torch.numel, net.parameters())) == pytest.approx(97.7 * 2**20, rel=0.01)


def test_learned_angles_stay_within_one_turn():
    """An angle below -2 pi counts as -2 pi, and one above zero as zero."""
    net = with_random_weights(BSPolarFormer(BSPolarFormerParams.tiny()))
    biases = [parameter for key, parameter in net.named_parameters() if key.endswith("pope_embed.bias")]
    assert len(biases) == 2  # all layers share those of an axis
    mix = noise(1, 2, 320)
    outputs = []
    for value in (0.0, 5.0, -7.0, -70.0):
        for bias in biases:
            bias.data.fill_(value)
        net.to("cpu")  # drops the tables
        with torch.inference_mode():
            outputs.append(net(mix))
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[2], outputs[3])
    assert not torch.equal(outputs[0], outputs[2])


def test_half_precision_on_a_cpu_takes_the_same_attention(monkeypatch):
    """Values narrower than keys pass through the products in parts as through the fused kernel."""
    net = with_random_weights(BSPolarFormer(BSPolarFormerParams.tiny()))
    monkeypatch.setattr(attention, "QUERIES", 4)
    mix = noise(1, 2, 333)
    with torch.inference_mode():
        exact = net(mix)
        with torch.autocast("cpu", torch.bfloat16):
            rough = net(mix)
    assert 0 < largest_difference(rough, exact) < 0.1 * float(exact.abs().max())


def test_an_option_tells_it_from_the_network_that_it_varies():
    """`use_pope` is enough; switched off, it is refused with the other type's name."""
    assert guess_type({"model": {**PUBLIC, "freqs_per_bands": [2], "use_pope": True}}) == "bs_polarformer"
    with pytest.raises(ValueError, match="bs_roformer"):
        BSPolarFormerParams.from_config({"model": {**PUBLIC, "use_pope": False}})
