"""Demucs networks from configurations, against the package's own and another implementation."""

import copy

import pytest
import torch
from demucs.hdemucs import HDemucs
from networks import noise, run, scrambled, tiny, twin

from models.blocks.demucs_layers import LongLocalState
from models.htdemucs import Htdemucs, HtdemucsParams

TRAINING = {
    "instruments": ["vocals", "other"],
    "target_instrument": None,
    "samplerate": 8000,
    "channels": 2,
    "segment": 2,
}
TRANSFORMER = {
    "channels": 8,
    "nfft": 1024,
    "depth": 3,
    "multi_freqs": [],
    "num_subbands": 1,
    "bottom_channels": 16,
    "t_layers": 2,
    "t_heads": 2,
    "t_cape_glob_loc_scale": [5000.0, 1.0, 1.4],
    "t_lr": None,
    "rescale": 0.1,
    "emb_smooth": True,
}
HYBRID = {"channels": 4, "nfft": 4096, "depth": 6, "hybrid": True, "dconv_attn": 4, "dconv_lstm": 4, "rescale": 0.1}


def config_of(model="htdemucs", training=None, **options):
    own = TRANSFORMER if model == "htdemucs" else HYBRID
    return {"model": model, model: {**own, **options}, "training": {**TRAINING, **(training or {})}}


def test_another_implementation_agrees():
    """Another implementation with the same random weights gives the same output, for a whole segment and for less."""
    from pymss_core import to_attrdict
    from pymss_core.modules.demucs4ht import get_model

    config = config_of()
    torch.manual_seed(0)
    peer = scrambled(get_model(to_attrdict(config)))
    ours = twin(Htdemucs(HtdemucsParams.from_config(config)), peer)
    for samples in (16000, 9001):
        mix = noise(2, 2, samples)
        reference = run(peer, mix)
        assert reference.std() > 0.001
        torch.testing.assert_close(run(ours, mix), reference, atol=1e-4, rtol=0)


def test_the_packages_hybrid_network_agrees():
    """A configuration of version 3 gives the package's network with these options."""
    peer = scrambled(HDemucs(["vocals", "other"], samplerate=8000, segment=2, **HYBRID))
    ours = twin(Htdemucs(HtdemucsParams.from_config(config_of("hdemucs"))), peer)
    mix = noise(1, 2, 16000)
    torch.testing.assert_close(run(ours, mix), run(peer, mix), atol=1e-6, rtol=0)
    assert any(isinstance(layer, LongLocalState) for layer in ours.modules())


def test_audio_longer_than_in_training():
    """The length in training is no bound: a chunk may be longer."""
    assert run(tiny("htdemucs"), noise(1, 2, 20000)).shape == (1, 2, 2, 20000)


def test_a_network_can_be_copied():
    """A copy of a network gives what the network gives."""
    net, mix = tiny("htdemucs"), noise(1, 2, 8000)
    torch.testing.assert_close(run(copy.deepcopy(net), mix), run(net, mix), atol=0, rtol=0)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (config_of(depths=3), r"`htdemucs\.depths`"),
        (config_of(channels="many"), r"`htdemucs\.channels`"),
        (config_of(cac=1), r"`htdemucs\.cac`"),
        (config_of(t_emb=3), r"`htdemucs\.t_emb`"),
        (config_of(multi_freqs="all"), r"`htdemucs\.multi_freqs`"),
        (config_of(num_subbands=2), r"`htdemucs\.num_subbands`"),
        (config_of("hdemucs", t_layers=2), r"`hdemucs\.t_layers`"),
        (config_of(training={"instruments": []}), r"`training\.instruments`"),
        (config_of(training={"segment": 0}), r"`training\.segment`"),
        (config_of(training={"target_instrument": "vocals"}), r"`training\.target_instrument`"),
        ({**config_of(), "model": "tasnet"}, "`model`"),
        ({**config_of(), "model": {}}, "`model`"),
        ({"model": "htdemucs", "training": TRAINING}, "`htdemucs`"),
    ],
)
def test_a_wrong_value_is_refused_by_name(config, said):
    """A value that no network can have is an error that names its key."""
    with pytest.raises(ValueError, match=said):
        HtdemucsParams.from_config(config)
