"""Files of recipes: found by their names, read as data within bounds."""

import json

import pytest

from utils.core.errors import ConfigInvalid, InvalidRequest
from utils.core.settings import Settings
from utils.store.recipes import LARGEST_BYTES, find_recipe, read_recipe_file, readable_recipes, recipe_files

CONTENT = {"steps": {"voice": {"model": "vocals_melband"}}, "outputs": {"vocals": "voice"}}


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "models" / "recipes").mkdir(parents=True)
    return Settings(models_dir=tmp_path / "models")


def write(settings, name, content=CONTENT):
    path = settings.models_dir / "recipes" / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_recipe_is_called_like_its_file(settings):
    """JSON is read as YAML is; other files are no recipes."""
    write(settings, "mine.json")
    write(settings, "yours.yaml", "steps: {voice: {model: vocals_melband}}\noutputs: {vocals: voice}\n")
    write(settings, "notes.txt")
    assert find_recipe("mine", settings).steps == find_recipe("yours", settings).steps
    assert find_recipe("mine", settings).name == "mine"
    assert "notes" not in recipe_files(settings)


def test_ones_own_recipes_come_first_and_may_be_anywhere(settings, tmp_path):
    """The setting `recipes_dir` names their folder."""
    elsewhere = Settings(models_dir=tmp_path, recipes_dir=settings.models_dir / "recipes")
    write(settings, "dsu_mini.json")
    assert "vocals" in find_recipe("dsu_mini", elsewhere).outputs
    assert find_recipe("dsu_mini", elsewhere).steps.keys() == {"voice"}


def test_an_unknown_name_gets_suggestions(settings):
    """As models do."""
    write(settings, "karaoke_of_mine.json")
    with pytest.raises(InvalidRequest, match="Did you mean: karaoke_of_mine") as caught:
        find_recipe("karaoke_of_mien", settings)
    assert caught.value.field == "recipe"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("steps: [", "line"),
        ("x" * (LARGEST_BYTES + 1), "too large"),
        ("steps: !!python/object:os.system {}", "not allowed"),
        ("a: &a [*a]", "contains itself"),
        ("[" * 2000, "mine.yaml"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_and_runs_nothing(settings, text, part):
    """It is data, and bounded."""
    with pytest.raises(ConfigInvalid, match=part):
        read_recipe_file(write(settings, "mine.yaml", text))


def test_what_is_wrong_in_a_file_names_the_file(settings):
    """Beside the place in it."""
    with pytest.raises(InvalidRequest, match=r"`mine\.json`: A recipe has no `colour`"):
        read_recipe_file(write(settings, "mine.json", {**CONTENT, "colour": 1}))


def test_lists_leave_out_what_cannot_be_read(settings):
    """With a warning, so that one bad file does not hide the others."""
    write(settings, "bad.json", {})
    write(settings, "good.json")
    warnings = []
    names = [recipe.name for recipe in readable_recipes(settings, warnings.append)]
    assert "good" in names
    assert "bad" not in names
    assert len(warnings) == 1
    assert "`bad`" in warnings[0]
