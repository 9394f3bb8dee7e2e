"""Where recipes are: those that come with the program, and the user's own, which come first. A file's name is the recipe's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from utils.core.errors import ConfigInvalid, InvalidRequest, did_you_mean, nearest
from utils.core.recipes import HINT, Recipe, read_recipe
from utils.core.settings import Settings
from utils.store.folders import configs_folder
from utils.store.network_config import read_yaml
from utils.store.plain_files import Warn, files_in, ignore

FOLDER = "recipes"
SUFFIXES = (".yaml", ".yml", ".json")
LARGEST_BYTES = 1 << 16


def recipe_places(settings: Settings) -> list[Path]:
    """The folders with recipes."""
    return [settings.recipes_dir or settings.models_dir / FOLDER, configs_folder() / FOLDER]


def recipe_files(settings: Settings, warn: Warn = ignore) -> dict[str, Path]:
    """The file of each recipe, by its name."""
    found: dict[str, Path] = {}
    for folder in recipe_places(settings):
        for path in files_in(folder, warn):
            if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                found.setdefault(path.stem, path)
    return found


def read_recipe_file(path: Path) -> Recipe:
    """The recipe in a file. Raises `InvalidRequest` with the place in it, or `ConfigInvalid`."""
    content = read_yaml(path, LARGEST_BYTES)
    try:
        return read_recipe(content, path.stem)
    except InvalidRequest as error:
        message = f"`{path.name}`: {error.message}"
        raise InvalidRequest(message, hint=error.hint, suggestions=error.suggestions, field=error.field) from error


def find_recipe(name: str, settings: Settings) -> Recipe:
    """The recipe with this name. Raises `InvalidRequest` if there is none."""
    files = recipe_files(settings)
    if name not in files:
        near = nearest(name, files)
        raise InvalidRequest(
            f"There is no recipe `{name}`.{did_you_mean(near)}",
            hint=HINT,
            suggestions=near or list(files),
            field="recipe",
        )
    return read_recipe_file(files[name])


def readable_recipes(settings: Settings, warn: Warn) -> Iterator[Recipe]:
    """All recipes that can be read; of the others, the caller is warned."""
    for name, path in sorted(recipe_files(settings, warn).items()):
        try:
            yield read_recipe_file(path)
        except (InvalidRequest, ConfigInvalid) as error:
            warn(f"The recipe `{name}` is left out. {error.message}")
