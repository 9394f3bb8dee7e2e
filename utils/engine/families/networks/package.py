"""How the audio-separator package runs networks: which stems it gives, and its windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from utils.core.package_request import PackageSeparate
from utils.engine.families.networks.network import Inference, NetworkModel, NetworkView
from utils.engine.pipeline.arrangement import Heard
from utils.engine.pipeline.chunking import Chunk, ChunkPlan, Window
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.outputs import Complement, Offer
from utils.store.package_catalogue import published_stems

SHORT_S = 10.0  # shorter songs always have windows of `mdxc_segment_size` frames
USUAL_OVERLAP = 8


def package_offer(model: NetworkModel, request: PackageSeparate) -> Offer:
    """The stems as the configuration names them. A network with one target also gives the rest."""
    if model.rest is None:
        return Offer(model.instruments, model.complement)
    target, rest = published_stems(model.source.record) or (*model.instruments, model.rest)
    everything = request.wanted_stems is None and request.two_stems is None
    return Offer((target,), Complement(rest, (0,)), with_complement=everything)


def package_lanes(
    model: NetworkModel, heard: Heard, request: PackageSeparate, *, needed: Sequence[int], mono: bool
) -> list[Lane]:
    """One lane with the package's windows: of a RoFormer with a Hamming window, of others all alike."""
    frames, inference = heard.stats.frames, model.inference
    chunk = window_samples(frames, inference, request)
    hop = max(1, chunk // overlaps_of(inference, request))
    plan = (
        plan_to_end(frames, chunk=chunk, hop=hop)
        if "roformer" in model.source.type
        else plan_alike(frames, chunk=chunk, hop=hop)
    )
    plan = replace(plan, settled=math.ceil(SHORT_S * inference.sample_rate))
    subset = None if list(needed) == list(range(len(model.stems))) else needed
    view = NetworkView(model.backend, subset, mono=mono)
    return [Lane(view, plan, np.ones(len(needed)), bounded=isinstance(plan, PlanToEnd))]


def window_samples(frames: int, inference: Inference, request: PackageSeparate) -> int:
    """The length of a window in samples, for a song of so many."""
    if request.mdxc_override_model_segment_size or frames < SHORT_S * inference.sample_rate:
        return inference.hop * (request.mdxc_segment_size - 1)
    return inference.chunk if inference.window_frames is None else inference.hop * (inference.window_frames - 1)


def overlaps_of(inference: Inference, request: PackageSeparate) -> int:
    return request.mdxc_overlap or inference.overlaps or USUAL_OVERLAP


@dataclass(frozen=True)
class PlanToEnd(ChunkPlan):
    """A plan whose last chunk is moved forward, so that it ends with the song."""

    def __len__(self) -> int:
        return 1 + max(0, -(-(self.end - self.chunk) // self.hop))

    def __getitem__(self, index: int) -> Chunk:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = min(index * self.hop, max(0, self.end - self.chunk))
        return Chunk(index, start, min(self.chunk, self.end - start))

    def certain_from(self, index: int) -> int:
        reach = (self.chunk - 1) // self.hop + 1
        return super().certain_from(index + reach)  # up to there, none may be the one that is moved

    def weights(self, index: int) -> Window:
        own = self[index]
        total = np.zeros(own.length)
        reach = (self.chunk - 1) // self.hop + 1
        for other in range(max(0, index - reach), min(len(self), index + reach + 1)):
            offset = self[other].start - own.start
            low, high = max(0, offset), min(own.length, offset + self[other].length)
            if high > low:
                total[low:high] += self.window[low - offset : high - offset]
        weights: Window = (self.window[: own.length] / total).astype(np.float32)
        return weights


def plan_to_end(total: int, *, chunk: int, hop: int) -> PlanToEnd:
    window = np.hamming(chunk).astype(np.float32)
    return PlanToEnd(origin=0, end=total, chunk=chunk, hop=hop, window=window, starts_before=total)


def plan_alike(total: int, *, chunk: int, hop: int) -> ChunkPlan:
    """Chunks that all count the same, from silence before the song to silence after it."""
    window = np.ones(chunk, dtype=np.float32)
    return ChunkPlan(origin=hop - chunk, end=total + chunk, chunk=chunk, hop=hop, window=window, starts_before=total)
