"""The recipes that come with DSU: each can run, with models of the registry, and follows what it is made after."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from utils.core.recipe_checks import check_recipe, described
from utils.core.recipe_schema import recipe_schema
from utils.core.recipes import EnsembleStep
from utils.store.folders import configs_folder
from utils.store.listing import list_models
from utils.store.recipes import FOLDER, read_recipe_file

MODELS = list_models("dsu", Path("no such folder"))
FILES = {path.stem: path for path in sorted((configs_folder() / FOLDER).iterdir())}
PRESETS = json.loads((configs_folder() / "audio_separator" / "presets.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FILES)
def test_each_can_run_and_says_what_it_is_for(name):
    """Its models and their stems exist, no step is idle, and lists can describe it."""
    checked = check_recipe(read_recipe_file(FILES[name]), MODELS)
    details = described(checked)
    assert checked.recipe.unused == ()
    assert details.description.endswith(".")
    assert all(use.details is not None and use.stems for use in checked.uses.values())


@pytest.mark.parametrize("name", FILES)
def test_each_fits_the_published_schema(name):
    """So editors that know the schema do not complain about what runs, but do about what does not."""
    content = yaml.safe_load(FILES[name].read_text(encoding="utf-8"))
    jsonschema.validate(content, recipe_schema())
    for wrong in ({**content, "colour": 1}, {**content, "steps": {"a": {"model": "x", "overlp": 1}}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, recipe_schema())


@pytest.mark.parametrize("name", PRESETS)
def test_each_named_ensemble_is_a_recipe(name):
    """With the models and the algorithm that the ensemble has."""
    checked = check_recipe(read_recipe_file(FILES[name]), MODELS)
    aliases = {alias: model.name for model in MODELS for alias in (model.name, *(model.aliases or ()))}
    assert sorted(use.name for use in checked.uses.values()) == sorted(aliases[m] for m in PRESETS[name]["models"])
    (ensemble,) = (step for step in checked.recipe.steps.values() if isinstance(step, EnsembleStep))
    assert ensemble.algorithm == PRESETS[name]["algorithm"]
    assert ensemble.weights is None


def test_one_runs_without_a_download():
    """The one on the built-in model."""
    checked = check_recipe(read_recipe_file(FILES["dsu_mini"]), MODELS, policy="commercial")
    assert described(checked).installed
