"""A network applied to whole songs with the engine's own loop over chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tools.metrics import Signal
from training.composing import STEMS
from utils.core.job import Job
from utils.engine.chunking import plan_faded
from utils.engine.demix import Compute, Lane, Runner, demix
from utils.engine.parts import Part
from utils.engine.separation import SMALLEST_DEVIATION
from utils.engine.song import UNSCALED, Scale, Song

BLOCK_SAMPLES = 1 << 16


class Whole:
    """A network that always gets whole chunks."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net

    def input_length(self, length: int) -> int:
        return length

    def __call__(self, mix: Tensor) -> Tensor:
        stems: Tensor = self._net(mix)
        return stems


def separate(net: nn.Module, config: Mapping[str, Any], mix: Signal) -> Signal:
    """The stems (stems, channels, samples) of a mix (channels, samples), with the configuration's chunks and overlap."""
    total = mix.shape[1]
    song = Song((mix[:, i : i + BLOCK_SAMPLES] for i in range(0, total, BLOCK_SAMPLES)), channels=len(mix), total=total)
    plan = plan_faded(total, chunk=config["audio"]["chunk_size"], overlaps=config["inference"]["num_overlap"])
    lane = Lane(Whole(net.eval()), plan, np.ones(len(STEMS), np.float32), mirrored=True, scale=scale_of(config, mix))
    parts: list[Part] = []
    job = Job()
    with Runner(Compute(device="cpu", threads=torch.get_num_threads()), job, lambda: False) as runner:
        demix(song, [lane], channels=len(mix), runner=runner, device="cpu", job=job, sink=parts.append)
    return np.asarray(torch.cat([part.stems for part in parts], dim=-1).numpy())


def scale_of(config: Mapping[str, Any], mix: Signal) -> Scale:
    """The song's scale for the network, as the worker derives it from `inference.normalize`."""
    if not config["inference"].get("normalize"):
        return UNSCALED
    middle = mix.mean(axis=0, dtype=np.float64)
    return Scale(float(middle.mean()), float(middle.std(ddof=1)) + SMALLEST_DEVIATION)
