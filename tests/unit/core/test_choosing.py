"""Which models fit a wish, and in which order."""

import pytest

from utils.core.catalogue import PURPOSES, SCORED_ON
from utils.core.choosing import TIERS, UNSCORED, chosen, score_for, tier_of
from utils.core.replies import ModelDetails
from utils.core.requests import ListModels


def model(name, **facts):
    known = {
        "type": "scnet",
        "stems": ["vocals"],
        "description": "",
        "installed": False,
        "size_bytes": 100,
        "sdr": None,
        "license": None,
        "purposes": ["vocals"],
        "speed": "medium",
        "commercial_use": None,
    }
    return ModelDetails(name=name, **{**known, **facts})


def names(models, **wanted):
    return [one.name for one in chosen(models, ListModels(**wanted))]


def test_without_a_wish_nothing_changes():
    """Neither which models there are nor their order."""
    assert names([model("b"), model("a", purposes=[])]) == ["b", "a"]


def test_the_best_published_score_for_a_purpose_comes_first():
    """The score of the stem that the purpose is about counts; models without one come last."""
    models = [
        model("none"),
        model("low", sdr={"vocals": 9.0, "other": 15.0}, sdr_on="mvsep"),
        model("high", sdr={"instrumental": 1.0, "vocals": 10.0}, sdr_on="unstated"),
        model("other", purposes=["drums"], sdr={"vocals": 20.0}, sdr_on="mvsep"),
    ]
    assert names(models, purpose="vocals") == ["high", "low", "none"]


def test_scores_on_different_songs_are_kept_apart():
    """A high score on an author's own songs is not before one that can be compared."""
    models = [
        model("author", sdr={"vocals": 12.9}, sdr_on="author"),
        model("median", sdr={"vocals": 12.5}, sdr_on="musdb18_median"),
        model("test", sdr={"vocals": 11.0}, sdr_on="musdb18"),
        model("mvsep", sdr={"vocals": 8.0}, sdr_on="mvsep"),
    ]
    assert names(models, purpose="vocals") == ["mvsep", "test", "median", "author"]
    assert [tier_of(one, "vocals") for one in models] == sorted(
        (tier_of(one, "vocals") for one in models), reverse=True
    )
    assert tier_of(models[0], "drums") == UNSCORED


def test_every_set_of_songs_has_a_tier():
    """None of them is after the models without a score."""
    assert TIERS.keys() == SCORED_ON.keys()
    assert max(TIERS.values()) < UNSCORED


def test_four_stems_have_an_average_even_if_nobody_publishes_it():
    """With fewer, nothing is made up."""
    four = {"drums": 1.0, "bass": 2.0, "other": 3.0, "vocals": 6.0}
    assert score_for(model("x", sdr=four), "stems") == ("average", 3.0)
    assert score_for(model("x", sdr={**four, "average": 5.0}), "stems") == ("average", 5.0)
    assert score_for(model("x", sdr={"drums": 1.0, "bass": 2.0}), "stems") is None
    assert all(score_for(model("x"), purpose) is None for purpose in PURPOSES)


@pytest.mark.parametrize(
    ("wanted", "fitting"),
    [
        ({"installed": True}, ["there"]),
        ({"installed": False}, ["free", "unknown"]),
        ({"commercial_use": True}, ["free"]),
        ({"commercial_use": False}, ["there", "free", "unknown"]),
        ({"speed": "slow"}, ["there", "free"]),
        ({"speed": "medium"}, ["free"]),
        ({"speed": "fast"}, ["free"]),
        ({"max_size_bytes": 50}, ["free"]),
        ({"max_size_bytes": 49}, []),
        ({"purpose": "drums"}, []),
    ],
)
def test_filters(wanted, fitting):
    """What is not known of a model does not fit."""
    models = [
        model("there", installed=True, speed="slow", commercial_use=False),
        model("free", commercial_use=True, speed="fast", size_bytes=50),
        ModelDetails(
            name="unknown",
            type="scnet",
            stems=[],
            description="",
            installed=False,
            size_bytes=None,
            sdr=None,
            license=None,
        ),
    ]
    assert names(models, **wanted) == fitting
