"""`dsu recipe list`, `show` and `check`, and what `dsu separate --recipe` needs to know of a recipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from utils.commandline.existing import Results
from utils.commandline.layout import FORMAT, Layout, Option, Run, closing, template_option
from utils.commandline.model_list import INSTEAD, shown_size
from utils.commandline.options import Options, Typed
from utils.commandline.program import Listing, Program
from utils.core.api import EngineApi
from utils.core.errors import DsuError, InvalidRequest
from utils.core.recipe_checks import CheckedRecipe, check_recipe, described
from utils.core.recipes import Recipe, read_recipe
from utils.core.replies import ModelDetails
from utils.core.requests import DsuSeparate, ListModels, Separate
from utils.core.settings import FIELDS, Settings, resolve
from utils.store.recipes import SUFFIXES, find_recipe, read_recipe_file, readable_recipes


def recipe_called(name: str, settings: Settings) -> Recipe:
    """The recipe with this name, or in this file. Raises `InvalidRequest` or `ConfigInvalid`."""
    path = Path(name).expanduser()
    return read_recipe_file(path) if path.suffix.lower() in SUFFIXES else find_recipe(name, settings)


# dsu separate --recipe ------------------------------------------------------------------------------------------------


def understand(typed: Typed) -> Options[DsuSeparate]:
    """A recipe in a file is sent as what the file says, one with a name by its name."""
    name = typed.words.recipe
    path = Path(name).expanduser()
    if path.suffix.lower() in SUFFIXES:
        typed.words.recipe = read_recipe_file(path).document
    typed.words.overwrite = typed.words.overwrite or bool(typed.words.resume)
    return typed.understand(DsuSeparate)


def checked_for(engine: EngineApi, request: DsuSeparate) -> CheckedRecipe:
    """The recipe of a request, with what is known of its models."""
    asked = request.recipe
    recipe = find_recipe(asked, engine.settings) if isinstance(asked, str) else read_recipe(asked, "recipe")
    models = engine.list_models(ListModels(details=True)).details
    return check_recipe(recipe, models or (), policy=request.policy)


def find_models(engine: EngineApi, request: DsuSeparate) -> list[ModelDetails]:
    """The public models of the recipe."""
    uses = checked_for(engine, request).uses.values()
    return list({use.name: use.details for use in uses if use.details is not None}.values())


def results(request: DsuSeparate, models: Sequence[ModelDetails]) -> Results:
    del models
    if isinstance(request.recipe, str):  # what it writes is only known once it is read
        return Results(request.recipe, (None,))
    outputs: dict[str, object] = (request.recipe or {})["outputs"]
    return Results("recipe", tuple(outputs))


FAMILY = Program(
    Layout(
        program="",
        description="Separate songs by a recipe: several models, on the song and on each other's stems.",
        requests=(DsuSeparate,),
        groups={
            "recipe": (
                "recipe",
                "policy",
                "recipes_dir",
                "download",
                "models_dir",
                "offline",
                "allow_unsafe_checkpoints",
            ),
            "output": ("output", "name_template", *FORMAT),
        },
        options={
            "recipe": Option(help="a name from `dsu recipe list`, or a YAML or JSON file", metavar="NAME"),
            "policy": Option(help="refuse models whose licence does not allow commercial use, or is not known"),
            "recipes_dir": Option(metavar="DIR"),
            "name_template": template_option(Separate.template),
        },
        hidden=frozenset({"model", "family", "stems", "two_stems", "list_models"}),
        refused=dict.fromkeys(("-m", "--model"), "A recipe names its models itself: give either --recipe or -m."),
        instead=INSTEAD,
        epilog=f"""\
examples:
  dsu separate --recipe dsu_mini song.mp3
  dsu separate --recipe mine.yaml songs/ -o out
{closing("dsu worker")}""",
    ),
    understand,
    find_models,
    results,
)

# dsu recipe -----------------------------------------------------------------------------------------------------------


class RecipeLook(Run, frozen=True, kw_only=True):
    """How recipes are looked at."""

    json: Annotated[bool, Meta(description="Print one JSON document.")] = False
    policy: Annotated[
        Literal["commercial"] | None,
        Meta(description="Also refuse models whose licence does not allow commercial use, or is not known."),
    ] = None


LAYOUT = Layout(
    program="dsu recipe",
    description="Look at recipes, which say which models work on a song and on each other's stems.",
    requests=(),
    groups={},
    ungrouped=("json", "policy", "models_dir", "recipes_dir"),
    machine=(),
    run=RecipeLook,
    options={"recipes_dir": Option(metavar="DIR")},
    usage="[options] list | show NAME ... | check NAME_OR_FILE ...",
    things=("ACTION", "`list`, or `show` or `check` with names of recipes, or files"),
    instead=INSTEAD,
    epilog="""\
list   all recipes: those that come with DSU, and your own
show   what a recipe needs and writes
check  whether a recipe can run; says what is wrong, and where

An asterisk marks recipes whose models are all installed.
""",
)


def look(typed: Typed, listing: Listing) -> int:
    """Do what is asked of recipes. Raises what is wrong with one."""
    action, *names = typed.words.tracks or ("list",)
    if action not in ("list", "show", "check"):
        raise InvalidRequest(f"`dsu recipe` has `list`, `show` and `check`, not `{action}`.")
    if (action == "list") == bool(names):
        raise InvalidRequest("`dsu recipe list` takes no names." if names else f"`dsu recipe {action}` needs a name.")
    settings = resolve(typed.given(FIELDS))
    known = listing(settings.models_dir, None)
    policy = typed.words.policy
    if action == "list":
        recipes = list(_usable(settings, known, policy))
    else:
        recipes = [check_recipe(recipe_called(name, settings), known, policy=policy) for name in names]
    lines = {"list": table, "show": facts, "check": verdicts}[action](recipes)
    if typed.words.json:
        lines = iter([json.dumps([msgspec.to_builtins(described(recipe)) for recipe in recipes], indent=2)])
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _usable(settings: Settings, known: Sequence[ModelDetails], policy: str | None) -> Iterator[CheckedRecipe]:
    """All recipes that can run; why others cannot is said."""

    def warn(warning: str) -> None:
        sys.stderr.write(f"{LAYOUT.program}: {warning}\n")

    for recipe in readable_recipes(settings, warn):
        try:
            yield check_recipe(recipe, known, policy=policy)
        except DsuError as error:
            warn(f"The recipe `{recipe.name}` is left out. {error.message}")


def table(recipes: Sequence[CheckedRecipe]) -> Iterator[str]:
    """A line for each recipe."""
    width = max((len(checked.recipe.name) for checked in recipes), default=0)
    for checked in recipes:
        details = described(checked)
        yield f"{'*' if details.installed else ' '} {details.name:{width}}  {details.description}".rstrip()


def facts(recipes: Sequence[CheckedRecipe]) -> Iterator[str]:
    """All that is known of recipes, a fact on each line."""
    for checked in recipes:
        details = described(checked)
        yield f"name       {details.name}"
        yield f"about      {details.description}"
        yield f"writes     {', '.join(details.stems)}"
        yield f"steps      {', '.join(details.steps)}"
        yield f"commercial {'yes' if details.commercial else 'no, or not known'}"
        for model in details.models:
            size = "" if model.size_bytes is None else f", {shown_size(model.size_bytes)}"
            there = "installed" if model.installed else "not installed"
            yield f"model      {model.model}: {there}{size}, licence {model.license or 'not stated'}"


def verdicts(recipes: Sequence[CheckedRecipe]) -> Iterator[str]:
    """That nothing is wrong, and what might be."""
    for checked in recipes:
        yield f"{checked.recipe.name}: nothing is wrong with this recipe."
        for step in checked.recipe.unused:
            yield f"{checked.recipe.name}: no output needs the step `{step}`."
