"""docs/reference/http.md: fresh, and with every address and type that the server describes."""

import re

import pytest

from tools import http_docs as docs

DOCUMENT = docs.document()


def test_the_file_is_fresh():
    """`python -m tools.http_docs` was run after the last change."""
    assert docs.TARGET.read_text(encoding="utf-8") == docs.render(DOCUMENT)


def test_every_address_and_every_link_has_its_section():
    """No type is named that is described nowhere."""
    text = docs.render(DOCUMENT)
    titles = re.findall(r"^### (.*)$", text, re.MULTILINE)
    addresses = [f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods]
    assert set(addresses) <= set(titles)
    assert len(titles) == len(set(titles))
    assert set(re.findall(r"\(#(\w+)\)", text)) <= {title.lower() for title in titles}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "whole number or null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Stem"}}, "list of [`Stem`](#stem)"),
        ({"$ref": "#/components/schemas/Preview"}, "[`Preview`](../protocol.md#preview)"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({}, "anything"),
    ],
)
def test_types_are_said_in_words(schema, words):
    """And those of the protocol are on its page."""
    assert docs.words(schema) == words
