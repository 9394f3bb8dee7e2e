"""What docs/quality.md shows can be typed, and can run."""

import re
import shlex
from pathlib import Path

import msgspec
import pytest
import yaml

from utils.commandline import dsu
from utils.core.recipe_checks import check_recipe
from utils.core.recipes import read_recipe
from utils.core.requests import DsuSeparate
from utils.store.listing import list_models

TEXT = (Path(__file__).parents[3] / "docs" / "quality.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    dsu separate (.*)$", TEXT, re.MULTILINE)
REQUESTS = re.findall(r"^    (\{.*\})$", TEXT, re.MULTILINE)
RECIPES = [yaml.safe_load(found) for found in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


def listing(models_dir, repo):
    return list_models("dsu", Path("no such folder"))


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_line_is_understood(line):
    """It names a known model or recipe, and all of its options are such of that family."""
    words = shlex.split(line, comments=True)
    family, name = dsu.choose_family(words, listing)
    program = dsu.RECIPES if family == dsu.BY_RECIPE else dsu.program_of(family, name)
    options = program.parse(words)
    assert options.tracks == ("song.mp3",)
    fields = {option.removeprefix("--").replace("-", "_") for option in words if option.startswith("--")}
    assert all(getattr(options.request, field) for field in fields)
    assert msgspec.convert(msgspec.to_builtins(options.request), type(options.request)) == options.request


def test_each_request_is_one_of_dsu():
    """With values within their bounds."""
    assert len(REQUESTS) == 1
    for line in REQUESTS:
        assert msgspec.json.decode(line, type=DsuSeparate, strict=True).asked_loudness is not None


def test_each_recipe_can_run():
    """With models that there are, and their stems."""
    assert len(RECIPES) == 1
    for content in RECIPES:
        assert check_recipe(read_recipe(content, "shown"), listing(None, None)).recipe.unused == ()
