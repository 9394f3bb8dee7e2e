"""Writes docs/reference/http.md from the document that the server gives of itself.

python -m tools.http_docs           write the file
python -m tools.http_docs --check   exit with 1 if it is stale
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.generated import table, write_or_check
from utils.core import requests
from utils.web import openapi
from utils.web.app import WebServer
from utils.web.options import WebOptions

TARGET = Path(__file__).parents[1] / "docs" / "reference" / "http.md"
HEAD = """\
# The HTTP API

<!-- Written by `python -m tools.http_docs` from the OpenAPI document of the server. -->

Each address of `dsu serve`, and each type. [Over HTTP](../http.md) says what is behind them, and `GET /openapi.json` is the same for programs.
"""
KINDS = {
    "string": "string",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
}
PROTOCOL = "../protocol.md"
FIELDS = "[fields of `separate`](requests/dsu.md#separate) and of its model's family"


def document() -> dict[str, Any]:
    """What `GET /openapi.json` answers."""
    with tempfile.TemporaryDirectory() as folder:
        return openapi.document(WebServer(WebOptions(data=Path(folder)), "", 0).endpoints)


def words(schema: Mapping[str, Any]) -> str:
    """A type in words, with links to the types that have a section."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(words(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {words(schema.get('items', {}))}"
    return KINDS.get(schema.get("type", ""), "null" if schema.get("type") == "null" else "anything")


def _link(name: str) -> str:
    if name == openapi.OPTIONS:
        return FIELDS
    is_of_the_protocol = hasattr(requests, name)
    return f"[`{name}`]({PROTOCOL if is_of_the_protocol else ''}#{name.lower()})"


def content_words(content: Mapping[str, Any]) -> str:
    """What a body may be: types of its JSON, or kinds of content."""
    return " or ".join(
        words(media["schema"]) if "$ref" in media["schema"] else f"`{kind}`" for kind, media in content.items()
    )


def render_operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {method.upper()} {path}"
    yield operation["summary"]
    places = [place for place in operation.get("parameters", ()) if place["in"] != "path"]
    rows = [[f"`{place['name']}`", place["in"], place.get("description", "")] for place in places]
    if "requestBody" in operation:
        rows.append(["", "body", content_words(operation["requestBody"]["content"])])
    if rows:
        yield table(("name", "in", "meaning"), rows)
    answers = [
        f"{status} with {content_words(answer['content'])}" if "content" in answer else status
        for status, answer in operation["responses"].items()
        if status not in openapi.FAILURES
    ]
    yield f"Answers {', or '.join(answers)}."


def render_type(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield schema.get("description", "")
    needed = schema.get("required", ())
    rows = [
        [f"`{field}`", words(kind) + ("" if field in needed else ", *optional*"), kind.get("description", "")]
        for field, kind in schema["properties"].items()
    ]
    yield table(("field", "type", "meaning"), rows)


def render(found: Mapping[str, Any]) -> str:
    operations = [
        part
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
        for part in render_operation(method, path, operation)
    ]
    schemas = {
        name: schema
        for name, schema in found["components"]["schemas"].items()
        if name != openapi.OPTIONS and not hasattr(requests, name)
    }
    types = [part for name, schema in schemas.items() for part in render_type(name, schema)]
    failures = [
        f"{status}: {text} The body is {_link('Failure')}, with a code of [the protocol]({PROTOCOL}#errors)."
        for status, text in openapi.FAILURES.items()
    ]
    parts = [
        HEAD.rstrip(),
        "## Addresses",
        "\n".join(f"- {text}" for text in failures),
        *operations,
        "## Types",
        *types,
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def main(argv: Sequence[str]) -> int:
    return write_or_check({TARGET: render(document())}, argv, "tools.http_docs")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
