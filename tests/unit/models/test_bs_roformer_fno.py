"""BS-RoFormer with Fourier neural operators, against the operators of the package that public checkpoints were made with."""

import warnings
from dataclasses import replace

import pytest
import torch
from networks import noise, run, scrambled
from pymss_core.modules.bs_roformer import BSRoformer
from torch import nn

from models.bs_roformer_fno import BSRoformerFno, BSRoformerFnoParams, FourierOperator
from tools.fixtures.peers import fno_of_neuraloperator, roformer_of_neuraloperator
from utils.store.checkpoints import read_checkpoint, unwrap_state

PUBLIC = {
    "dim": 256,
    "depth": 12,
    "stereo": True,
    "stft_hop_length": 441,
    "time_transformer_depth": 1,
    "freq_transformer_depth": 1,
}


def peer_of(dim, outputs):
    """The operator that the public network has for a band, of 64 modes, of which the package keeps 33."""
    sizes = {"hidden_channels": dim, "in_channels": dim, "lifting_channels": dim, "projection_channels": dim}
    return fno_of_neuraloperator(n_modes_height=64, n_layers=3, separable=True, out_channels=outputs, **sizes).eval()


def weights_of(net):
    """The state dict without the options that the package's own method adds."""
    return nn.Module.state_dict(net)


def kinds(net, without="no key"):
    """The shape and type of each tensor, but of those whose keys begin with `without`."""
    return {key: (tensor.shape, tensor.dtype) for key, tensor in weights_of(net).items() if not key.startswith(without)}


def run_quietly(net, signal):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer indexes with lists
        return run(net, signal)


@pytest.mark.parametrize("frames", [1, 2, 7, 63, 64, 65, 66, 67, 500])
def test_an_operator_agrees(frames):
    """With the same random weights, at lengths that have fewer frequencies than it keeps, and at others."""
    ours = scrambled(FourierOperator(8, 6))
    theirs = peer_of(8, 6)
    nn.Module.load_state_dict(theirs, ours.state_dict(), strict=True)
    signal = noise(2, frames, 8)
    reference = run_quietly(theirs, signal.transpose(1, 2)).transpose(1, 2)
    assert reference.std() > 0.01
    torch.testing.assert_close(run(ours, signal), reference, atol=1e-5, rtol=0)


def test_the_network_agrees():
    """The stems are those of a network whose mask estimators are made of the package's operators."""
    params = replace(BSRoformerFnoParams.tiny(), num_stems=1)
    ours = scrambled(BSRoformerFno(params))
    theirs = roformer_of_neuraloperator(ours)
    mix = noise(2, 2, 4000)
    reference = run_quietly(theirs, mix)
    assert reference.std() > 0.001
    torch.testing.assert_close(run(ours, mix), reference, atol=1e-4, rtol=0)


def test_full_size_keys_and_shapes():
    """All keys are those of other implementations: of a BS-RoFormer, and of the package's operator for each band."""
    with torch.device("meta"):
        net = BSRoformerFno(params := BSRoformerFnoParams.from_config({"model": PUBLIC}))
        expected = kinds(BSRoformer(**PUBLIC), without="mask_estimators.")
        for band, width in enumerate(params.freqs_per_bands):
            # A real and an imaginary part of both channels, and as many values that gate them.
            operator = kinds(peer_of(256, 2 * 2 * 2 * width), without="_metadata")
            expected |= {f"mask_estimators.0.to_freqs.{band}.0.{key}": kind for key, kind in operator.items()}
    assert kinds(net) == expected
    size_bytes = sum(parameter.numel() * parameter.element_size() for parameter in net.parameters())
    assert size_bytes == pytest.approx(332_004_435, rel=0.01)


def test_checkpoints_may_keep_the_options_of_the_package(tmp_path):
    """The package puts its options among the weights, with a function by its name: they are passed over, and nothing runs."""
    path = tmp_path / "fno.ckpt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = peer_of(8, 6).state_dict()
    assert callable(state["_metadata"]["non_linearity"])
    torch.save(state, path)
    tensors = unwrap_state(read_checkpoint(path), path)
    assert tensors.keys() == FourierOperator(8, 6).state_dict().keys()
    assert tensors["fno_blocks.convs.0.weight.tensor"].is_complex()
