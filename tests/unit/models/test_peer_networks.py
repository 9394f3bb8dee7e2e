"""Our networks against those of `audio-separator`, of which many people have the results: same weights, same output.

Where it deviates from the programs that the public models were trained with, the test says so.
"""

import warnings
from dataclasses import replace

import pytest
import torch
from networks import scrambled
from networks import twin as with_weights_of
from roformer_case import noise, with_random_weights

from models.bs_roformer import BSRoformer, BSRoformerParams
from models.mdx23c import Mdx23c, Mdx23cParams
from models.mel_band_roformer import MelBandRoformer, MelBandRoformerParams
from tools.fixtures.peers import mdx23c_of_audio_separator, roformer_of_audio_separator

TOLERANCE = 1e-4
SAMPLES = 320


def roformer_peer(kind, net):
    """The peer's network with the options and the weights of ours."""
    return with_weights_of(roformer_of_audio_separator(kind, net.params), net)


def run_quietly(net, mix):
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return net(mix)


def compared(net, peer, mix):
    """Both networks' stems. The peer leaves out the axis of stems where there is one only."""
    ours = run_quietly(net, mix)
    theirs = run_quietly(peer, mix)
    assert theirs.ndim == (3 if ours.shape[1] == 1 else 4)
    assert ours.abs().max() > 0.1
    return ours, theirs.reshape(ours.shape)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_stems": 1},
        {"mask_estimator_depth": 3, "time_transformer_depth": 2},
        {"linear_transformer_depth": 1},
        {"stereo": False, "stft_normalized": True},
    ],
    ids=lambda changes: "-".join(changes) or "tiny",
)
def test_bs_roformer(changes):
    """Band-split transformers agree. The peer takes `zero_dc` and `skip_connection`, and heeds neither."""
    params = replace(BSRoformerParams.tiny(), zero_dc=False, **changes)
    net = with_random_weights(BSRoformer(params))
    ours, theirs = compared(net, roformer_peer("bs_roformer", net), noise(2, params.channels, SAMPLES))
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


def test_the_peer_never_sets_the_zeroth_bin_to_zero():
    """With `zero_dc` the peer still gives what ours gives without it."""
    wanted = with_random_weights(BSRoformer(BSRoformerParams.tiny()))
    left = with_weights_of(BSRoformer(replace(BSRoformerParams.tiny(), zero_dc=False)), wanted)
    mix = noise(2, 2, SAMPLES)
    theirs = run_quietly(roformer_peer("bs_roformer", wanted), mix)
    torch.testing.assert_close(run_quietly(left, mix), theirs, atol=TOLERANCE, rtol=0)
    assert not torch.allclose(run_quietly(wanted, mix), theirs, atol=0.01, rtol=0)


@pytest.mark.parametrize(
    "changes",
    [{}, {"num_stems": 1}, {"mask_estimator_depth": 2}, {"match_input_audio_length": True}, {"stereo": False}],
    ids=lambda changes: "-".join(changes) or "tiny",
)
def test_mel_band_roformer(changes):
    """Mel-band transformers agree. Here the peer heeds no `mlp_expansion_factor` either: it is always 4."""
    params = replace(MelBandRoformerParams.tiny(), zero_dc=False, mlp_expansion_factor=4, **changes)
    net = with_random_weights(MelBandRoformer(params))
    ours, theirs = compared(net, roformer_peer("mel_band_roformer", net), noise(2, params.channels, SAMPLES))
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"target_instrument": "vocals"},
        {"norm": "BatchNorm", "act": "relu"},
        {"norm": "GroupNorm4", "act": "elu0.5", "num_blocks_per_scale": 2},
    ],
    ids=lambda changes: "-".join(changes) or "tiny",
)
def test_mdx23c(changes):
    """TFC-TDF networks agree."""
    config = mdx23c_config(**changes)
    torch.manual_seed(0)
    peer = scrambled(mdx23c_of_audio_separator(config))
    net = with_weights_of(Mdx23c(Mdx23cParams.from_config(config)), peer)
    mix = noise(2, 2, 1920)
    ours, theirs = compared(net, peer, mix)
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


def mdx23c_config(**changes):
    model = {
        "act": "gelu",
        "bottleneck_factor": 4,
        "growth": 4,
        "norm": "InstanceNorm",
        "num_blocks_per_scale": 1,
        "num_channels": 8,
        "num_scales": 2,
        "num_subbands": 4,
        "scale": [2, 2],
    }
    training = {"instruments": ["vocals", "other"], "target_instrument": changes.pop("target_instrument", None)}
    return {
        "audio": {"n_fft": 512, "hop_length": 128, "dim_f": 256, "num_channels": 2},
        "model": {**model, **changes},
        "training": training,
    }
