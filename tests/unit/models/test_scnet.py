"""SCNet against reference data, the public models' shapes, and another implementation."""

import warnings

import golden
import pytest
import torch
from networks import noise, run, scrambled, twin

from models.scnet import LevelBand, Scnet, ScnetParams

MODEL = {
    "sources": ["vocals", "other"],
    "dims": [4, 8, 12, 16],
    "nfft": 1024,
    "hop_size": 256,
    "win_size": 1024,
    "num_dplayer": 2,
}
VARIANTS = {
    "defaults": {},
    "two levels": {"dims": [4, 8, 12], "num_dplayer": 4},
    "not normalised": {"normalized": False},
    "wide": {"expand": 2, "conv_kernel": 5, "compress": 2},
    "equal strides": {"band_SR": [0.23, 0.37, 0.4], "band_stride": [1, 4, 4], "band_kernel": [3, 4, 4]},
}


@pytest.mark.parametrize("name", golden.case_names("scnet"))
def test_golden_forward(name):
    """The reference weights give the reference output."""
    case = golden.read_case(name)
    net = Scnet(ScnetParams.from_config(case.config)).eval()
    net.load_state_dict(case.state)
    assert golden.largest_difference(run(net, case.chunk), case.output) <= golden.TOLERANCE


@pytest.mark.parametrize("name", golden.full_size_names("scnet"))
def test_full_size_keys_and_shapes(name):
    """A network built from a public configuration has exactly the public checkpoint's tensors."""
    with torch.device("meta"):
        net = Scnet(ScnetParams.from_config(golden.full_size_config(name)))
    assert golden.shapes(net) == golden.full_size_shapes(name)


@pytest.fixture
def peer_class():
    from pymss_core.modules.scnet.scnet import SCNet

    return SCNet


@pytest.mark.parametrize(
    ("variant", "samples"),
    [(variant, 4200) for variant in VARIANTS] + [("defaults", 4095), ("defaults", 4096), ("defaults", 4352)],
)
def test_another_implementation_agrees(peer_class, variant, samples):
    """Another implementation with the same random weights gives the same output."""
    model = MODEL | VARIANTS[variant]
    torch.manual_seed(0)
    peer = scrambled(peer_class(**model))
    ours = twin(Scnet(ScnetParams.from_config({"model": model})), peer)
    mix = noise(2, 2, samples)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A window was not provided")
        reference = run(peer, mix)
    assert reference.std() > 0.01
    torch.testing.assert_close(run(ours, mix), reference, atol=1e-4, rtol=0)


def test_an_empty_model_section_means_the_published_defaults():
    """Keys that a configuration leaves out have the published values."""
    assert ScnetParams.from_config({"model": {}}) == ScnetParams()


def test_a_stride_of_one_keeps_the_rows_and_others_divide_them_rounding_up():
    """Padding makes the number of rows after shrinking what the checkpoints were trained for."""
    assert [LevelBand(rows, 3, 1).shrunk_rows for rows in (4, 5)] == [4, 5]
    assert [LevelBand(rows, 4, 4).shrunk_rows for rows in (4, 5, 8)] == [1, 2, 2]
    assert LevelBand(5, 4, 4).padding == (1, 2)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"bands": 3}, "model.bands"),
        ({"dims": 4}, "model.dims"),
        ({"dims": [2, 8]}, "model.dims"),
        ({"nfft": 4096.5}, "model.nfft"),
        ({"normalized": "yes"}, "model.normalized"),
        ({"band_stride": [1, 4]}, "model.band_stride"),
        ({"band_kernel": [3, 3, 16]}, "model.band_kernel"),
        ({"conv_depths": [1, 0, 1]}, "model.conv_depths"),
        ({"conv_kernel": 4}, "model.conv_kernel"),
        ({"num_dplayer": 3}, "model.num_dplayer"),
        ({"sources": []}, "model.sources"),
        ({"nfft": 16, "band_SR": [0.9, 0.05, 0.05]}, "model.band_SR"),
    ],
)
def test_a_wrong_value_is_refused_by_name(wrong, key):
    """A value that no network can have is an error that names its key."""
    with pytest.raises(ValueError, match=f"`{key}`"):
        ScnetParams.from_config({"model": MODEL | wrong})
