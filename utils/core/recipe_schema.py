"""The JSON Schema of recipes, made from the types that they are read into."""

from __future__ import annotations

from typing import Any

import msgspec

from utils.core.recipe_checks import FORMS, OF_THE_JOB
from utils.core.recipes import COMBINING, NAME, ModelStep, RecipeDocument, RecipeOutput

Schema = dict[str, Any]
ROOT = "Recipe"


def recipe_definitions(reference: str) -> dict[str, Schema]:
    """The schema of a recipe, under its name, and what it refers to; `reference` is how, with `{name}`."""
    structs: tuple[type[msgspec.Struct], ...] = (RecipeDocument, RecipeOutput, *COMBINING)
    _, found = msgspec.json.schema_components((*structs, *dict.fromkeys(FORMS.values())), ref_template=reference)
    definitions = {struct.__name__: found[struct.__name__] for struct in structs}
    definitions["ModelStep"] = _model_step(found)

    def refer(name: str) -> Schema:
        return {"$ref": reference.format(name=name)}

    root = definitions.pop("RecipeDocument")
    names = [ModelStep.__name__, *(kind.__name__ for kind in COMBINING)]
    kinds = {"anyOf": [refer(name) for name in names]}
    named, listed = root["properties"]["steps"]["anyOf"]
    named |= {"additionalProperties": kinds, "propertyNames": {"pattern": f"^{NAME.pattern}$"}}
    listed["items"] = {"type": "object", "required": ["name"]}
    output = {"anyOf": [{"type": "string"}, refer("RecipeOutput")]}
    root["properties"]["outputs"]["additionalProperties"] = output
    return {ROOT: {**root, "title": ROOT}, **definitions}


def recipe_schema() -> Schema:
    """The same as one document."""
    definitions = recipe_definitions("#/$defs/{name}")
    root = definitions.pop(ROOT)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": definitions}


def _model_step(found: dict[str, Schema]) -> Schema:
    """A step with a model: the options of all families. Which of them its model has depends on the family."""
    options: dict[str, Schema] = {}
    for form in FORMS.values():
        for name, option in found[form.__name__]["properties"].items():
            if name not in OF_THE_JOB and name not in ("cmd", "model"):
                options.setdefault(name, option)
    text = {"type": "string"}
    return {
        "title": "ModelStep",
        "description": ModelStep.__doc__,
        "type": "object",
        "properties": {
            "model": {**text, "description": "Name of the model, or of its file."},
            "input": {**text, "description": "What the model hears: `mix`, `STEP.STEM` or `STEP`.", "default": "mix"},
            "family": {"enum": list(FORMS), "description": "The family of the model, if its name is not enough."},
            **options,
        },
        "anyOf": [{"required": [name]} for name in ("model", "model_path", "text", "texts")],
        "additionalProperties": False,
    }
