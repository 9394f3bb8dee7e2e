"""Whole songs in overlapping chunks: our loop and plan with our networks, against the golden data."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from golden import ABSENT, FOLDER, read_case
from networks import TINY, noise, scrambled

from models.architectures import OWN, network_class, params_class
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
    with Runner(Compute(device="cpu", threads=2, batch_size=batch_size), job, lambda: False) as runner:
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


def twins_of_pymss(kind):
    """A tiny network with random weights, and that of `pymss-core` with the same."""
    from pymss_core.modules import bs_roformer, legacy_demucs

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


@pytest.mark.parametrize(
    "kind", ["bs_roformer_hyperace", "bs_polarformer", "bs_conformer", "mel_band_conformer", "tasnet"]
)
def test_chunked_output_is_that_of_an_independent_implementation(kind):
    """Where there is no reference data: chunks of the other program's network, in the same plan, give the same song."""
    mix = noise(2, 4200).numpy()
    numbers = {"stems": 2, "chunk": 1600, "overlaps": 2, "batch_size": 2}  # whole hops, since one peer cuts at them
    ours, theirs = (separate(net, mix, **numbers) for net in twins_of_pymss(kind))
    assert all(sdr_db(*pair) >= 60 for pair in zip(theirs, ours, strict=True))


def agrees(reference, ours):
    uncovered = (reference == 0).all(axis=(0, 1))
    if uncovered.mean() > 0.01 or (uncovered.any() and not ours[..., uncovered].any()):
        return False
    pairs = zip(reference[..., ~uncovered], ours[..., ~uncovered], strict=True)
    return all(sdr_db(*pair) >= 60 for pair in pairs)
