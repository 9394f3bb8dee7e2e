"""Whole songs give the same stems through the chunk loop and through the audio-separator package."""

import json

import numpy as np
import pytest
import torch
from package_separators import vr_separator, vr_stems
from vr_case import Toy, inside, loaded, numbers, sdr_db, separated, song, toy_model, write

from utils.engine.families.vr.options import VrOptions

pytestmark = pytest.mark.slow

RAW_DB = 60
INSIDE_DB = 90  # 40 is promised
WHOLE_DB = 35  # with the ends, where the package cuts what we do not

# Every sort of band layout that public models have: bands, generation.
LAYOUTS = [
    ("1band_sr44100_hl512", False),
    ("1band_sr33075_hl384", False),
    ("2band_32000", False),
    ("3band_44100", False),
    ("3band_44100_mid", False),
    ("3band_44100_msb2", False),
    ("4band_44100", False),
    ("4band_v2", False),
    ("1band_sr44100_hl1024", True),
    ("4band_v3", True),
    ("4band_v3_sn", True),
    ("4band_v4_ms_fullband", True),
]
# Options of the package, and ours that mean the same.
OPTIONS = [
    ({}, {}),
    ({"aggression": -10}, {"aggression": -10}),
    ({"aggression": 0}, {"aggression": 0}),
    ({"aggression": 100}, {"aggression": 100}),
    ({"enable_tta": True}, {"tta": True}),
    ({"high_end_process": True}, {"high_end": True}),
    ({"window_size": 512}, {"window_size": 512}),
]
POST = {"enable_post_process": True, "aggression": 0}


def ours(model, samples, **options):
    return separated(model, VrOptions(**{"window_size": 320, **options}), samples)


def theirs(model, path, *, bands, primary="Vocals", net=None, **options):
    """The package's stems. The path of the network is a file that is not read."""
    separator = vr_separator(path, {"vr_model_param": bands, "primary_stem": primary}, **options)
    separator.is_vr_51_model = model.layout.modern
    return vr_stems(separator, path, net=net or Toy(model.offset))


def require_equal(stems, reference):
    """Compare up to the last whole hop, where the package ends."""
    stems = stems[..., : reference.shape[-1]]
    for own, other in zip(stems, reference, strict=True):
        assert sdr_db(inside(other), inside(own)) > INSIDE_DB
        assert sdr_db(other, own) > WHOLE_DB


@pytest.mark.parametrize(("bands", "modern"), LAYOUTS)
def test_every_layout_of_bands(bands, modern, tmp_path):
    """Analysis, mask and synthesis equal the package's for each layout."""
    model = toy_model(bands, modern=modern)
    samples = song(3.5, rate=model.sample_rate, hop=8 * model.layout.hop)
    path = write(tmp_path / "song.wav", samples, model.sample_rate)
    stems = ours(model, samples, high_end=True)
    require_equal(stems, theirs(model, path, bands=bands, high_end_process=True))
    assert np.abs(stems).max(axis=(1, 2)).min() > 0.01


@pytest.mark.parametrize(("package", "own"), OPTIONS, ids=lambda options: "-".join(options) or "usual")
def test_every_option(package, own, tmp_path):
    """Aggression, augmentation, high end and window work as in the package."""
    model = toy_model("4band_v2", modern=False)
    samples = song(3.5, hop=8 * model.layout.hop)
    path = write(tmp_path / "song.wav", samples)
    require_equal(ours(model, samples, **own), theirs(model, path, bands="4band_v2", **package))


@pytest.mark.parametrize("primary", ["Instrumental", "Wind Inst", "No Echo"])
def test_aggressiveness_for_other_stems(primary, tmp_path):
    """The effect of aggression depends on the primary stem as in the package."""
    model = toy_model("1band_sr44100_hl1024", modern=False, primary=primary)
    samples = song(3, hop=8192)
    path = write(tmp_path / "song.wav", samples)
    bands = "1band_sr44100_hl1024"
    require_equal(ours(model, samples, aggression=30), theirs(model, path, bands=bands, primary=primary, aggression=30))


class Opening(Toy):
    """A mask that is completely open for long stretches, so that there is something to mend."""

    def predict_mask(self, magnitude):
        level = magnitude.mean(dim=(1, 2), keepdim=True)
        mask = 0.3 + 0.4 * torch.sigmoid(200 * (level - 0.012)) + 0 * magnitude
        return mask[..., self.offset : -self.offset]


def test_mending_of_masks(tmp_path):
    """Post-processing mends the same stretches as the package, across chunk borders, depending on the threshold."""
    net = Opening(128)
    model = toy_model("1band_sr44100_hl256", modern=False, net=net)
    samples = song(6, hop=256 * 8)
    loud = np.repeat([1, 0.1, 0.9, 0.1, 1, 1, 0.05, 0.9], samples.shape[1] // 8 + 1)[: samples.shape[1]]
    samples = (samples * loud).astype(np.float32)
    path = write(tmp_path / "song.wav", samples)
    bands = "1band_sr44100_hl256"
    plain = ours(model, samples, aggression=0)
    mended = ours(model, samples, aggression=0, post_process=True, post_process_threshold=0.5)
    require_equal(plain, theirs(model, path, bands=bands, net=net, aggression=0))
    require_equal(mended, theirs(model, path, bands=bands, net=net, post_process_threshold=0.5, **POST))
    everything = ours(model, samples, aggression=0, post_process=True, post_process_threshold=0.1)
    assert sdr_db(mended, plain) < 30
    assert sdr_db(everything, mended) < 30


def with_bands_in_a_file(fields, folder):
    """Write the bands to a file, since the package knows bands only by file name."""
    bands = fields["vr_model_param"]
    if isinstance(bands, str):
        return fields
    (folder / "bands.json").write_text(json.dumps(bands))
    return fields | {"vr_model_param": str(folder / "bands")}


@pytest.mark.parametrize("generation", ["modern", "banded", "old"])
def test_real_networks(generation, request, tmp_path):
    """Files in the real formats give the same masks and stems."""
    files = request.getfixturevalue(generation)
    model = loaded(files)
    samples = song(1.5, hop=8 * model.layout.hop)
    path = write(tmp_path / "song.wav", samples)
    separator = vr_separator(files.checkpoint, with_bands_in_a_file(numbers(files), tmp_path))
    reference = vr_stems(separator, path)
    window = torch.rand(1, 2, model.layout.bins + 1, 288, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        raw, expected = model.mask(window), separator.model_run.predict_mask(window)
    assert sdr_db(expected.numpy(), raw.numpy()) > RAW_DB
    assert expected.std() > 0.05
    assert separator.is_vr_51_model == model.layout.modern
    require_equal(ours(model, samples), reference)
