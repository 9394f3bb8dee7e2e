"""In which passes models run: as few as there can be, in an order that works, within the room that there is."""

import pytest

from utils.engine.recipe_passes import StepFacts, plan_passes, size_of


def facts(**steps):
    """Steps by name: the size of each, and whether it listens first; steps whose names begin alike share a model."""
    return {name: StepFacts(name[0], size, listens, 44100, 2) for name, (size, listens) in steps.items()}


@pytest.mark.parametrize(
    ("steps", "hears", "budget", "expected"),
    [
        ({}, {}, 9, [[]]),
        ({"a": (1, False), "b": (1, False)}, {"b": "a"}, 9, [["a", "b"]]),
        ({"a": (1, True), "b": (1, True)}, {}, 9, [["a", "b"]]),
        ({"a": (1, True)}, {"a": ""}, 9, [[], ["a"]]),
        ({"a": (1, False)}, {"a": ""}, 9, [["a"]]),
        ({"a": (1, True), "b": (1, True)}, {"b": "a"}, 9, [["a"], ["b"]]),
        ({"a": (1, False), "b": (1, True), "c": (1, False)}, {"b": "a", "c": "b"}, 9, [["a"], ["b", "c"]]),
        ({"a": (5, False), "b": (5, False), "c": (4, False)}, {}, 9, [["a", "c"], ["b"]]),
        ({"a": (5, False), "b": (5, False), "c": (4, False)}, {"c": "b"}, 9, [["a"], ["b", "c"]]),
        ({"a": (99, False), "b": (1, False)}, {}, 9, [["a"], ["b"]]),
        ({"a1": (9, False), "a2": (9, False)}, {}, 9, [["a1", "a2"]]),
        ({"a1": (9, False), "a2": (9, False)}, {}, 0, [["a1", "a2"]]),
        ({"a": (1, False), "b": (1, False), "c": (1, False)}, {"c": "ab"}, 0, [["a"], ["b"], ["c"]]),
    ],
)
def test_passes(steps, hears, budget, expected):
    """A step comes beside those it hears, or after them if it listens first or has no room.

    What is made of the song without a model (`""`) has to be complete, too.
    """
    known = facts(**steps)
    assert plan_passes(known, {step: hears.get(step) for step in known}, budget) == expected


def test_a_model_takes_its_room_once():
    """However many steps use it."""
    known = facts(a1=(3, False), a2=(3, False), b=(4, False))
    assert size_of(known, known) == 7
