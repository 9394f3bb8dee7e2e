"""The rule that mixes any number of channels."""

import numpy as np
import pytest

from utils.audio.channels import mix_channels, mixing_matrix


@pytest.mark.parametrize("target", [1, 2])
@pytest.mark.parametrize("source", range(1, 9))
def test_full_scale_stays_within_full_scale(source, target):
    """No input within full scale, whatever its signs, gives output beyond it; and the scale is fully used."""
    loudest = np.abs(mixing_matrix(source, target)).sum(axis=0)
    assert loudest.max() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("source", range(2, 9))
def test_left_and_right_are_treated_alike(source):
    """Both sides get the same gains in total."""
    matrix = mixing_matrix(source, 2)
    np.testing.assert_allclose(matrix[:, 0].sum(), matrix[:, 1].sum(), rtol=1e-6)
    assert matrix[0, 0] == matrix[1, 1] > 0
    assert matrix[0, 1] == matrix[1, 0] == 0


def test_mono_becomes_two_equal_channels():
    """Mono is doubled at its own level."""
    block = np.array([[0.5], [-1.0]], np.float32)
    np.testing.assert_array_equal(mix_channels(block, 2), [[0.5, 0.5], [-1.0, -1.0]])


def test_stereo_becomes_its_mean():
    """Mono from stereo is the mean of both channels."""
    np.testing.assert_allclose(mix_channels(np.array([[1.0, 0.5]], np.float32), 1), [[0.75]])


def test_what_fits_is_not_touched():
    """The block itself comes back where the number of channels is right."""
    block = np.zeros((3, 2), np.float32)
    assert mix_channels(block, 2) is block


def test_surround_follows_the_table():
    """5.1: centre and surrounds at -3 dB, no low-frequency channel, one common factor."""
    gains = np.array([[1, 0], [0, 1], [0.5**0.5, 0.5**0.5], [0, 0], [0.5**0.5, 0], [0, 0.5**0.5]])
    np.testing.assert_allclose(mixing_matrix(6, 2), gains / (1 + 2 * 0.5**0.5), rtol=1e-6)


def test_a_back_centre_enters_both_sides_lower():
    """6.1: the back centre is 6 dB down on each side, relative to the front."""
    matrix = mixing_matrix(7, 2)
    np.testing.assert_allclose(matrix[4], matrix[0, 0] * np.array([0.5, 0.5]), rtol=1e-6)


@pytest.mark.parametrize(("source", "target"), [(0, 2), (9, 2), (2, 3)])
def test_there_is_no_rule_for_other_numbers(source, target):
    """Numbers outside the table are refused."""
    with pytest.raises(ValueError, match="no rule"):
        mixing_matrix(source, target)
