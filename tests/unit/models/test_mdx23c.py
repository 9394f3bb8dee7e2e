"""MDX23C against reference data, the public models' shapes, and another implementation."""

import golden
import pytest
import torch
from networks import noise, run, scrambled, twin
from torch import nn

from models.mdx23c import Mdx23c, Mdx23cParams, make_activation, make_norm

CONFIG = {
    "audio": {"n_fft": 512, "hop_length": 128, "dim_f": 256, "num_channels": 2, "chunk_size": 1920},
    "model": {
        "act": "gelu",
        "bottleneck_factor": 4,
        "growth": 4,
        "norm": "InstanceNorm",
        "num_blocks_per_scale": 2,
        "num_channels": 8,
        "num_scales": 2,
        "num_subbands": 4,
        "scale": [2, 2],
    },
    "training": {"instruments": ["vocals", "other"], "target_instrument": None},
}
VARIANTS = {
    "public settings": {},
    "batch norm": {"norm": "BatchNorm", "act": "relu"},
    "group norm": {"norm": "GroupNorm4", "act": "elu0.5"},
    "no norm": {"norm": "none", "num_blocks_per_scale": 1},
    "uneven scale": {"scale": [2, 4], "num_subbands": 2},
    "one scale": {"num_scales": 1, "growth": 8},
}


def config_with(**changes):
    """CONFIG with the given keys of its sections changed."""
    return {name: section | changes.get(name, {}) for name, section in CONFIG.items()}


@pytest.mark.parametrize("name", golden.case_names("mdx23c"))
def test_golden_forward(name):
    """The reference weights give the reference output."""
    case = golden.read_case(name)
    net = Mdx23c(Mdx23cParams.from_config(case.config)).eval()
    net.load_state_dict(case.state)
    assert golden.largest_difference(run(net, case.chunk), case.output) <= golden.TOLERANCE


@pytest.mark.parametrize("name", golden.full_size_names("mdx23c"))
def test_full_size_keys_and_shapes(name):
    """A network built from a public configuration has exactly the public checkpoint's tensors."""
    with torch.device("meta"):
        net = Mdx23c(Mdx23cParams.from_config(golden.full_size_config(name)))
    assert golden.shapes(net) == golden.full_size_shapes(name)


@pytest.fixture
def peer():
    """Makes a network of another implementation."""
    from pymss_core import to_attrdict
    from pymss_core.modules.mdx23c_tfc_tdf_v3 import TFC_TDF_net

    return lambda config: TFC_TDF_net(to_attrdict(config))


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_another_implementation_agrees(peer, variant):
    """Another implementation with the same random weights gives the same output."""
    config = config_with(model=variant)
    torch.manual_seed(0)
    other = scrambled(peer(config))
    ours = twin(Mdx23c(Mdx23cParams.from_config(config)), other)
    mix = noise(2, 2, 1920)
    reference = run(other, mix)
    assert reference.std() > 0.01
    torch.testing.assert_close(run(ours, mix), reference, atol=1e-4, rtol=0)


def test_a_target_instrument_means_one_head():
    """A network trained for one stem has one output, whatever else is listed."""
    config = config_with(training={"target_instrument": "vocals"})
    assert Mdx23cParams.from_config(config).num_stems == 1


def test_audio_is_completed_with_silence():
    """Audio that the scales cannot divide gives what it gives with silence after it."""
    net = scrambled(Mdx23c(Mdx23cParams.from_config(CONFIG)))
    mix = noise(1, 2, 1700)
    completed = run(net, nn.functional.pad(mix, (0, 220)))
    torch.testing.assert_close(run(net, mix), completed[..., :1700], atol=1e-6, rtol=0)


def test_frequencies_above_dim_f_are_silent():
    """What the network does not see, it does not write."""
    net = scrambled(Mdx23c(Mdx23cParams.from_config(config_with(audio={"dim_f": 128}))))
    spectrum = torch.fft.rfft(run(net, noise(1, 2, 1920)))
    assert spectrum[..., 620:].abs().max() < 0.05 * spectrum.abs().max()


@pytest.mark.parametrize(
    ("section", "wrong", "key"),
    [
        ("model", {"depth": 3}, "model.depth"),
        ("model", {"scale": [2]}, "model.scale"),
        ("model", {"scale": [2, 0]}, "model.scale"),
        ("model", {"act": "swish"}, "model.act"),
        ("model", {"growth": True}, "model.growth"),
        ("model", {"bottleneck_factor": 32}, "model.bottleneck_factor"),
        ("audio", {"dim_f": 258}, "audio.dim_f"),
        ("audio", {"dim_f": 250}, "audio.dim_f"),
        ("audio", {"hop_length": "many"}, "audio.hop_length"),
        ("training", {"instruments": "vocals"}, "training.instruments"),
    ],
)
def test_a_wrong_value_is_refused_by_name(section, wrong, key):
    """A value that no network can have is an error that names its key."""
    with pytest.raises(ValueError, match=f"`{key}`"):
        Mdx23cParams.from_config(config_with(**{section: wrong}))


def test_the_network_name_of_older_configurations_is_ignored():
    """`model.name` says nothing about the network."""
    assert Mdx23cParams.from_config(config_with(model={"name": "any"})) == Mdx23cParams.from_config(CONFIG)


def test_norms_and_activations_by_name():
    """The names of the public configurations mean these layers; any other norm means none."""
    assert isinstance(make_norm("InstanceNorm", 8), nn.InstanceNorm2d)
    assert isinstance(make_norm("BatchNorm", 8), nn.BatchNorm2d)
    assert make_norm("GroupNorm2", 8).num_groups == 2
    assert isinstance(make_norm("None", 8), nn.Identity)
    assert make_activation("elu0.5").alpha == 0.5
