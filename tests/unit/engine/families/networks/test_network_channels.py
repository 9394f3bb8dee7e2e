"""The number of channels in stems: the network's, or those of a mono song."""

import numpy as np
import pytest
from network_case import member, read

from tools.fixtures.networks import write_network
from utils.core.requests import NetworkMember


@pytest.fixture
def mono(tmp_path):
    """A network with one channel in its configuration."""
    return write_network(tmp_path / "mono", "bs_roformer", name="mono", changes={"stereo": False})


def test_a_mono_network_leaves_a_mono_song_mono(case, mono):
    """Its stems have one channel, and so does the instrumental."""
    song = case.song(channels=1)
    _, stems = case.run(mono, song, stems=["vocals"], extract_instrumental=True)
    assert {stem.shape[0] for stem in stems.values()} == {1}
    np.testing.assert_allclose(stems["vocals"] + stems["instrumental"], read(song), atol=1e-6)


@pytest.mark.parametrize("channels", [2, 6])
def test_a_mono_network_gives_other_songs_two_channels(case, mono, channels):
    """Stereo songs stay stereo, and songs with more channels become stereo."""
    _, stems = case.run(mono, case.song(channels=channels))
    assert {stem.shape[0] for stem in stems.values()} == {2}


@pytest.mark.parametrize(("channels", "fields", "expected"), [(1, {}, 2), (1, {"channels": "source"}, 1)])
def test_a_stereo_network_makes_a_mono_song_stereo_unless_its_channels_are_requested(
    case, files, channels, fields, expected
):
    """With `"channels":"source"`, the stems are the mean of both channels."""
    song = case.song(channels=channels)
    _, stereo = case.run(files, song)
    _, stems = case.run(files, song, **fields)
    assert {stem.shape[0] for stem in stems.values()} == {expected}
    for name, stem in stems.items():
        np.testing.assert_allclose(stem.mean(axis=0), stereo[name].mean(axis=0), atol=1e-6)


def test_the_source_of_a_stereo_song_is_stereo(case, files):
    """`channels` has no effect on stereo songs."""
    song = case.song()
    _, usual = case.run(files, song)
    _, explicit = case.run(files, song, channels="source")
    for name, stem in usual.items():
        np.testing.assert_array_equal(stem, explicit[name])


def test_a_picture_of_a_mono_result(case, files):
    """The picture of a mono result is written like any other."""
    done, stems = case.run(files, case.song(channels=1), channels="source", report=True)
    assert done.report.endswith("report.png")
    assert {stem.shape[0] for stem in stems.values()} == {1}


@pytest.mark.parametrize(("partner", "expected"), [("mono", 1), ("stereo", 2)])
def test_an_ensemble_has_the_channels_of_its_members(case, tmp_path, mono, partner, expected):
    """The stems are mono only if all members are mono networks."""
    changes = {"changes": {"stereo": False}} if partner == "mono" else {}
    other = write_network(tmp_path / "other", "bs_roformer", name="other", seed=3, **changes)
    members = [NetworkMember(**member(files)) for files in (mono, other)]
    _, stems = case.run(song=case.song(channels=1), ensemble=members)
    assert {stem.shape[0] for stem in stems.values()} == {expected}
