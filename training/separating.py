"""A network applied to whole songs, as the engine does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from tools.metrics import Signal as Samples
from training.composing import STEMS
from utils.core.job import Job
from utils.engine.backends.torch import TorchBackend
from utils.engine.families.networks.effort import Effort
from utils.engine.families.networks.network import inference_of, network_lanes
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.demix import Compute
from utils.engine.pipeline.outputs import Offer
from utils.engine.pipeline.stream import stream
from utils.engine.pipeline.track import Waveform


def separate(net: nn.Module, config: Mapping[str, Any], mix: Samples) -> Samples:
    """(channels, samples) to (stems, channels, samples), with the chunks and the overlap of the configuration."""
    inference = inference_of(config, "the configuration")
    effort = Effort(overlap=config["inference"]["num_overlap"], tta=False)
    selection = Offer(STEMS).select(stems=None, two_stems=None)
    backend = TorchBackend(net.eval())
    arrangement = Arrangement(
        model="dsu_mini",
        sample_rate=inference.sample_rate,
        channels=len(mix),
        selection=selection,
        lanes=lambda heard: network_lanes(
            backend,
            heard,
            effort,
            chunk=inference.chunk,
            scaled=inference.scaled,
            stems=len(STEMS),
            needed=selection.needed,
        ),
        compute=Compute(device="cpu", threads=torch.get_num_threads()),
        settings={},
    )
    parts = list(stream(arrangement, Waveform(mix, inference.sample_rate), Job()))
    return np.stack([np.concatenate([part.stems[stem] for part in parts], axis=-1) for stem in STEMS])
