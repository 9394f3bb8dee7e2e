"""Whole songs in overlapping chunks: our loop and plan with our networks, against the golden data."""

import json
import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from golden import ABSENT, FOLDER, read_case
from networks import TINY, noise, scrambled, tiny
from pymss_core.modules import legacy_demucs

from models.architectures import OWN, network_class, params_class
from models.demucs_v2 import DemucsV2, DemucsV2Params
from tools.fixtures.peers import network_of_msst, roformer_of_neuraloperator, roformer_of_splifft
from utils.core.job import Job
from utils.engine.pipeline.chunking import plan_faded
from utils.engine.pipeline.demix import Compute, Lane, Runner, demix
from utils.engine.pipeline.song import SongBuffer

pytestmark = pytest.mark.slow

CASES = sorted(
    meta.parent.name for meta in FOLDER.glob("*/meta.json") if json.loads(meta.read_text())["model_type"] in OWN
)


class Whole:
    """A network that is always shown whole chunks."""

    def __init__(self, net):
        self._net = net

    def input_length(self, length):
        return length

    def __call__(self, mix):
        return self._net(mix)


def build(model_type, config, state):
    net = network_class(model_type)(params_class(model_type).from_config(config))
    net.load_state_dict(state)
    return net.eval()


def separate(net, mix, *, stems, chunk, overlaps, batch_size):
    total = mix.shape[1]
    song = SongBuffer((mix[:, i : i + 1000] for i in range(0, total, 1000)), channels=len(mix), total=total)
    lane = Lane(
        Whole(net), plan_faded(total, chunk=chunk, overlaps=overlaps), np.ones(stems, np.float32), mirrored=True
    )
    job = Job()
    with Runner(Compute(device="cpu", threads=1, batch_size=batch_size), job, lambda: False) as runner:
        parts = list(demix(song, [lane], channels=len(mix), rate=44100, runner=runner, job=job))
    return torch.cat([part.rows for part in parts], dim=-1).numpy()


def sdr_db(reference, estimate):
    return 10 * np.log10(np.sum(reference**2) / max(np.sum((reference - estimate) ** 2), 1e-30))


@pytest.mark.parametrize("name", CASES or [pytest.param("", marks=pytest.mark.skip(reason=ABSENT))])
def test_chunked_output_is_the_references(name):
    """With the configuration's chunk and overlap, to 60 dB; where no window of the reference reaches, ours is not zero."""
    case, meta = read_case(name), json.loads((FOLDER / name / "meta.json").read_text())
    arrays = np.load(FOLDER / name / "demix.npz")
    numbers = meta["demix"]["chunking"]
    mix = np.load(FOLDER / name / "input.npy")
    if len(mix) < meta["model_input_channels"]:
        mix = np.repeat(mix, meta["model_input_channels"], axis=0)
    net = build(meta["model_type"], case.config, case.state)
    ours = separate(
        net,
        mix,
        stems=len(meta["stems"]),
        chunk=numbers["chunk_size"],
        overlaps=numbers["num_overlap"],
        batch_size=numbers["batch_size"],
    )
    accepted = [arrays[key] for key in meta["demix"]["accepted_arrays"]]
    assert any(agrees(reference, ours) for reference in accepted), [
        [sdr_db(*pair) for pair in zip(reference, ours, strict=True)] for reference in accepted
    ]


CHUNK = 1600  # whole hops, since one peer cuts at them


def twins_of_splifft(kind):
    """The other implementation fixes the sizes in its heads, and has no frequencies of positions in its checkpoints."""
    fixed, head = {
        "bs_roformer_hyperace_v1": (
            {"unet_channels": (64, 256, 384, 512, 768), "depth": 1},
            {"kind": "hyperace_residual_v1"},
        ),
        "bs_roformer_axial": (
            {"axial_refiner_heads": 8, "axial_refiner_dim_head": 64},
            {"kind": "axial_refiner_large_v2", "axial_refiner_depth": 1},
        ),
    }[kind]
    network, params = TINY[kind]
    net = network(replace(params.tiny(), **fixed))
    other = scrambled(roformer_of_splifft(net.params, CHUNK, head))
    assert not net.load_state_dict(other.net.state_dict(), strict=False).unexpected_keys
    return net.eval(), other


def twins_of_msst(kind):
    net = tiny(kind)
    places = {
        "scnet_masked": ("scnet.scnet_masked", "SCNet"),
        "scnet_tran": ("scnet.scnet_tran", "SCNet_Tran"),
        "scnet_unofficial": ("scnet_unofficial.scnet", "SCNet"),
    }
    options = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(net.params).items()}
    other = network_of_msst(*places[kind])(**options)
    other.load_state_dict(net.state_dict(), strict=True)
    return net, other.eval()


def twins_of_demucs_v2(kind):
    """Of the first version; of the second, the other implementation resamples in its own way."""
    net = scrambled(DemucsV2(replace(DemucsV2Params.tiny(), resample=False)))
    options = asdict(net.params)
    other = legacy_demucs.LegacyDemucs(**options, channels=options.pop("width"))
    other.load_state_dict(net.state_dict(), strict=True)
    return net, Padded(other.eval())


class Padded(torch.nn.Module):
    """A network that is given more samples than are taken from it, by a function beside it."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, mix):
        return torch.stack([legacy_demucs.apply_legacy_model(self.net, each, split=False) for each in mix])


def twins_of_neuraloperator(kind):
    net = tiny(kind)
    return net, roformer_of_neuraloperator(net)


OF_OTHERS = {
    "bs_roformer_hyperace_v1": twins_of_splifft,
    "bs_roformer_axial": twins_of_splifft,
    "scnet_masked": twins_of_msst,
    "scnet_tran": twins_of_msst,
    "scnet_unofficial": twins_of_msst,
    "bs_roformer_fno": twins_of_neuraloperator,
    "demucs_v2": twins_of_demucs_v2,
}
OF_PYMSS = ("bs_roformer_hyperace", "bs_polarformer", "bs_conformer", "mel_band_conformer", "tasnet")


def twins(kind):
    """A tiny network with random weights, and another implementation with the same."""
    from pymss_core.modules import bs_roformer

    if kind in OF_OTHERS:
        return OF_OTHERS[kind](kind)
    channels = {"unet_channels": (64, 256, 384, 512, 768)}  # those that the other implementation fixes
    places = {
        "bs_roformer_hyperace": (bs_roformer.BSRoformerHyperACE, {"linear_transformer_depth", *channels}),
        "bs_polarformer": (bs_roformer.BSRoformer, {"linear_transformer_depth"}),
        "bs_conformer": (bs_roformer.BSConformer, {"linear_conformer_depth"}),
        "mel_band_conformer": (bs_roformer.MelBandConformer, {"linear_conformer_depth", "match_input_audio_length"}),
        "tasnet": (legacy_demucs.LegacyConvTasNet, set()),
    }
    peer, unknown = places[kind]
    network, params = TINY[kind]
    net = scrambled(network(replace(params.tiny(), **(channels if kind == "bs_roformer_hyperace" else {}))))
    rename = getattr(net.params, "option", str)
    options = {rename(name): value for name, value in asdict(net.params).items() if rename(name) not in unknown}
    other = peer(**options)
    other.load_state_dict(net.state_dict(), strict=True)
    if hasattr(other, "set_mask_mode"):
        other.set_mask_mode("full")
    return net, other.eval()


@pytest.mark.parametrize("kind", [*OF_PYMSS, *OF_OTHERS])
def test_chunked_output_is_that_of_an_independent_implementation(kind):
    """Where there is no reference data: chunks of the other program's network, in the same plan, give the same song."""
    mix = noise(2, 4200).numpy()
    numbers = {"stems": 2, "chunk": CHUNK, "overlaps": 2, "batch_size": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers transform without a window, or index with lists
        ours, theirs = (separate(net, mix, **numbers) for net in twins(kind))
    assert all(sdr_db(*pair) >= 60 for pair in zip(theirs, ours, strict=True))


def agrees(reference, ours):
    uncovered = (reference == 0).all(axis=(0, 1))
    if uncovered.mean() > 0.01 or (uncovered.any() and not ours[..., uncovered].any()):
        return False
    pairs = zip(reference[..., ~uncovered], ours[..., ~uncovered], strict=True)
    return all(sdr_db(*pair) >= 60 for pair in pairs)
