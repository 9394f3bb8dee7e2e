"""Conv-TasNet against an independent implementation, key for key and stem for stem."""

from dataclasses import asdict, replace

import pytest
import torch
from networks import noise, run, scrambled, twin

from models.tasnet import Tasnet, TasnetParams
from utils.store.network_models import guess_type


@pytest.fixture(scope="module")
def peer():
    """The class in `pymss-core`, written by others."""
    from pymss_core.modules.legacy_demucs import LegacyConvTasNet

    return LegacyConvTasNet


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"audio_channels": 1, "sources": ("a", "b", "c")},
        {"norm_type": "cLN", "causal": True, "P": 4},
        {"norm_type": "BN", "mask_nonlinear": "softmax", "L": 9},
    ],
    ids=lambda changes: "-".join(changes) or "tiny",
)
@pytest.mark.parametrize("samples", [12, 1000, 1003])
def test_an_independent_implementation_agrees(peer, changes, samples):
    """With the same random weights, the network of `pymss-core` gives the same stems."""
    params = replace(TasnetParams.tiny(), **changes)
    torch.manual_seed(0)
    other = scrambled(peer(**asdict(params)))
    net = twin(Tasnet(params), other)
    mix = noise(2, params.channels, samples)
    reference = run(other, mix)
    assert reference.std() > 0.01
    torch.testing.assert_close(run(net, mix), reference, atol=1e-4, rtol=0)


def test_full_size_keys_and_shapes(peer):
    """The published options give the keys of the other implementation, and the size of the published file."""
    with torch.device("meta"):
        ours, theirs = Tasnet(TasnetParams(X=10)), peer(sources=4, X=10)
    assert {key: tensor.shape for key, tensor in ours.state_dict().items()} == {
        key: tensor.shape for key, tensor in theirs.state_dict().items()
    }
    assert 4 * sum(map(torch.numel, ours.parameters())) == pytest.approx(44_035_981, rel=0.01)


def test_masks_of_a_softmax_need_all_heads():
    """With some stems only, they are what they are among all."""
    net = scrambled(Tasnet(replace(TasnetParams.tiny(), mask_nonlinear="softmax", sources=("a", "b", "c"))))
    mix = noise(1, 2, 500)
    torch.testing.assert_close(run(net, mix, stems=[2, 0]), run(net, mix)[:, [2, 0]], atol=1e-6, rtol=0)


def test_it_is_told_by_either_file():
    """By an option that nothing else has, or by its keys."""
    assert guess_type({"model": {"sources": ["a"], "mask_nonlinear": "relu"}}) == "tasnet"
    assert guess_type({"model": {}}, Tasnet(TasnetParams.tiny()).state_dict()) == "tasnet"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"L": 1}, "L"),
        ({"P": 4}, "P"),
        ({"X": 21}, "X"),
        ({"norm_type": "LN"}, "norm_type"),
        ({"mask_nonlinear": "tanh"}, "mask_nonlinear"),
        ({"C": 4}, "C"),
    ],
)
def test_a_wrong_option_is_named(wrong, named):
    """A value that no network can have is refused with its option's name."""
    with pytest.raises(ValueError, match=f"`model.{named}`"):
        TasnetParams.from_config({"model": wrong})
