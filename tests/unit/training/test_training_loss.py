"""The errors in the training loss are the errors of the separated stems."""

import pytest
import torch

from models.mask_unet import MaskUnet, MaskUnetParams
from training.loop import exchanged, levelled
from training.loss import LEAST_ERROR, energies, loss_of, without_parts


@pytest.fixture
def net():
    torch.manual_seed(0)
    return MaskUnet(MaskUnetParams.tiny()).eval()


@pytest.fixture
def stems():
    return 0.1 * torch.randn(3, 4, 2, 4000, generator=torch.Generator().manual_seed(1))


def test_errors_are_those_of_the_separated_spectra(net, stems):
    """Errors computed from energies equal the summed energy of the difference of the spectra."""
    spectra = net.stft(stems)
    mix = spectra.sum(dim=1)
    with torch.no_grad():
        errors = energies(net, mix, spectra).errors(net.shares(mix))
        missed = net.masks(mix)[..., None] * mix[:, None] - spectra
    expected = missed.square().sum(dim=-1)[:, :, :, :-1].sum(dim=(2, 3))  # without the highest bin
    torch.testing.assert_close(errors.sum(dim=(2, 4)).transpose(1, 2), expected, rtol=1e-3, atol=1e-3)


def test_perfect_shares_cost_next_to_nothing(net, stems):
    """If only one stem sounds, the loss is least if it gets all of the mix, and greatest if it gets nothing."""
    stems[:, 1:] = 0
    wanted = energies(net, net.stft(stems.sum(dim=1)), net.stft(stems))
    right = torch.zeros(3, wanted.mix.shape[1], net.params.rows, 4, 2)
    right[..., 0, :] = 1
    wrong = 1 - right
    assert loss_of(right, wanted) < 2 * LEAST_ERROR**0.5
    assert loss_of(wrong, wanted) > 0.5


def test_the_loss_does_not_depend_on_loudness(net, stems):
    """Loud and soft examples have the same loss."""
    loud, soft = (
        loss_of(torch.full((1, 1, 1, 4, 2), 0.25), energies(net, net.stft(s.sum(dim=1)), net.stft(s)))
        for s in (stems, stems * 0.1)
    )
    assert loud == pytest.approx(float(soft), rel=1e-2)


def test_exchanged_stems_are_the_same_stems(stems):
    """Each kind keeps its stems in another order, and the orders of the kinds differ."""
    chance = torch.Generator().manual_seed(3)
    other, _ = exchanged(stems, torch.zeros(3, dtype=torch.bool), chance)
    for kind in range(4):
        assert sorted(other[:, kind].sum(dim=(1, 2)).tolist()) == pytest.approx(
            sorted(stems[:, kind].sum(dim=(1, 2)).tolist())
        )
    assert not torch.equal(other.sum(dim=1), stems.sum(dim=1))


def test_music_of_unknown_parts_stays_known_as_such(stems):
    """An example is merged if its `other` comes from a merged one."""
    chance = torch.Generator().manual_seed(4)
    merged = torch.tensor([True, False, False])
    for _ in range(5):
        moved, told = exchanged(stems, merged, chance)
        assert told.tolist() == [torch.equal(other, stems[0, 2]) for other in moved[:, 2]]


def test_parts_that_nobody_knows_are_not_judged(net, stems):
    """In a merged example the stems and shares of drums and bass are added to `other`; the rest is unchanged."""
    merged = torch.tensor([True, False, True])
    one = without_parts(stems, merged, dim=1)
    torch.testing.assert_close(one[merged, 2], stems[merged, :3].sum(dim=1))
    assert not one[merged, :2].any()
    assert torch.equal(one[~merged], stems[~merged])
    assert torch.equal(one[:, 3], stems[:, 3])

    mix = net.stft(stems.sum(dim=1))
    wanted = energies(net, mix, net.stft(without_parts(stems, merged, dim=1)))
    shares = torch.rand(3, wanted.mix.shape[1], net.params.rows, 4, 2, generator=torch.Generator().manual_seed(5))
    shares /= shares.sum(dim=3, keepdim=True)
    turned = shares.clone()
    turned[merged] = shares[merged][..., [2, 0, 1, 3], :]
    losses = [loss_of(without_parts(each, merged, dim=3), wanted) for each in (shares, turned)]
    assert losses[0] == pytest.approx(float(losses[1]), rel=1e-5)
    assert loss_of(without_parts(shares.flip(3), merged, dim=3), wanted) != pytest.approx(float(losses[0]), rel=1e-5)


def test_levels_come_near_those_of_the_engine(stems):
    """The mix has a standard deviation of about one, and the balance of the stems is unchanged."""
    even = levelled(stems, torch.Generator().manual_seed(0))
    gains = even / stems
    assert torch.allclose(gains, gains[:, :1, :1, :1].expand_as(gains), rtol=1e-3)
    assert (even.sum(dim=1).std(dim=(1, 2)).log2().abs() < 3).all()
