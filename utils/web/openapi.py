"""The server's description, made from the types that it decodes and encodes itself."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from utils import __version__
from utils.core.recipe_checks import FORMS
from utils.core.requests import DsuSeparate, Separate
from utils.web.asking import FILES, OWN
from utils.web.shapes import Failure, NewJob

Schema = dict[str, Any]
REFERENCE = "#/components/schemas/{name}"
JSON = "application/json"
OPTIONS = "SeparateOptions"
FORM_BODY = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "request": {"type": "string", "description": "JSON: the fields of the worker's command."},
    },
}


@dataclass
class Endpoint:
    """An address, and what the OpenAPI document says of it."""

    method: str
    path: str
    does: Callable[[Request], Awaitable[Response]]
    title: str
    answers: Mapping[int, type | str] = field(default_factory=dict)  # a type, or what kind of content
    body: type | str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_documented: bool = True


# What may come instead of an answer, whatever is asked.
FAILURES = {
    "4XX": "The request is wrong, not allowed, or too much.",
    "5XX": "The server, its disk or its worker cannot do it.",
}


def document(endpoints: Iterable[Endpoint]) -> Schema:
    """The OpenAPI document."""
    shown = [endpoint for endpoint in endpoints if endpoint.is_documented]
    types: dict[type[msgspec.Struct], None] = {Failure: None}
    for endpoint in shown:
        types.update(
            dict.fromkeys(kind for kind in (*endpoint.answers.values(), endpoint.body) if isinstance(kind, type))
        )
    forms: list[type[Separate]] = [DsuSeparate, *dict.fromkeys(FORMS.values())]
    _, schemas = msgspec.json.schema_components([*types, *forms], ref_template=REFERENCE)
    options: dict[str, list[Schema]] = {}
    for form in forms:
        own: Schema = schemas.pop(form.__name__)
        for name, option in _fields(own).items():
            options.setdefault(name, []).append(option)
    schemas[OPTIONS] = {
        "type": "object",
        "description": "Fields of the worker's commands. Which of them a job may have depends on its model: see `/v1/schema`.",
        "properties": {name: _any_of(found) for name, found in options.items()},
    }
    schemas[NewJob.__name__]["properties"]["request"]["$ref"] = REFERENCE.format(name=OPTIONS)
    paths: dict[str, Schema] = {}
    for endpoint in shown:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DSU", "version": __version__, "license": {"name": "MIT"}},
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "dsu-PORT"},
            },
        },
    }


def _any_of(schemas: list[Schema]) -> Schema:
    """One schema for a field that families may have in different forms."""
    different = [schema for number, schema in enumerate(schemas) if schema not in schemas[:number]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _operation(endpoint: Endpoint) -> Schema:
    places = [_parameter(name, "path", "") for name in re.findall(r"{(\w+)", endpoint.path)]
    places += [_parameter(name, "query", text) for name, text in endpoint.query.items()]
    places += [_parameter(name, "header", text) for name, text in endpoint.headers.items()]
    answers: dict[str, Schema] = {
        str(status): {"description": endpoint.title, **({"content": _content(kind)} if kind else {})}
        for status, kind in endpoint.answers.items()
    }
    answers |= {status: {"description": text, "content": _content(Failure)} for status, text in FAILURES.items()}
    words = re.findall(r"\w+", endpoint.path.removeprefix("/v1"))
    found: Schema = {
        "operationId": "_".join([endpoint.method.lower(), *words]),
        "summary": endpoint.title,
        "responses": answers,
    }
    if places:
        found["parameters"] = places
    if endpoint.body:
        content = _content(endpoint.body)
        if endpoint.body is NewJob:
            content["multipart/form-data"] = {"schema": FORM_BODY}
        found["requestBody"] = {"required": True, "content": content}
    if endpoint.path == "/v1/health":
        found["security"] = []
    return found


def _parameter(name: str, place: str, text: str) -> Schema:
    told = {"description": text} if text else {}
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}, **told}


def _content(kind: type | str) -> Schema:
    if isinstance(kind, type):
        return {JSON: {"schema": {"$ref": REFERENCE.format(name=kind.__name__)}}}
    schema = {"type": "object"} if kind == JSON else {"type": "string"}
    return {kind: {"schema": schema}}


@functools.cache
def request_schema() -> Schema:
    """The fields that `request` of a job may have: those of all models, and those of each family's."""
    types: dict[str, type[Separate]] = {"common": DsuSeparate, **{str(family): form for family, form in FORMS.items()}}
    _, definitions = msgspec.json.schema_components(types.values(), ref_template="#/definitions/{name}")
    common = _fields(definitions[DsuSeparate.__name__])
    families = {
        family: {
            "type": "object",
            "description": definitions[form.__name__].get("description", ""),
            "properties": {
                name: field for name, field in _fields(definitions[form.__name__]).items() if name not in common
            },
        }
        for family, form in FORMS.items()
    }
    forms = {form.__name__ for form in types.values()}
    return {
        "type": "object",
        "properties": common,
        "families": families,
        "definitions": {name: schema for name, schema in definitions.items() if name not in forms},
    }


FAMILIES = (*FORMS, "recipe")
# Which model or recipe it is says the form of the job, not its options.
CHOICES = frozenset({"model", "recipe", "family", "policy", "ensemble", "ensemble_type", "ensemble_weights"})


@functools.cache
def family_schema(family: str) -> Schema:
    """The options of a family's models, or of recipes."""
    form = DsuSeparate if family == "recipe" else next(form for name, form in FORMS.items() if name == family)
    _, definitions = msgspec.json.schema_components([form], ref_template="#/definitions/{name}")
    without = CHOICES | ({"stems", "two_stems"} if family == "recipe" else set())
    fields = _fields(definitions.pop(form.__name__))
    properties = {name: field for name, field in fields.items() if name not in without}
    return {"type": "object", "properties": properties, "definitions": definitions}


def _fields(schema: Mapping[str, Any]) -> Schema:
    """The fields that clients may set, each with a title."""
    return {
        name: {"title": name.replace("_", " ").capitalize(), **field}
        for name, field in schema["properties"].items()
        if name not in OWN | FILES
    }
