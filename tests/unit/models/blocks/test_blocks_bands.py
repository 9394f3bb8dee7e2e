"""Bands to tokens and tokens to masks."""

import pytest
import torch

from models.blocks.bands import BandRun, BandSplit, MaskEstimator, runs_of_equal_width

WIDTHS = (4, 4, 4, 8, 12, 12)


def randomised(module):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    return module


@pytest.fixture
def estimator():
    return randomised(MaskEstimator(6, WIDTHS, hidden=10, linears=3))


def test_neighbours_of_one_width_form_a_run():
    """Runs keep the order of the bands, and equal widths apart from each other stay apart."""
    assert runs_of_equal_width((2, 2, 3, 2)) == (BandRun(0, 2, 2, 0), BandRun(2, 3, 3, 4), BandRun(3, 4, 2, 7))


def test_bands_become_tokens_as_their_own_layers_say():
    """The batched products give what each band's norm and layer give."""
    split = randomised(BandSplit(6, WIDTHS))
    x = torch.randn(2, 5, sum(WIDTHS), generator=torch.Generator().manual_seed(2))
    expected = torch.stack([layer(band) for layer, band in zip(split.to_features, x.split(WIDTHS, -1), strict=True)], 2)
    torch.testing.assert_close(split(x), expected)


@pytest.mark.parametrize("linears", [1, 2, 3])
def test_masks_are_the_same_band_by_band_and_all_at_once(linears):
    """The way for GPUs gives what the way for CPUs gives."""
    estimator = randomised(MaskEstimator(6, WIDTHS, hidden=10, linears=linears))
    x = torch.randn(2, 5, len(WIDTHS), 6, generator=torch.Generator().manual_seed(2))
    expected = estimator.one_by_one(x)
    assert expected.shape == (2, 5, sum(WIDTHS))
    torch.testing.assert_close(estimator.all_at_once(x), expected)


def test_a_mask_is_a_perceptron_and_a_gate(estimator):
    """A band's mask is written out here once."""
    x = torch.randn(1, 1, len(WIDTHS), 6, generator=torch.Generator().manual_seed(2))
    first, second, third = (estimator.to_freqs[3][0][index] for index in (0, 2, 4))
    value, gate = third(second(first(x[0, 0, 3]).tanh()).tanh()).chunk(2)
    torch.testing.assert_close(estimator(x)[0, 0, 12:20], value * gate.sigmoid())


def test_stacking_holds_no_weight_twice(estimator):
    """After the batched products the parameters are views of what is multiplied, with their values and names."""
    before = {key: tensor.clone() for key, tensor in estimator.state_dict().items()}
    with torch.inference_mode():
        estimator.all_at_once(torch.zeros(1, 1, len(WIDTHS), 6))
    after = estimator.state_dict()
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())
    storages = {tensor.untyped_storage().data_ptr() for key, tensor in after.items() if key.endswith("0.0.weight")}
    assert len(storages) == 1


def test_weights_changed_after_stacking_are_the_ones_used(estimator):
    """A change to a parameter is seen by both ways, since they share it."""
    x = torch.randn(1, 2, len(WIDTHS), 6, generator=torch.Generator().manual_seed(2))
    estimator.all_at_once(x)
    randomised(estimator)
    torch.testing.assert_close(estimator.all_at_once(x), estimator.one_by_one(x), rtol=1e-5, atol=1e-5)
