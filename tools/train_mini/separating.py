"""A network applied to whole songs, in the engine's own loop over chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tools.train_mini.composing import STEMS
from tools.train_mini.metrics import Signal
from utils.core.job import Job
from utils.engine.chunking import plan_faded
from utils.engine.demix import Compute, Lane, Runner, demix
from utils.engine.parts import Part
from utils.engine.song import Song

BLOCK_SAMPLES = 1 << 16


class Whole:
    """A network that is always shown whole chunks."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net

    def input_length(self, length: int) -> int:
        return length

    def __call__(self, mix: Tensor) -> Tensor:
        stems: Tensor = self._net(mix)
        return stems


def separate(net: nn.Module, config: Mapping[str, Any], mix: Signal) -> Signal:
    """(channels, samples) to (stems, channels, samples), with the chunks and the overlap of the configuration."""
    total = mix.shape[1]
    song = Song((mix[:, i : i + BLOCK_SAMPLES] for i in range(0, total, BLOCK_SAMPLES)), channels=len(mix), total=total)
    plan = plan_faded(total, chunk=config["audio"]["chunk_size"], overlaps=config["inference"]["num_overlap"])
    lane = Lane(Whole(net.eval()), plan, np.ones(len(STEMS), np.float32), mirrored=True)
    parts: list[Part] = []
    job = Job()
    with Runner(Compute(device="cpu", threads=torch.get_num_threads()), job, lambda: False) as runner:
        demix(song, [lane], channels=len(mix), runner=runner, device="cpu", job=job, sink=parts.append)
    return np.asarray(torch.cat([part.stems for part in parts], dim=-1).numpy())
