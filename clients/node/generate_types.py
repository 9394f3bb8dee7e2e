"""Writes the Node client's `protocol.d.ts` and `lib/protocol.js` from the types that the workers decode and encode.

    python -m clients.node.generate_types           write both files
    python -m clients.node.generate_types --check   exit with 1 if either of them is stale

The first is for the compiler: every request, reply and event, and the client's method for each command. The second is
what the client needs at run time: the workers, their commands, which of them are jobs, and which lines end them.
"""  # noqa: INP001  not a package of Python: this folder is a package of npm

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tools.generated import write_or_check
from tools.protocol_docs import all_commands, every_code, every_event
from utils import PROTOCOL_VERSION
from utils.core.replies import ManyDone, Reply
from utils.core.requests import Request
from utils.serving.commands import Command, tag_of
from utils.serving.commands.table import commands_of
from utils.serving.description import LIFE, Schema, replies_of, requests_of
from workers import WORKERS

FOLDER = Path(__file__).parent
HEAD = "// Written by `python -m clients.node.generate_types` from the types in utils/core. Do not edit.\n"

# `Error` is a global class in JavaScript.
RENAMED = {"Error": "ErrorReply"}
PRIMITIVES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}

# Commands whose methods are written by hand in lib/worker.js, because they do more than send a request.
OWN_METHODS = {"cancel": "cancel", "exit": "shutdown"}


# Types ------------------------------------------------------------------------------------------------------------


def name_of(struct: type[Request | Reply]) -> str:
    return RENAMED.get(struct.__name__, struct.__name__)


def type_text(schema: Schema, *, sent: bool) -> str:
    """A JSON Schema as a type; `sent` for values that the client writes rather than reads."""
    if "$ref" in schema:
        return RENAMED.get(schema["$ref"], str(schema["$ref"]))
    if "enum" in schema:
        return union(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return union(type_text(part, sent=sent) for part in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"Array<{type_text(schema.get('items', {}), sent=sent)}>"
    if kind == "object":
        return object_text(schema, sent=sent)
    return PRIMITIVES.get(str(kind), "unknown")


def object_text(schema: Schema, *, sent: bool) -> str:
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        return f"Record<string, {type_text(values, sent=sent)}>"
    return "object" if sent else "Record<string, unknown>"


def union(parts: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(parts))


def comment(text: str, indent: str = "") -> str:
    """A description above what it describes; nothing where there is none."""
    return f"{indent}/** {' '.join(text.split()).replace('*/', '* /')} */\n" if text else ""


def description_of(schema: Schema) -> str:
    parts = [schema, *schema.get("anyOf", ())]
    return next((str(part["description"]) for part in parts if "description" in part), "")


def interface_text(name: str, schema: Schema, *, sent: bool) -> str:
    """One object. A field with a default may be left out of a request, but is always present in a reply."""
    required = set(schema.get("required", ()))
    lines = []
    for field, kind in schema.get("properties", {}).items():
        present = field in required or (not sent and "default" in kind)
        lines.append(comment(description_of(kind), "  "))
        lines.append(f"  {field}{'' if present else '?'}: {type_text(kind, sent=sent)};\n")
    return f"{comment(schema.get('description', ''))}export interface {name} {{\n{''.join(lines)}}}\n"


def every_type() -> list[type[Request | Reply]]:
    types: dict[type[Request | Reply], None] = dict.fromkeys([*LIFE, *every_event()])
    for command in all_commands():
        types.update(dict.fromkeys((command.request, *replies_of(command))))
    return list(types)


def interfaces() -> str:
    _, definitions = msgspec.json.schema_components(every_type(), ref_template="{name}")
    requests = {name for name, schema in definitions.items() if "cmd" in schema.get("properties", {})}
    inside = {
        name for name in definitions for owner in requests if f'"$ref": "{name}"' in json.dumps(definitions[owner])
    }
    return "\n".join(
        interface_text(RENAMED.get(name, name), schema, sent=name in requests | inside)
        for name, schema in definitions.items()
    )


def command_map(kind: str) -> str:
    """For each command of a worker: its request, its replies and its events."""
    rows = [f"    {name}: {row_text(command)};\n" for name, command in commands_of(WORKERS[kind]).items()]
    return f"  {json.dumps(kind)}: {{\n{''.join(rows)}  }};\n"


def row_text(command: Command) -> str:
    reply = union(name_of(reply) for reply in command.replies)
    event = union(name_of(event) for event in command.events) or "never"
    request = union(name_of(form) for form in requests_of(command))
    return f"{{ request: {request}; reply: {reply}; event: {event} }}"


# Methods ----------------------------------------------------------------------------------------------------------


def methods() -> dict[str, str]:
    """The client's generated methods and their commands: `loadModel` sends `load_model`."""
    names = dict.fromkeys(command.name for command in all_commands() if command.name not in OWN_METHODS)
    return {camel_case(name): name for name in names}


def camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def method_text(method: str, name: str) -> str:
    """The signature of a method. A command that only some workers have is typed as theirs."""
    owners = {kind: commands_of(worker)[name] for kind, worker in WORKERS.items() if name in commands_of(worker)}
    everywhere = len(owners) == len(WORKERS)
    workers = "K" if everywhere else union(json.dumps(kind) for kind in owners)
    if not everywhere and len({command.request for command in owners.values()}) > 1:
        workers = f"Extract<K, {workers}>"  # each of them has fields of its own
    if any(ManyDone in command.replies for command in owners.values()):
        signature = "FileMethod"
    elif any(field.required for command in owners.values() for field in msgspec.structs.fields(command.request)):
        signature = "MethodWithFields"
    else:
        signature = "Method"
    where = "" if everywhere else f" Of {' and '.join(f'`{kind}`' for kind in owners)} only."
    return f"{method_comment(owners, where)}  {method}: {signature}<{workers}, {json.dumps(name)}>;\n"


def method_comment(owners: Mapping[str, Command], where: str) -> str:
    """What a method does; where that depends on the worker, an item for each description."""
    kinds: dict[str, list[str]] = {}
    for kind, command in owners.items():
        kinds.setdefault(" ".join((command.request.__doc__ or "").split()), []).append(f"`{kind}`")
    if len(kinds) == 1:
        return comment(next(iter(kinds)) + where, "  ")
    items = "".join(f"   * - {', '.join(names)}: {text}\n" for text, names in kinds.items())
    return f"  /**\n{items}   */\n"


def render_types() -> str:
    codes = union(json.dumps(code) for code in every_code())
    maps = "".join(command_map(kind) for kind in WORKERS)
    lines = union(name_of(item) for item in every_type() if issubclass(item, Reply))
    signatures = "".join(method_text(method, name) for method, name in methods().items())
    return "\n".join(
        [
            HEAD + "import type { FileMethod, Method, MethodWithFields, WorkerKind } from './index';\n",
            interfaces(),
            f"{comment('The `code` of an error from a worker.')}export type WorkerErrorCode = {codes};\n",
            f"{comment('Any line from a worker.')}export type Line = {lines};\n",
            f"{comment('The commands of each worker.')}export interface WorkerCommands {{\n{maps}}}\n",
            f"{comment('A method for each command.')}export interface WorkerMethods<K extends WorkerKind> {{\n{signatures}}}\n",
        ]
    )


# Tables -----------------------------------------------------------------------------------------------------------


def command_rows() -> dict[str, dict[str, Any]]:
    """For each command of any worker: whether it is a job, and the statuses that end it besides `error`."""
    rows: dict[str, dict[str, Any]] = {}
    for command in all_commands():
        row = rows.setdefault(command.name, {"job": command.is_job, "ends": []})
        ends = [*row["ends"], *(tag_of(reply) for reply in replies_of(command))]
        row["ends"] = [end for end in dict.fromkeys(ends) if end != "error"]
    return rows


def render_tables() -> str:
    events: list[type[Reply]] = [*LIFE, *every_event()]
    tables: Mapping[str, Any] = {
        "PROTOCOL_VERSION": PROTOCOL_VERSION,
        "WORKERS": {kind: {"name": row.name, "script": row.script} for kind, row in WORKERS.items()},
        "COMMANDS": command_rows(),
        "METHODS": methods(),
        "EVENTS": sorted({tag_of(line) for line in events}),
    }
    assignments = [f"exports.{name} = {json.dumps(value, indent=2)};\n" for name, value in tables.items()]
    return "\n".join([HEAD + "'use strict';\n", *assignments])


# The files --------------------------------------------------------------------------------------------------------


def render() -> dict[Path, str]:
    return {FOLDER / "protocol.d.ts": render_types(), FOLDER / "lib" / "protocol.js": render_tables()}


def main(argv: Sequence[str]) -> int:
    return write_or_check(render(), argv, "clients.node.generate_types")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
