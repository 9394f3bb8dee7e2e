"""Ensembles: the stems that several models have in common, and their arrangements merged into one.

Members of one family become lanes of one arrangement. A chorus has members of several families, each with an arrangement of its
own, and what only one of them has is taken from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from utils.core.errors import InvalidRequest
from utils.core.requests import EnsembleType
from utils.engine.pipeline.arrangement import Arrangement, Heard
from utils.engine.pipeline.blending import blend_for, combined
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.graph import GraphArrangement, GraphStep, Mixing, Separation, Tap
from utils.engine.pipeline.outputs import Offer, Output, Selection
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
        normalises=any(arrangement.normalises for arrangement in arrangements),
        fits_length=any(arrangement.fits_length for arrangement in arrangements),
        chunk_s=max(chunks) if len(chunks) == len(arrangements) else None,
        blend=None if blend is None else lambda _: blend(),
    )


@dataclass(frozen=True)
class Member:
    """A model's arrangement in a chorus, what its stems are called in the result, and how much it counts in an average."""

    arrangement: Arrangement
    names: Mapping[str, str]
    weight: float


def chorus(members: Sequence[Member], algorithm: str, wanted: Sequence[str] | None) -> GraphArrangement:
    """One arrangement for all. Raises `InvalidRequest` for models that do not go together, or a stem that none has."""
    first = members[0].arrangement
    for what in ("sample_rate", "channels"):
        values = {member.arrangement.model: getattr(member.arrangement, what) for member in members}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"`{model}` {value}" for model, value in values.items())
            raise InvalidRequest(
                f"The models of an ensemble must share one {what.replace('_', ' ')}: {listed}.", field="ensemble"
            )
    names = list(dict.fromkeys(name for member in members for name in member.names.values()))
    lower = [name.lower() for name in wanted or names]
    kept = [name for name in names if name.lower() in lower]
    if not kept:
        raise InvalidRequest(f"These models have no such stem; they have {', '.join(names)}.", field="single_stem")
    steps: dict[str, GraphStep] = {
        f"member {index}": Separation(replace(member.arrangement, level=None)) for index, member in enumerate(members)
    }
    for name in kept:
        singers = [
            (Tap(f"member {index}", own), member.weight)
            for index, member in enumerate(members)
            for own, common in member.names.items()
            if common == name
        ]
        taps, weights = zip(*singers, strict=True)
        steps[name] = Mixing(taps, partial(combined, algorithm, weights))
    return GraphArrangement(
        model="+".join(member.arrangement.model for member in members),
        sample_rate=first.stem_rate,
        channels=first.channels,
        selection=Selection(tuple(Output(name, ()) for name in kept), ()),
        lanes=lambda _: [],
        compute=first.compute,
        settings={"ensemble_algorithm": algorithm},
        file_rate=first.file_rate,
        level=first.level,
        steps=steps,
        results={name: Tap(name, name) for name in kept},
    )
