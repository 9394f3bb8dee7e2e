"""BS-RoFormer with transformers in its mask estimators, against an independent implementation."""

from dataclasses import replace

import pytest
import torch
from networks import noise, run, scrambled

from models.bs_roformer_axial import BSRoformerAxial, BSRoformerAxialParams
from tools.fixtures.peers import roformer_of_splifft

PUBLIC = {"dim": 256, "depth": 12, "stereo": True, "time_transformer_depth": 1, "freq_transformer_depth": 1}
SAMPLES = 1000
# The other implementation fixes their heads.
LIKE_PUBLIC = {"axial_refiner_heads": 8, "axial_refiner_dim_head": 64}


def head(params):
    return {"kind": "axial_refiner_large_v2", "axial_refiner_depth": params.axial_refiner_depth}


@pytest.mark.parametrize("changes", [{}, {"axial_refiner_depth": 3, "num_stems": 1}], ids=["tiny", "deeper"])
def test_an_independent_implementation_agrees(changes):
    """With the same random weights, the network of `splifft` gives the same stems."""
    params = replace(BSRoformerAxialParams.tiny(), **LIKE_PUBLIC, **changes)
    other = scrambled(roformer_of_splifft(params, SAMPLES, head(params)))
    net = BSRoformerAxial(params).eval()
    unfit = net.load_state_dict(other.net.state_dict(), strict=False)
    assert not unfit.unexpected_keys
    assert all(key.endswith("rotary_embed.freqs") for key in unfit.missing_keys)
    mix = noise(2, 2, SAMPLES)
    ours = run(net, mix)
    assert ours.std() > 0.01
    torch.testing.assert_close(ours, run(other, mix), atol=1e-4, rtol=0)


def test_full_size_keys_and_shapes():
    """The public options give the keys of the other implementation, and the size of the published file."""
    params = BSRoformerAxialParams.from_config({"model": PUBLIC})
    with torch.device("meta"):
        net = BSRoformerAxial(params)
    ours, theirs = (
        {
            key: tuple(tensor.shape)
            for key, tensor in each.state_dict().items()
            if not key.endswith("rotary_embed.freqs")
        }
        for each in (net, roformer_of_splifft(params, SAMPLES, head(params)).net)
    )
    assert ours == theirs
    assert 4 * sum(map(torch.numel, net.parameters())) == pytest.approx(238_214_371, rel=0.01)


def test_layers_of_a_head_share_their_positions():
    """The frequencies of the positions appear under every layer, but are two tensors for each stem."""
    net = BSRoformerAxial(replace(BSRoformerAxialParams.tiny(), axial_refiner_depth=3))
    named = dict(net.mask_estimators.named_parameters(remove_duplicate=False))
    freqs = [parameter for key, parameter in named.items() if key.endswith("freqs")]
    assert (len(freqs), len(set(map(id, freqs)))) == (12, 4)


def test_a_wrong_option_is_named():
    """Positions need pairs of values."""
    with pytest.raises(ValueError, match="axial_refiner_dim_head"):
        BSRoformerAxialParams.from_config({"model": {**PUBLIC, "axial_refiner_dim_head": 3}})
