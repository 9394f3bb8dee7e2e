"""Ensembles: the stems that several models have in common, and their recipes merged into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from utils.core.errors import InvalidRequest
from utils.core.requests import EnsembleType
from utils.engine.pipeline.blending import blend_for
from utils.engine.pipeline.demix import Lane
from utils.engine.pipeline.outputs import Offer, Selection
from utils.engine.pipeline.recipe import Heard, Recipe
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
    recipes: Sequence[Recipe], selection: Selection, *, kind: EnsembleType, weights: Sequence[float]
) -> Recipe:
    """One recipe that runs all of them. `selection` refers to the stems that the models have in common.

    For an average, all lanes add into the same rows, with the weights of their models. Otherwise each model has its own
    rows, and a blend turns them into stems.
    """
    first = recipes[0]
    if len({recipe.sample_rate for recipe in recipes}) > 1:
        rates = ", ".join(f"`{recipe.model}` {recipe.sample_rate} Hz" for recipe in recipes)
        raise InvalidRequest(f"The models of an ensemble must share one sample rate: {rates}.", field="ensemble")
    blend = blend_for(kind, len(recipes))
    count = len(selection.needed)

    def lanes(heard: Heard) -> list[Lane]:
        return [
            replace(lane, gains=lane.gains * weight) if blend is None else replace(lane, row=number * count)
            for number, (recipe, weight) in enumerate(zip(recipes, weights, strict=True))
            for lane in recipe.lanes(heard)
        ]

    chunks = [recipe.chunk_s for recipe in recipes if recipe.chunk_s is not None]
    settings = {**first.settings, "ensemble_type": kind}
    if chunks:
        settings["chunk_seconds"] = round(max(chunks), 3)
    if blend is None:
        settings["ensemble_weights"] = [round(weight, 4) for weight in weights]
    return replace(
        first,
        model="+".join(recipe.model for recipe in recipes),
        channels=first.channels if len({recipe.channels for recipe in recipes}) == 1 else STEREO,
        selection=selection.narrowed(),
        lanes=lanes,
        settings=settings,
        chunk_s=max(chunks) if len(chunks) == len(recipes) else None,
        blend=None if blend is None else lambda _: blend(),
    )
