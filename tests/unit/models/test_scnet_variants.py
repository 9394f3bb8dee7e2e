"""The relatives of SCNet against the training program's own networks."""

import warnings

import pytest
import torch
from networks import noise, run, scrambled, twin

from models.scnet_masked import ScnetMasked, ScnetMaskedParams
from models.scnet_tran import ScnetTran, ScnetTranParams
from tools.fixtures.peers import network_of_msst

MODEL = {
    "sources": ["vocals", "other", "bass"],
    "dims": [4, 8, 12, 16],
    "nfft": 1024,
    "hop_size": 256,
    "win_size": 1024,
    "num_dplayer": 2,
}
TRANSFORMERS = {"tran_rotary_embedding_dim": 8, "tran_dim_head": 8, "tran_heads": 3, "tran_depth": 2}
# The network, its parameters, where the training program has it, and what a configuration says besides MODEL.
KINDS = {
    "scnet_masked": (ScnetMasked, ScnetMaskedParams, ("scnet.scnet_masked", "SCNet"), {}),
    "scnet_tran": (ScnetTran, ScnetTranParams, ("scnet.scnet_tran", "SCNet_Tran"), TRANSFORMERS),
}


@pytest.mark.parametrize("samples", [4095, 4096, 4200, 4352])
@pytest.mark.parametrize("kind", KINDS)
def test_the_training_programs_network_agrees(kind, samples):
    """The network in which public checkpoints were trained gives the same output with the same random weights."""
    network, params, place, own = KINDS[kind]
    model = {**MODEL, **own}
    torch.manual_seed(0)
    peer = scrambled(network_of_msst(*place)(**model))
    ours = twin(network(params.from_config({"model": model})), peer)
    mix = noise(2, 2, samples)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A window was not provided")
        reference = run(peer, mix)
    assert reference.std() > 0.01
    torch.testing.assert_close(run(ours, mix), reference, atol=1e-4, rtol=0)


def test_published_sizes():
    """With the published options, networks have as many values as the published checkpoints."""
    with torch.device("meta"):
        transformer = ScnetTran(ScnetTranParams.from_config({"model": {}}))
        masked = ScnetMasked(ScnetMaskedParams.from_config({"model": {}}))
    assert sum(parameter.numel() for parameter in transformer.parameters()) == 10_380_032
    assert sum(parameter.numel() for parameter in masked.parameters()) == 10_597_284


def test_dropout_is_not_the_networks_business():
    """Options of training may be there."""
    trained = {"tran_attn_dropout": 0.1, "tran_ff_dropout": 0.1, "tran_flash_attn": True}
    assert ScnetTranParams.from_config({"model": trained}) == ScnetTranParams()


@pytest.mark.parametrize(
    ("params", "wrong", "key"),
    [
        (ScnetMaskedParams, {"audio_channels": 1, "dims": [2, 8]}, "model.audio_channels"),
        (ScnetMaskedParams, {"tran_depth": 1}, "model.tran_depth"),
        (ScnetTranParams, {"tran_rotary_embedding_dim": 32}, "model.tran_rotary_embedding_dim"),
        (ScnetTranParams, {"tran_heads": 0}, "model.tran_heads"),
        (ScnetTranParams, {"num_dplayer": 3}, "model.num_dplayer"),
    ],
)
def test_a_wrong_value_is_refused_by_name(params, wrong, key):
    """A value that no network can have is an error that names its key."""
    with pytest.raises(ValueError, match=f"`{key}`"):
        params.from_config({"model": wrong})
