"""Writes the Node client's `protocol.d.ts` and `lib/protocol.js` from the types that the workers decode and encode.

    python -m clients.node.generate_types           write the files
    python -m clients.node.generate_types --check   exit with 1 if one of them is stale

The first is for the compiler; the second holds what the client must know while it runs: which workers there are,
which of their commands are jobs, and which lines end them.
"""  # noqa: INP001  not a package of Python: this folder is a package of npm

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tools.protocol_docs import all_commands, every_code, every_event
from utils import PROTOCOL_VERSION
from utils.core.replies import Reply
from utils.core.requests import Request
from utils.serving.commands import Command, tag_of
from utils.serving.commands.table import commands_of
from utils.serving.description import LIFE, replies_of
from workers import WORKERS

FOLDER = Path(__file__).parent
HEAD = "// Written by `python -m clients.node.generate_types` from the types in utils/core. Do not edit.\n"

Schema = Mapping[str, Any]

# `Error` is a word of the language.
RENAMED = {"Error": "ErrorReply"}
PRIMITIVES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


# Types ------------------------------------------------------------------------------------------------------------


def name_of(struct: type[Request | Reply]) -> str:
    return RENAMED.get(struct.__name__, struct.__name__)


def type_text(schema: Schema, *, asked: bool) -> str:
    """A JSON Schema as a type; `asked` where a client writes the value and does not read it."""
    if "$ref" in schema:
        return RENAMED.get(schema["$ref"], str(schema["$ref"]))
    if "enum" in schema:
        return union(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return union(type_text(part, asked=asked) for part in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"Array<{type_text(schema.get('items', {}), asked=asked)}>"
    if kind == "object":
        return object_text(schema, asked=asked)
    return PRIMITIVES.get(str(kind), "unknown")


def object_text(schema: Schema, *, asked: bool) -> str:
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        return f"Record<string, {type_text(values, asked=asked)}>"
    return "object" if asked else "Record<string, unknown>"


def union(parts: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(parts))


def comment(text: str, indent: str = "") -> str:
    """A description above what it describes; nothing where there is none."""
    return f"{indent}/** {' '.join(text.split()).replace('*/', '* /')} */\n" if text else ""


def description_of(schema: Schema) -> str:
    parts = [schema, *schema.get("anyOf", ())]
    return next((str(part["description"]) for part in parts if "description" in part), "")


def interface_text(name: str, schema: Schema, *, asked: bool) -> str:
    """One object. In a request all but the required may be left out; in a reply a field with a default is there."""
    required = set(schema.get("required", ()))
    lines = []
    for field, kind in schema.get("properties", {}).items():
        there = field in required or (not asked and "default" in kind)
        lines.append(comment(description_of(kind), "  "))
        lines.append(f"  {field}{'' if there else '?'}: {type_text(kind, asked=asked)};\n")
    return f"{comment(schema.get('description', ''))}export interface {name} {{\n{''.join(lines)}}}\n"


def every_type() -> list[type[Request | Reply]]:
    types: dict[type[Request | Reply], None] = dict.fromkeys([*LIFE, *every_event()])
    for _, command in all_commands():
        types.update(dict.fromkeys((command.request, *replies_of(command))))
    return list(types)


def asked_names(definitions: Mapping[str, Schema]) -> set[str]:
    """The objects that clients write: requests, and what requests hold."""
    found = {name for name, schema in definitions.items() if "cmd" in schema.get("properties", {})}
    inside = {name for name in definitions for owner in found if f'"$ref": "{name}"' in json.dumps(definitions[owner])}
    return found | inside


def interfaces() -> str:
    _, definitions = msgspec.json.schema_components(every_type(), ref_template="{name}")
    asked = asked_names(definitions)
    return "\n".join(
        interface_text(RENAMED.get(name, name), schema, asked=name in asked) for name, schema in definitions.items()
    )


def command_map(kind: str) -> str:
    """What each command of one worker takes, ends with and sends before."""
    rows = [f"    {name}: {row_text(command)};\n" for name, command in commands_of(WORKERS[kind]).items()]
    return f"  {json.dumps(kind)}: {{\n{''.join(rows)}  }};\n"


def row_text(command: Command) -> str:
    reply = union(name_of(reply) for reply in command.replies)
    event = union(name_of(event) for event in command.events) or "never"
    return f"{{ request: {name_of(command.request)}; reply: {reply}; event: {event} }}"


def render_types() -> str:
    codes = union(json.dumps(code) for code in every_code())
    maps = "".join(command_map(kind) for kind in WORKERS)
    lines = union(name_of(item) for item in every_type() if issubclass(item, Reply))
    return "\n".join(
        [
            HEAD,
            interfaces(),
            f"{comment('What a worker says of an error.')}export type WorkerErrorCode = {codes};\n",
            f"{comment('Any line of a worker.')}export type Line = {lines};\n",
            f"{comment('The commands of each worker.')}export interface WorkerCommands {{\n{maps}}}\n",
        ]
    )


# Tables -----------------------------------------------------------------------------------------------------------


def command_rows() -> dict[str, dict[str, Any]]:
    """Every command that a worker has: is it a job, and with which statuses does it end, but for `error`?"""
    rows: dict[str, dict[str, Any]] = {}
    for _, command in all_commands():
        row = rows.setdefault(command.name, {"job": command.is_job, "ends": []})
        row["ends"] += [tag_of(reply) for reply in replies_of(command)]
    return {
        name: {"job": row["job"], "ends": [end for end in dict.fromkeys(row["ends"]) if end != "error"]}
        for name, row in rows.items()
    }


def render_tables() -> str:
    events: list[type[Reply]] = [*LIFE, *every_event()]
    tables = {
        "PROTOCOL_VERSION": PROTOCOL_VERSION,
        "WORKERS": {kind: {"name": row.name, "script": row.script} for kind, row in WORKERS.items()},
        "COMMANDS": command_rows(),
        "EVENTS": sorted({tag_of(line) for line in events}),
    }
    assignments = [f"exports.{name} = {json.dumps(value, indent=2)};\n" for name, value in tables.items()]
    return "\n".join([HEAD + "'use strict';\n", *assignments])


# The files --------------------------------------------------------------------------------------------------------


def render() -> dict[Path, str]:
    return {FOLDER / "protocol.d.ts": render_types(), FOLDER / "lib" / "protocol.js": render_tables()}


def main(argv: Sequence[str]) -> int:
    files = render()
    if "--check" not in argv:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8", newline="\n")
        return 0
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        sys.stderr.write(f"{path.name} is stale; `python -m clients.node.generate_types` writes it.\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
