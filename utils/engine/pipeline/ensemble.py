"""Ensembles: the stems that several models have in common, and their arrangements merged into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from utils.core.errors import InvalidRequest
from utils.core.requests import EnsembleType
from utils.engine.pipeline.arrangement import Arrangement, Heard
from utils.engine.pipeline.blending import blend_for
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.outputs import Offer, Selection
from utils.engine.pipeline.track import STEREO


def common_offer(offers: Sequence[Offer], names: Sequence[str]) -> Offer:
    """The stems that all models share, under the first model's names, and the complement by subtraction."""
    first = offers[0]
    common = [stem for stem in first.stems if all(offer.index_of(stem) is not None for offer in offers)]
    if not common:
        listed = "; ".join(f"`{name}` {', '.join(offer.stems)}" for name, offer in zip(names, offers, strict=True))
        raise InvalidRequest(f"The models of the ensemble have no stem in common: {listed}.", field="ensemble")
    complement = first.complement
    if complement is not None:
        without = [first.stems[index] for index in complement.without]
        kept = tuple(common.index(stem) for stem in without if stem in common) or tuple(range(len(common)))
        complement = replace(complement, without=kept)
    return replace(first, stems=tuple(common), complement=complement)


def ensemble(
    arrangements: Sequence[Arrangement], selection: Selection, *, kind: EnsembleType, weights: Sequence[float]
) -> Arrangement:
    """One arrangement that runs all of them. `selection` refers to the stems that the models have in common.

    For an average, all lanes add into the same rows, with the weights of their models. Otherwise each model has its own
    rows, and a blend turns them into stems.
    """
    first = arrangements[0]
    if len({arrangement.sample_rate for arrangement in arrangements}) > 1:
        rates = ", ".join(f"`{arrangement.model}` {arrangement.sample_rate} Hz" for arrangement in arrangements)
        raise InvalidRequest(f"The models of an ensemble must share one sample rate: {rates}.", field="ensemble")
    blend = blend_for(kind, len(arrangements))
    count = len(selection.needed)

    def lanes(heard: Heard) -> list[Lane]:
        return [
            replace(lane, gains=lane.gains * weight) if blend is None else replace(lane, row=number * count)
            for number, (arrangement, weight) in enumerate(zip(arrangements, weights, strict=True))
            for lane in arrangement.lanes(heard)
        ]

    chunks = [arrangement.chunk_s for arrangement in arrangements if arrangement.chunk_s is not None]
    settings = {**first.settings, "ensemble_type": kind}
    if chunks:
        settings["chunk_seconds"] = round(max(chunks), 3)
    if blend is None:
        settings["ensemble_weights"] = [round(weight, 4) for weight in weights]
    return replace(
        first,
        model="+".join(arrangement.model for arrangement in arrangements),
        channels=first.channels if len({arrangement.channels for arrangement in arrangements}) == 1 else STEREO,
        selection=selection.narrowed(),
        lanes=lanes,
        settings=settings,
        chunk_s=max(chunks) if len(chunks) == len(arrangements) else None,
        blend=None if blend is None else lambda _: blend(),
    )
