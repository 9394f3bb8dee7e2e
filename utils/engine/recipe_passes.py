"""In which passes the models of a recipe run. Pure.

A model runs in the first pass in which it can: beside the steps that it hears, or after them if it has to hear all of their
stem first, and only where its pass has room for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StepFacts:
    """What is known of a step once its model has been read."""

    model: str  # the same for steps with the same model, which is loaded once
    size_bytes: int
    listens_first: bool
    sample_rate: int
    channels: int
    file_rate: int | None = None  # of files, where that is above the model's


def plan_passes(
    facts: Mapping[str, StepFacts], hears: Mapping[str, Collection[str] | None], budget_bytes: int
) -> list[list[str]]:
    """The steps of each pass. `facts` has them in an order in which each comes after those that it `hears`.

    A step that hears the song itself has None there; what it hears may also be made of the song without any model. Models of one pass take `budget_bytes` together at most, but one may always run.
    """
    passes: list[list[str]] = []
    place: dict[str, int] = {}
    for step, fact in facts.items():
        heard = hears[step]
        first = 0 if heard is None else max((place[before] for before in heard), default=0) + fact.listens_first
        number = next(
            (number for number in range(first, len(passes)) if _fits(facts, [*passes[number], step], budget_bytes)),
            max(first, len(passes)),
        )
        passes += [[] for _ in range(len(passes), number + 1)]
        passes[number].append(step)
        place[step] = number
    return passes or [[]]


def size_of(facts: Mapping[str, StepFacts], steps: Collection[str]) -> int:
    """The bytes of the models of some steps together."""
    return sum({facts[step].model: facts[step].size_bytes for step in steps}.values())


def _fits(facts: Mapping[str, StepFacts], steps: Collection[str], budget_bytes: int) -> bool:
    return len({facts[step].model for step in steps}) == 1 or size_of(facts, steps) <= budget_bytes
