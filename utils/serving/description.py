"""The protocol of a worker as JSON Schemas, made from the types that the worker itself decodes and encodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from utils import PROTOCOL_VERSION, __version__
from utils.core import replies
from utils.core.catalogue import Worker
from utils.core.recipe_schema import recipe_definitions
from utils.core.replies import Description, Reply
from utils.core.requests import Request
from utils.serving.commands import Command, tag_of

# Lines that belong to no request.
LIFE = (replies.Loading, replies.Ready, replies.Shutdown)
REFERENCE = "#/definitions/{name}"

Schema = dict[str, Any]


def describe(worker: Worker, commands: Mapping[str, Command]) -> Description:
    """The answer to `describe`. Its schemas refer to its own `definitions`."""
    events: set[type[Reply]] = {event for command in commands.values() for event in command.events}
    lines: list[type[Reply]] = [*LIFE, *sorted(events, key=tag_of)]
    types: dict[type[Request | Reply], None] = dict.fromkeys(lines)  # an ordered set
    for command in commands.values():
        types.update(dict.fromkeys((*requests_of(command), *replies_of(command))))
    _, definitions = msgspec.json.schema_components(types, ref_template=REFERENCE)
    if any("recipe" in request.__struct_fields__ for request in types):
        definitions |= recipe_definitions(REFERENCE)
    return Description(
        protocol=PROTOCOL_VERSION,
        worker=worker.name,
        version=__version__,
        commands={
            name: {
                "description": command.request.__doc__,
                "job": command.is_job,
                "request": _any_of(requests_of(command)),
                "response": {"anyOf": [_reference(reply) for reply in replies_of(command)]},
                "events": [tag_of(event) for event in command.events],
            }
            for name, command in commands.items()
        },
        events={tag_of(line): _reference(line) for line in lines},
        definitions=definitions,
    )


def requests_of(command: Command) -> tuple[type[Request], ...]:
    """The types of requests that this command takes: one, or of `dsu` also that of each family."""
    forms = dict.fromkeys(form.request for form in command.by_family.values())
    return (command.request, *forms)


def _any_of(structs: tuple[type[Request], ...]) -> Schema:
    references = [_reference(struct) for struct in structs]
    return references[0] if len(references) == 1 else {"anyOf": references}


def replies_of(command: Command) -> tuple[type[Reply], ...]:
    """Every line that may end a request of this command."""
    return (*command.replies, *((replies.Cancelled,) if command.is_job else ()), replies.Error)


def _reference(struct: type[Request | Reply]) -> Schema:
    return {"$ref": REFERENCE.format(name=struct.__name__)}
