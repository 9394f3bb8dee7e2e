"""Networks as the audio-separator package runs them: its stems, windows and levels."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from network_case import RATE, read

from tools.fixtures.networks import write_network
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.package_request import PackageSeparate
from utils.core.settings import Settings
from utils.engine.families.networks.package import (
    overlaps_of,
    package_offer,
    plan_alike,
    plan_to_end,
    window_samples,
)
from utils.engine.programs import make_engine
from utils.store.package_catalogue import record_of


@given(total=st.integers(1, 3000), chunk=st.integers(2, 700), overlaps=st.integers(1, 8))
def test_windows_end_with_the_song_and_sum_to_one(total, chunk, overlaps):
    """None is beyond the end, and every sample is restored."""
    plan = plan_to_end(total, chunk=chunk, hop=max(1, chunk // overlaps))
    chunks = [plan[index] for index in range(len(plan))]
    assert chunks[-1].start + chunks[-1].length == total
    assert {one.length for one in chunks} == {min(chunk, total)}
    assert [one.start for one in chunks] == sorted({one.start for one in chunks})
    weights = np.zeros(total)
    for one in chunks:
        weights[one.start : one.start + one.length] += plan.weights(one.number)
    np.testing.assert_allclose(weights, 1.0, atol=1e-5)


@given(total=st.integers(1, 3000), hop=st.integers(1, 90), overlaps=st.integers(1, 8))
def test_windows_that_are_all_alike(total, hop, overlaps):
    """As many cover every sample, from the first to the last."""
    plan = plan_alike(total, chunk=hop * overlaps, hop=hop)
    covering = np.zeros(total)
    for one in (plan[index] for index in range(len(plan))):
        covering[max(one.start, 0) : max(one.start + one.length, 0)] += 1
    assert set(covering) == {overlaps}


@pytest.mark.parametrize(
    ("seconds", "fields", "window_frames", "expected"),
    [
        (60, {}, 801, 441 * 800),
        (60, {}, None, 352_801),
        (60, {"mdxc_override_model_segment_size": True}, 801, 441 * 255),
        (9, {}, 801, 441 * 255),
        (9, {"mdxc_segment_size": 101}, 801, 441 * 100),
    ],
)
def test_the_length_of_windows(seconds, fields, window_frames, expected):
    """Of long songs the model's own, unless that is overridden, as it is for short ones."""
    inference = SimpleNamespace(sample_rate=RATE, hop=441, window_frames=window_frames, chunk=352_801)
    assert window_samples(seconds * RATE, inference, PackageSeparate(**fields)) == expected


def test_the_number_of_windows():
    """As the request says, or the configuration, or 8."""
    assert overlaps_of(SimpleNamespace(overlaps=4), PackageSeparate(mdxc_overlap=2)) == 2
    assert overlaps_of(SimpleNamespace(overlaps=4), PackageSeparate()) == 4
    assert overlaps_of(SimpleNamespace(overlaps=None), PackageSeparate()) == 8


@pytest.mark.parametrize(
    ("file", "own", "expected"),
    [
        ("model_bs_roformer_ep_317_sdr_12.9755.ckpt", ("vocals", "other"), ["Vocals", "Instrumental"]),
        ("model_bs_roformer_ep_937_sdr_10.5309.ckpt", ("other", "vocals"), ["No Drum-Bass", "Drum-Bass"]),
        ("melband_roformer_big_beta6.ckpt", ("vocals", "other"), ["vocals", "other"]),
    ],
)
def test_stems_of_known_networks_have_the_packages_names(file, own, expected):
    """Which are those of the configurations that it fetches."""
    (target, rest), source = own, SimpleNamespace(record=record_of(file))
    offer = package_offer(SimpleNamespace(instruments=(target,), rest=rest, source=source), PackageSeparate())
    assert offer.select(stems=None, two_stems=None).names == expected


# Whole songs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_network(folder, "mdx23c", name="pair")
    write_network(folder, "mdx23c", name="four", stems=("drums", "bass", "other", "vocals"))
    write_network(folder, "mdx23c", name="alone", stems=("Vocals", "Instrumental"), target="Vocals")
    engine = make_engine("audio-separator", Settings(models_dir=folder, device="cpu", threads=1))
    engine.start()
    yield engine
    engine.close()


@pytest.fixture
def separate(engine, tmp_path):
    """Separates noise of this peak; returns the stems, and the song."""

    def run(peak=0.05, **fields):
        song = np.random.default_rng(0).uniform(-peak, peak, (RATE // 2, 2))
        soundfile.write(tmp_path / "song.wav", song, RATE, subtype="FLOAT")
        fields = {"format": "wav", "pcm_type": "FLOAT", "label": "net", "output": str(tmp_path / "out"), **fields}
        done = engine.separate(PackageSeparate(input=str(tmp_path / "song.wav"), **fields), Job())
        return {name: read(path) for name, path in done.paths.items()}, song.T

    return run


def test_a_network_with_one_target_gives_the_rest_too(separate):
    """Both add up to the song; each is given alone if it is asked for."""
    stems, song = separate(model="alone.ckpt")
    assert list(stems) == ["Instrumental", "Vocals"]
    np.testing.assert_allclose(sum(stems.values()), song, atol=1e-5)
    assert list(separate(model="alone.ckpt", single_stem="instrumental")[0]) == ["Instrumental"]
    with pytest.raises(InvalidRequest, match="no stem `Drums`"):
        separate(model="alone.ckpt", single_stem="Drums")


def test_stems_are_neither_louder_nor_quieter_than_asked(separate):
    """Each by itself."""
    stems, _ = separate(model="alone.ckpt", peak=1.0, normalization=0.25)
    assert all(np.abs(stem).max() <= 0.25 + 1e-6 for stem in stems.values())
    stems, _ = separate(model="alone.ckpt", peak=0.01, amplification=0.4)
    assert all(np.abs(stem).max() >= 0.4 - 1e-6 for stem in stems.values())


def test_an_ensemble_has_the_stems_of_all(separate):
    """Those of the same name become one, and what only one has stays; weights count in averages."""
    pair, _ = separate(model="pair.ckpt")
    four, _ = separate(model="four.ckpt")
    both, _ = separate(ensemble=["pair.ckpt", "four.ckpt"], ensemble_weights=[1.0, 3.0])
    assert list(both) == ["Instrumental", "Vocals", "Drums", "Bass", "Other"]
    np.testing.assert_allclose(both["Vocals"], (pair["vocals"] + 3 * four["vocals"]) / 4, atol=1e-5)
    np.testing.assert_allclose(both["Instrumental"], pair["other"], atol=1e-5)
    np.testing.assert_allclose(both["Other"], four["other"], atol=1e-5)
    wanted, _ = separate(ensemble=["pair.ckpt", "four.ckpt"], single_stem="bass", ensemble_algorithm="max_fft")
    np.testing.assert_allclose(wanted["Bass"], four["bass"], atol=1e-5)
    with pytest.raises(InvalidRequest, match="they have Instrumental, Vocals, Drums"):
        separate(ensemble=["pair.ckpt", "four.ckpt"], single_stem="Piano")


def test_the_quietest_member_of_an_ensemble(separate):
    """For each channel the one whose whole stem is quietest."""
    singles = [separate(model=name)[0]["vocals"] for name in ("pair.ckpt", "four.ckpt")]
    both, _ = separate(ensemble=["pair.ckpt", "four.ckpt"], ensemble_algorithm="ensemble_wav")
    for channel, found in enumerate(both["Vocals"]):
        expected = min((single[channel] for single in singles), key=lambda samples: np.abs(samples).mean())
        np.testing.assert_allclose(found, expected, atol=1e-5)
