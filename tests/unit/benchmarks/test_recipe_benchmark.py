"""The benchmarks of recipes: what they run is a recipe, and what they report is its ratio."""

from benchmarks import memory, recipes
from utils.core.recipes import read_recipe


def test_what_is_measured_is_a_recipe():
    """In both, with three models or in two passes."""
    timed = read_recipe({"steps": recipes.STEPS, "outputs": recipes.OUTPUTS}, "timed")
    assert len({step.model for step in timed.model_steps.values()}) == 3
    assert len(read_recipe(memory.RECIPE, "memory").steps) == 4


def test_the_ratio_is_the_middle_one():
    """Of the whole job to its networks, and to the batch."""
    text = recipes.report([recipes.Timed(2.0, 2.0, 4.0), recipes.Timed(3.0, 2.0, 4.0), recipes.Timed(2.2, 2.0, 4.0)])
    assert "**1.100** of its networks" in text
    assert "0.550 of the batch" in text
