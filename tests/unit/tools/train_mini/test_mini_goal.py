"""The errors that training counts are those that the stems would have."""

import pytest
import torch

from models.mask_unet import MaskUnet, MaskUnetParams
from tools.train_mini.goal import LEAST_ERROR, energies, loss_of
from tools.train_mini.training import exchanged, levelled


@pytest.fixture
def net():
    torch.manual_seed(0)
    return MaskUnet(MaskUnetParams.tiny()).eval()


@pytest.fixture
def stems():
    return 0.1 * torch.randn(3, 4, 2, 4000, generator=torch.Generator().manual_seed(1))


def test_errors_are_those_of_the_separated_spectra(net, stems):
    """Told from energies alone, they equal the difference of the spectra, summed up."""
    spectra = net.stft(stems)
    mix = spectra.sum(dim=1)
    with torch.no_grad():
        errors = energies(net, mix, spectra).errors(net.shares(mix))
        missed = net.masks(mix)[..., None] * mix[:, None] - spectra
    expected = missed.square().sum(dim=-1)[:, :, :, :-1].sum(dim=(2, 3))  # without the highest bin
    torch.testing.assert_close(errors.sum(dim=(2, 4)).transpose(1, 2), expected, rtol=1e-3, atol=1e-3)


def test_perfect_shares_cost_next_to_nothing(net, stems):
    """Where one stem is all there is, giving it everything is best, and the other way round is worst."""
    stems[:, 1:] = 0
    wanted = energies(net, net.stft(stems.sum(dim=1)), net.stft(stems))
    right = torch.zeros(3, wanted.mix.shape[1], net.params.rows, 4, 2)
    right[..., 0, :] = 1
    wrong = 1 - right
    assert loss_of(right, wanted) < 2 * LEAST_ERROR**0.5
    assert loss_of(wrong, wanted) > 0.5


def test_the_loss_does_not_depend_on_loudness(net, stems):
    """Examples count the same, loud or soft."""
    loud, soft = (
        loss_of(torch.full((1, 1, 1, 4, 2), 0.25), energies(net, net.stft(s.sum(dim=1)), net.stft(s)))
        for s in (stems, stems * 0.1)
    )
    assert loud == pytest.approx(float(soft), rel=1e-2)


def test_exchanged_stems_are_the_same_stems(stems):
    """Each kind keeps its stems, in another order, not the same order for all kinds."""
    chance = torch.Generator().manual_seed(3)
    other = exchanged(stems, chance)
    for kind in range(4):
        assert sorted(other[:, kind].sum(dim=(1, 2)).tolist()) == pytest.approx(
            sorted(stems[:, kind].sum(dim=(1, 2)).tolist())
        )
    assert not torch.equal(other.sum(dim=1), stems.sum(dim=1))


def test_levels_come_near_those_of_the_engine(stems):
    """The mix has a deviation of about one, and stems keep their relation to each other."""
    even = levelled(stems, torch.Generator().manual_seed(0))
    gains = even / stems
    assert torch.allclose(gains, gains[:, :1, :1, :1].expand_as(gains), rtol=1e-3)
    assert (even.sum(dim=1).std(dim=(1, 2)).log2().abs() < 3).all()
