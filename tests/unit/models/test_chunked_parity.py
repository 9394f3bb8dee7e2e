"""Whole songs in overlapping chunks: our loop and plan with our networks, against the golden data."""

import json

import numpy as np
import pytest
import torch
from golden import ABSENT, FOLDER, read_case

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


def agrees(reference, ours):
    uncovered = (reference == 0).all(axis=(0, 1))
    if uncovered.mean() > 0.01 or (uncovered.any() and not ours[..., uncovered].any()):
        return False
    pairs = zip(reference[..., ~uncovered], ours[..., ~uncovered], strict=True)
    return all(sdr_db(*pair) >= 60 for pair in pairs)
