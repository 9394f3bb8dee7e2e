"""Chunks for VR networks: they are inaudible, and memory does not grow with the song."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from vr_case import Toy, blocks, run, sdr_db, separated, song, toy_model

from utils.core.errors import InvalidRequest
from utils.engine.families.vr import patches
from utils.engine.families.vr.lanes import geometry_of, loudest_bin, vr_lanes
from utils.engine.families.vr.options import VrOptions
from utils.engine.families.vr.patches import geometry, plans
from utils.engine.pipeline.song import SongBuffer

pytestmark = pytest.mark.slow

SMALL = VrOptions(window_size=320)


@pytest.fixture(scope="module")
def model():
    return toy_model("3band_44100_mid", modern=True)


@pytest.mark.parametrize("options", [{"tta": True}, {"post_process": True, "post_process_threshold": 0.4}], ids=str)
def test_chunks_make_no_difference(model, options, monkeypatch):
    """Many small chunks give the same result as one large chunk, up to both ends."""
    samples = song(9)
    chosen = replace(SMALL, **options)
    whole = separated(model, chosen, samples)
    assert geometry_of(model, chosen).core * model.layout.hop > samples.shape[1]
    monkeypatch.setattr(patches, "SHARED_PATCHES", 1)
    assert sdr_db(whole, separated(model, chosen, samples)) > 100


def test_a_song_may_be_shorter_than_anything(model):
    """Even a few samples keep their number."""
    samples = song(1)[:, :1000]
    stems = separated(model, SMALL, samples)
    assert stems.shape == (2, 2, 1000)
    assert sdr_db(samples, stems.sum(axis=0)) > 15


def test_a_mask_and_the_rest_make_the_song():
    """With one band and no filter, both stems sum to the song, up to its last sample."""
    model = toy_model("1band_sr44100_hl512", modern=False)
    samples = song(2)[:, :80001]
    assert sdr_db(samples, separated(model, SMALL, samples).sum(axis=0)) > 35  # but for the topmost bin


def test_only_the_stems_that_are_needed_are_made(model):
    """A single stem equals the one computed along with the other."""
    samples = song(3)
    both = separated(model, SMALL, samples)
    np.testing.assert_array_equal(separated(model, SMALL, samples, needed=(1,))[0], both[1])


class Watched(SongBuffer):
    """Records the most that it ever kept."""

    most = 0

    def read(self, start, length, scale=None):
        samples = super().read(start, length, scale)
        Watched.most = max(Watched.most, self._kept.shape[1])
        return samples


def most_kept(model, seconds):
    samples = song(seconds)
    Watched.most, largest = 0, 0

    def sink(part):
        nonlocal largest
        largest = max(largest, part.rows.shape[-1])

    lanes = vr_lanes(model, SMALL, samples=samples.shape[1], loudest=1.0, needed=(0, 1))
    run(lanes, samples, sink=sink, kind=Watched)
    return Watched.most, largest, len(lanes)


def test_memory_does_not_grow_with_the_song():
    """The song buffer, the output backlog and the number of lanes stay bounded."""
    model = toy_model("1band_sr44100_hl1024", modern=True)
    kept, part, lanes = most_kept(model, 30)
    longer = most_kept(model, 60)
    assert kept < 30 * 44100
    assert longer[:2] == (kept, part)
    assert max(lanes, longer[2]) <= 4


def test_the_loudest_bin_is_that_of_the_whole_song(model):
    """The survey finds the maximum of the whole STFT, with blocks of any size."""
    samples = song(12)
    count = samples.shape[1]
    loudest = loudest_bin(model, blocks(samples), count)
    assert loudest == pytest.approx(loudest_bin(model, blocks(samples, 777), count))
    assert loudest_bin(model, blocks(2 * samples), count) == pytest.approx(2 * loudest)
    one_look = model.spectra.analyse(torch.from_numpy(np.pad(samples, ((0, 0), (16384, 16384)))), 32, count // 512)
    assert loudest == pytest.approx(float(one_look.spectrum.abs().max()))


def test_loudness_does_not_matter(model):
    """Networks get every song at the same level."""
    samples = song(3)
    stems = separated(model, SMALL, samples)
    assert sdr_db(0.1 * stems, separated(model, SMALL, (0.1 * samples).astype(np.float32))) > 80


def test_patches_outside_the_song_are_not_computed():
    """A chunk of many patches over a short song computes only the patches that overlap the song."""
    net = Counting(64)
    model = toy_model("1band_sr44100_hl512", modern=True, net=net)
    samples = song(2)  # 173 frames; a patch has 192
    separated(model, replace(SMALL, tta=True), samples)
    assert net.calls == 3


class Counting(Toy):
    calls = 0

    def predict_mask(self, magnitude):
        self.calls += 1
        return super().predict_mask(magnitude)


@pytest.mark.parametrize("size", [128, 100, 330, -16])
def test_unsupported_windows(model, size):
    """A window must be longer than its context and divisible by 16."""
    with pytest.raises(InvalidRequest, match="above 128 that is a multiple of 16") as caught:
        geometry_of(model, VrOptions(window_size=size))
    assert caught.value.field == "vr_window_size"


@pytest.mark.parametrize(
    ("field", "value"), [("aggression", 101), ("aggression", -101), ("post_process_threshold", 1.5)]
)
def test_options_out_of_range(field, value):
    """An error for a value out of range names its field."""
    with pytest.raises(InvalidRequest) as caught:
        VrOptions(**{field: value})
    assert caught.value.field == f"vr_{field}"


def test_every_frame_is_in_one_chunk():
    """The cores of all plans tile the song; only chunks near the ends have a location."""
    options = VrOptions(window_size=320, tta=True)
    sizes = geometry(options, hop=512, offset=64, multiple=16, tail=6, margin=6)
    found = list(plans(sizes, 44100 * 300))
    starts = [chunk.start for plan, _ in found for chunk in (plan[i] for i in range(len(plan)))]
    assert starts == [(number * sizes.core - sizes.tail) * 512 for number in range(len(starts))]
    assert [place is None for _, place in found] == [False, True, False, False][: len(found)]
    assert (len(starts) - 1) * sizes.core * 512 < 44100 * 300 <= len(starts) * sizes.core * 512
