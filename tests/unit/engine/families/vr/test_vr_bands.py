"""Band parameters: those of the package can be read, inconsistent ones are refused."""

import pytest

from utils.core.errors import ConfigInvalid
from utils.engine.families.vr.bands import read_layout, stacked_gains
from utils.engine.families.vr.package import band_parameters

NAMES = (
    *("1band_sr16000_hl512", "1band_sr32000_hl512", "1band_sr33075_hl384", "1band_sr44100_hl1024"),
    *("1band_sr44100_hl256", "1band_sr44100_hl512", "1band_sr44100_hl512_cut", "1band_sr44100_hl512_nf1024"),
    *("2band_32000", "2band_44100_lofi", "2band_48000", "3band_44100", "3band_44100_mid", "3band_44100_msb2"),
    *("4band_44100", "4band_44100_mid", "4band_44100_msb", "4band_44100_msb2", "4band_44100_sw", "4band_v2"),
    *("4band_v2_sn", "4band_v3", "4band_v3_sn", "4band_v4_ms_fullband", "ensemble"),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_layout_of_the_package(name):
    """Each file is a valid layout, and its highest band has the song's rate."""
    layout = read_layout(band_parameters(name), name, modern=False)
    assert layout.sample_rate == band_parameters(name)["sr"]
    assert [layout.ratio(index) for index in range(len(layout.bands))] == sorted(
        (layout.ratio(index) for index in range(len(layout.bands))), reverse=True
    )
    assert stacked_gains(layout).shape == (layout.bins + 1,)


def test_songs_that_run_backwards():
    """The one unsupported layout, which no public model uses, has an error that explains why."""
    with pytest.raises(ConfigInvalid, match="backwards"):
        read_layout(band_parameters("4band_44100_reverse"), "4band_44100_reverse", modern=False)


def test_an_unknown_name():
    """The error suggests similar names."""
    with pytest.raises(ConfigInvalid, match="Did you mean: 4band_v3") as caught:
        band_parameters("4band_v33")
    assert caught.value.field == "vr_model_param"


def changed(**changes):
    """Parameters with two bands, with changes to the first."""
    raw = dict(band_parameters("2band_32000"))
    return raw | {"band": {**raw["band"], "1": {**raw["band"]["1"], **changes}}}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"sr": 44100, "band": {}, "bins": 5}, "lack bins or bands"),
        ({"sr": 44100, "bins": 5}, "malformed"),
        (changed(hl=65), "another duration"),
        (changed(hl=600), "gaps"),
        (changed(crop_stop=300), "no such bins"),
        (changed(lpf_start=-1), "does not fade out"),
        (changed(convert_channels="upside_down"), "unknown `convert_channels`, `upside_down`"),
        (dict(band_parameters("2band_32000")) | {"bins": 400}, "more bins than the network"),
        (dict(band_parameters("1band_sr44100_hl512_cut")), "ends before it begins"),
    ],
)
def test_contradictions(raw, problem):
    """Inconsistent parameters are an error before anything is computed."""
    with pytest.raises(ConfigInvalid, match=problem):
        read_layout(raw, "mine", modern=True)


@pytest.mark.parametrize(
    "changes", [{"band": {"abc": {}}}, {"bins": 10**9}, {"sr": 0}, {"band": {str(index): {} for index in range(100)}}]
)
def test_numbers_and_names_beyond_those_of_any_layout(changes):
    """They are malformed, before anything is made of them."""
    raw = {**band_parameters("4band_v3"), **changes}
    with pytest.raises(ConfigInvalid, match="`mine` are malformed"):
        read_layout(raw, "mine", modern=False)
