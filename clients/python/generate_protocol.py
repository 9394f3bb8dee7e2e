"""Writes the Python client's `protocol.py` and `methods.py` from the types that the workers decode and encode.

    python -m clients.python.generate_protocol           write both files
    python -m clients.python.generate_protocol --check   exit with 1 if either of them is stale

The first has the options of each command, the replies and the tables that the client needs at run time; the second has a
method for each command, for programs that wait and for asyncio.
"""  # noqa: INP001  not a package: this folder is a distribution of its own

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from clients.node.generate_types import command_rows, description_of, every_type
from tools.generated import write_or_check
from tools.protocol_docs import all_commands, every_code, every_event
from utils import PROTOCOL_VERSION
from utils.core import errors
from utils.core.replies import Reply
from utils.serving.commands import Command, tag_of
from utils.serving.description import LIFE, Schema, replies_of, requests_of
from workers import WORKERS

PACKAGE = Path(__file__).parent / "dsu_client"
HEAD = '"""{}\n\nWritten by `python -m clients.python.generate_protocol` from the types in utils/core. Do not edit.\n"""\n\n'
PRIMITIVES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}

# `Error` and `Cancelled` are lines here; the exceptions are in errors.py.
RENAMED = {"Error": "ErrorReply", "Cancelled": "CancelledReply"}
# Commands whose methods are written by hand, because they do more than send a request.
OWN_METHODS = {"cancel": "cancel", "exit": "close", "separate": "separate"}
# What the methods of `separate` take as arguments of their own.
OWN_ARGUMENTS = {"separate": {"input", "inputs", "output", "output_dir"}}
PER_REQUEST = {"cmd", "id"}


# Types ------------------------------------------------------------------------------------------------------------


def type_text(schema: Schema, *, sent: bool) -> str:
    """A JSON Schema as a type; `sent` for values that the client writes rather than reads."""
    if "$ref" in schema:
        return RENAMED.get(schema["$ref"], str(schema["$ref"]))
    if "enum" in schema:
        return f"Literal[{', '.join(json.dumps(value) for value in schema['enum'])}]"
    if "anyOf" in schema:
        return union(type_text(part, sent=sent) for part in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"{'Sequence' if sent else 'list'}[{type_text(schema.get('items', {}), sent=sent)}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        value = type_text(values, sent=sent) if isinstance(values, dict) else "Any"
        return f"{'Mapping' if sent else 'dict'}[str, {value}]"
    return PRIMITIVES.get(str(kind), "Any")


def union(parts: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(parts))


def docstring(text: str) -> str:
    return f'    """{" ".join(text.split())}"""\n' if text else ""


def field_text(name: str, kind: str, description: str) -> str:
    return f"    {name}: {kind}\n" + docstring(description)


def class_text(name: str, description: str, fields: str, *, total: bool = True) -> str:
    head = f"class {name}(TypedDict{'' if total else ', total=False'}):\n"
    return f"{head}{docstring(description)}{fields}" if description or fields else f"{head}    pass\n"


def definitions() -> dict[str, Schema]:
    return msgspec.json.schema_components(every_type(), ref_template="{name}")[1]


def reply_text(name: str, schema: Schema) -> str:
    """One line from the worker, or a part of one. A field with a default is always present."""
    required = set(schema.get("required", ()))
    fields = ""
    for field, kind in schema.get("properties", {}).items():
        text = type_text(kind, sent=False)
        present = field in required or "default" in kind
        fields += field_text(field, text if present else f"NotRequired[{text}]", description_of(kind))
    return class_text(RENAMED.get(name, name), schema.get("description", ""), fields)


def part_text(name: str, schema: Schema) -> str:
    """An object inside a request."""
    required = set(schema.get("required", ()))
    fields = ""
    for field, kind in schema.get("properties", {}).items():
        text = type_text(kind, sent=True)
        fields += field_text(field, text if field in required else f"NotRequired[{text}]", description_of(kind))
    return class_text(name, schema.get("description", ""), fields)


def forms() -> dict[str, list[Command]]:
    """Each command with its form of every worker that has it."""
    found: dict[str, list[Command]] = {}
    for command in all_commands():
        found.setdefault(command.name, []).append(command)
    return found


def options_name(command: str) -> str:
    return "".join(word.capitalize() for word in command.split("_")) + "Options"


def options_text(name: str, commands: Sequence[Command], known: dict[str, Schema]) -> str:
    """The fields of a command, those of all workers together: any of them may be given."""
    structs = list(dict.fromkeys(form for command in commands for form in requests_of(command)))
    schemas = [known[form.__name__] for form in structs]
    hidden = PER_REQUEST | OWN_ARGUMENTS.get(name, set())
    types: dict[str, list[str]] = {}
    descriptions: dict[str, str] = {}
    for schema in schemas:
        for field, kind in schema.get("properties", {}).items():
            if field not in hidden:
                types.setdefault(field, []).extend(type_text(kind, sent=True).split(" | "))
                descriptions.setdefault(field, description_of(kind))
    needed = set.intersection(*(set(schema.get("required", ())) for schema in schemas))
    fields = "".join(
        field_text(field, f"Required[{union(parts)}]" if field in needed else union(parts), descriptions[field])
        for field, parts in types.items()
    )
    return class_text(options_name(name), f"What `{name}` takes.", fields, total=False)


def types_text() -> str:
    known = definitions()
    requests = {name for name, schema in known.items() if "cmd" in schema.get("properties", {})}
    inside = {name for name in known for owner in requests if f'"$ref": "{name}"' in json.dumps(known[owner])}
    parts = [part_text(name, known[name]) for name in known if name in inside - requests]
    options = [
        options_text(name, commands, known) for name, commands in forms().items() if name not in ("cancel", "exit")
    ]
    replies = [reply_text(name, schema) for name, schema in known.items() if name not in requests | inside]
    return "\n\n".join([*parts, *options, *replies])


# Tables -----------------------------------------------------------------------------------------------------------


def family_of(code: str) -> str:
    """The class, next below the root, of the errors with this code."""
    holders = [
        family
        for family in errors.DsuError.__subclasses__()
        # Extras, such as batches, have errors that no worker sends.
        if family.__module__ == errors.__name__
        if any(kind.code == code for kind in [family, *family.__subclasses__()])
    ]
    return holders[0].__name__ if holders else "DSUError"


def render_protocol() -> str:
    codes = {code: family_of(code) for code in every_code()}
    lines = union(RENAMED.get(item.__name__, item.__name__) for item in every_type() if issubclass(item, Reply))
    events: list[type[Reply]] = [*LIFE, *every_event()]
    scripts = {kind: (row.name, row.script) for kind, row in WORKERS.items()}
    return (
        HEAD.format("The protocol: options, replies and events, and the tables that the client reads.")
        + "from __future__ import annotations\n\n"
        + "from collections.abc import Mapping, Sequence\n"
        + "from typing import Any, Literal, NotRequired, Required, TypeAlias, TypedDict\n\n"
        + f"PROTOCOL_VERSION = {PROTOCOL_VERSION}\n\n"
        + f"WorkerKind: TypeAlias = Literal[{', '.join(json.dumps(kind) for kind in WORKERS)}]\n\n"
        + f"# The name of each program, and its script in a checkout.\nWORKERS: dict[str, tuple[str, str]] = {scripts!r}\n\n"
        + "# For each command the statuses that end it, besides `error`.\n"
        + f"ENDS: dict[str, list[str]] = { {name: row['ends'] for name, row in command_rows().items()}!r}\n\n"
        + f"# Statuses of lines that end nothing.\nEVENTS = frozenset({sorted({tag_of(event) for event in events})!r})\n\n"
        + f"# For each code the class of its errors, in errors.py.\nFAMILIES: dict[str, str] = {codes!r}\n\n\n"
        + types_text()
        + f"\n\nLine: TypeAlias = {lines}\n"
    )


# Methods ----------------------------------------------------------------------------------------------------------


def answers(commands: Sequence[Command]) -> str:
    """The lines with which a command succeeds."""
    types = (reply for command in commands for reply in replies_of(command))
    return union(reply.__name__ for reply in types if tag_of(reply) not in {"error", "cancelled"})


def method_text(name: str, commands: Sequence[Command], *, waits: bool) -> str:
    docs = {" ".join((command.request.__doc__ or "").split()) for command in commands}
    text = docs.pop() if len(docs) == 1 else f"Send `{name}`; docs/protocol.md says what it does in each worker."
    job = any(command.is_job for command in commands)
    progress = "on_progress: OnProgress | None = None, " if job else ""
    handed = "on_progress" if job else "None"
    reply = answers(commands)
    define, wait = ("def", "") if waits else ("async def", "await ")
    return (
        f"    {define} {name}(self, {progress}**options: Unpack[{options_name(name)}]) -> {reply}:\n"
        f'        """{text}"""\n'
        f'        return cast("{reply}", {wait}self._command("{name}", options, {handed}))\n'
    )


def render_methods() -> str:
    commands = {name: held for name, held in forms().items() if name not in OWN_METHODS}
    imported = {options_name(name) for name in commands}
    imported |= {part for held in commands.values() for part in answers(held).split(" | ")}
    sync = "\n".join(method_text(name, held, waits=True) for name, held in commands.items())
    later = "\n".join(method_text(name, held, waits=False) for name, held in commands.items())
    hook = "(self, cmd: str, options: Mapping[str, Any], on_progress: OnProgress | None) -> Any:\n"
    return (
        HEAD.format("A method for each command, for programs that wait and for asyncio.")
        + "from __future__ import annotations\n\nfrom abc import ABC, abstractmethod\n"
        + "from collections.abc import Callable, Mapping\nfrom typing import Any, TypeAlias, Unpack, cast\n\n"
        + f"from .protocol import {', '.join(sorted({*imported, 'Downloading', 'Progress'}))}\n\n"
        + "OnProgress: TypeAlias = Callable[[Progress | Downloading], object]\n\n\n"
        + 'class Commands(ABC):\n    """Commands that return their replies."""\n\n'
        + f"    @abstractmethod\n    def _command{hook}        ...\n\n{sync}\n\n"
        + 'class AsyncCommands(ABC):\n    """Commands whose replies are awaited."""\n\n'
        + f"    @abstractmethod\n    async def _command{hook}        ...\n\n{later}"
    )


# The files --------------------------------------------------------------------------------------------------------


def formatted(path: Path, text: str) -> str:
    """As `ruff` leaves it, so that no check finds two ways to write it."""
    for words in (("check", "--select", "I", "--fix", "--quiet"), ("format",)):
        command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(path), "-"]
        text = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", check=True).stdout  # noqa: S603
    return text


def render() -> dict[Path, str]:
    texts = {PACKAGE / "protocol.py": render_protocol(), PACKAGE / "methods.py": render_methods()}
    return {path: formatted(path, text) for path, text in texts.items()}


def main(argv: Sequence[str]) -> int:
    return write_or_check(render(), argv, "clients.python.generate_protocol")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
