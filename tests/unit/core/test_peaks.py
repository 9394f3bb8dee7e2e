"""Levels of songs and stems."""

import pytest

from utils.core.peaks import PeakRange


@pytest.mark.parametrize(("peak", "expected"), [(1.8, 0.9), (0.9, 0.9), (0.5, 0.5), (0.1, 0.4), (0.0, 0.0)])
def test_what_is_outside_comes_to_the_nearer_end(peak, expected):
    """What is within stays, and so does silence."""
    assert peak * PeakRange(0.4, 0.9).gain(peak) == pytest.approx(expected)
