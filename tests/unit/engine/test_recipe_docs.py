"""What docs/recipes.md shows can be done as it is shown."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from demucs_case import write_song
from recipe_case import RecipeCase, samples

from utils.core.job import Job
from utils.core.recipes import KEYS, read_recipe
from utils.core.requests import DsuSeparate

TEXT = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text(encoding="utf-8")
REQUESTS = [json.loads(found) for found in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
RECIPES = [yaml.safe_load(found) for found in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
COMBINING = [yaml.safe_load(found) for found in re.findall(r"\| `(\{.*?\})` \|", TEXT)]


def test_there_are_examples():
    """Otherwise nothing below would be tested."""
    assert (len(REQUESTS), len(RECIPES)) == (2, 1)
    assert {key for step in COMBINING for key in step if key in KEYS} == set(KEYS)


@pytest.mark.parametrize("step", COMBINING, ids=str)
def test_each_way_to_combine_can_be_read(step):
    """As the table shows it."""
    steps = {"a": {"model": "dsu_mini"}, "b": {"model": "dsu_mini"}, "c": step}
    assert read_recipe({"steps": steps, "outputs": {"c": "c"}}, "shown").steps["c"]


def test_requests_and_recipes_run(tmp_path):
    """On the built-in model, with the sum that is promised."""
    write_song(tmp_path / "song.wav", 1.0)
    case = RecipeCase(tmp_path / "models", tmp_path)
    for request in REQUESTS:
        recipe = request["recipe"]
        done = case.engine.separate(
            DsuSeparate(input=str(tmp_path / "song.wav"), output=case.out(), recipe=recipe), Job()
        )
        assert all(Path(path).is_file() for path in done.paths.values())
    (recipe,) = RECIPES
    done, found = case.run(tmp_path / "song.wav", recipe["steps"], recipe["outputs"])
    assert done.settings["passes"] == [["voice"], ["band"]]
    np.testing.assert_allclose(sum(found.values()), samples(tmp_path / "song.wav"), atol=2**-14)
