"""Post-processing of masks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from package_separators import package_function

from utils.engine.families.vr.bands import Correction, read_layout
from utils.engine.families.vr.masks import MENDING_REACH, Sharpness, mend, mending_weights
from utils.engine.families.vr.package import band_parameters

LENGTHS = st.lists(st.tuples(st.integers(1, 150), st.integers(1, 90)), min_size=1, max_size=6)


def flags_of(lengths, begins_above):
    pieces = [np.repeat([True, False], pair) for pair in lengths]
    flags = np.concatenate(pieces)
    return flags if begins_above else np.concatenate(([False], flags))


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.booleans())
def test_mending_is_the_packages(lengths, begins_above):
    """Any pattern of long and short stretches is mended exactly as in the package."""
    flags = flags_of(lengths, begins_above)
    mask = np.where(flags, 0.6, 0.1)[None, None].repeat(2, 0).repeat(3, 1)
    expected = package_function("merge_artifacts")(mask.copy(), thres=0.5)
    own = mend(torch.from_numpy(mask), 0.5, (0, len(flags)))
    np.testing.assert_allclose(own.numpy(), expected, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(0, 400))
def test_mending_is_local(lengths, place):
    """Frames beyond the reach have no effect, so chunks can be mended one by one."""
    rest = np.zeros(2 * MENDING_REACH, dtype=bool)
    flags = np.concatenate([rest, flags_of(lengths, begins_above=True), rest])
    core = slice(MENDING_REACH + min(place, len(flags) - 2 * MENDING_REACH - 1), None)
    seen = flags[core.start - MENDING_REACH : core.start + 1 + MENDING_REACH]
    assert mending_weights(seen)[MENDING_REACH] == pytest.approx(mending_weights(flags)[core.start])


def test_frames_outside_the_song_are_ignored():
    """The mask outside the song neither ends a stretch nor extends it."""
    mask = torch.full((1, 2, 3, 100), 0.9)
    mended = mend(mask, 0.5, (20, 80))
    assert torch.equal(mended[..., :20], mask[..., :20])
    assert torch.equal(mended[..., 80:], mask[..., 80:])
    assert torch.equal(mended, mask)  # 60 frames are no long stretch
    assert (mend(mask, 0.5, (10, 90))[..., 10:40] == 1).all()


def layout(**changes):
    raw = dict(band_parameters("4band_v2")) | changes
    return read_layout(raw, "test", modern=False)


def test_zero_aggression_leaves_masks_unchanged():
    """An aggression of 0 leaves masks unchanged, whatever the stem."""
    assert Sharpness.of(0, "Vocals", layout()) is None


@pytest.mark.parametrize(("stem", "high"), [("Instrumental", 1.2), ("Vocals", 1.8)])
def test_aggression_is_reversed_for_stems_that_are_not_an_accompaniment(stem, high):
    """Above the split bin the exponent is 1 + 2a, or 2 - 2a; below it, the change is a third of that."""
    sharpness = Sharpness.of(10, stem, layout())
    assert sharpness.high == pytest.approx((high, high))
    assert sharpness.low == pytest.approx((1 + (high - 1) / 3,) * 2)
    mask = torch.full((1, 2, 200, 4), 0.5)
    made = sharpness.apply(mask)
    assert made[0, 0, sharpness.split_bin, 0] == pytest.approx(0.5**high)
    assert made[0, 0, sharpness.split_bin - 1, 0] == pytest.approx(0.5 ** sharpness.low[0])


def test_layouts_may_correct_each_channel():
    """A correction is added to the aggression of its channel."""
    corrected = layout(aggr_correction={"left": 0.1, "right": -0.1})
    assert corrected.correction == Correction(0.1, -0.1)
    assert Sharpness.of(10, "Instrumental", corrected).high == pytest.approx((1.3, 1.1))
