"""Which models fit what somebody wants, and in which order. Pure: over what is known of models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, get_args

from utils.core.catalogue import PURPOSES, Purpose, ScoredOn, Speed
from utils.core.replies import ModelDetails
from utils.core.requests import ListModels

SPEEDS: tuple[Speed, ...] = get_args(Speed)
FOUR_STEMS = ("drums", "bass", "other", "vocals")
# Scores on sets of one tier are listed together; those of a later tier say less about other songs, or are fewer.
TIERS: dict[ScoredOn, int] = {"mvsep": 0, "unstated": 0, "musdb18": 1, "musdb18_median": 2, "other": 3, "author": 4}
UNSCORED = 5


class Score(NamedTuple):
    """The SDR that counts for a purpose."""

    stem: str
    sdr: float


def score_for(model: ModelDetails, purpose: Purpose) -> Score | None:
    """What is published about a model for a purpose. Where an average counts, it is that of the usual four stems."""
    sdr = model.sdr or {}
    for stem in PURPOSES[purpose].scored:
        if stem in sdr:
            return Score(stem, sdr[stem])
        if stem == "average" and all(each in sdr for each in FOUR_STEMS):
            return Score(stem, sum(sdr[each] for each in FOUR_STEMS) / len(FOUR_STEMS))
    return None


def tier_of(model: ModelDetails, purpose: Purpose) -> int:
    """With which other models a model can be compared, by what its score was measured on."""
    return TIERS[model.sdr_on or "other"] if score_for(model, purpose) is not None else UNSCORED


def chosen(models: Iterable[ModelDetails], wanted: ListModels) -> list[ModelDetails]:
    """The models that fit a request, for a purpose the best first."""
    fitting = [model for model in models if _fits(model, wanted)]
    purpose = wanted.purpose
    if purpose is None:
        return fitting

    def place(model: ModelDetails) -> tuple[int, float]:
        score = score_for(model, purpose)
        return tier_of(model, purpose), -score.sdr if score is not None else 0.0

    return sorted(fitting, key=place)


def _fits(model: ModelDetails, wanted: ListModels) -> bool:
    if wanted.purpose is not None and wanted.purpose not in (model.purposes or ()):
        return False
    if wanted.installed is not None and model.installed is not wanted.installed:
        return False
    if wanted.commercial_use and model.commercial_use is not True:
        return False
    if wanted.speed is not None and (not model.speed or SPEEDS.index(model.speed) > SPEEDS.index(wanted.speed)):
        return False
    largest = wanted.max_size_bytes
    return largest is None or (model.size_bytes is not None and model.size_bytes <= largest)
