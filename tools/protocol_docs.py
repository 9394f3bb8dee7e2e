"""Writes docs/protocol.md and a page of requests for each worker from the types of requests and replies, so that they always agree
with the code; and the schema of recipes.

    python -m tools.protocol_docs           write the files
    python -m tools.protocol_docs --check   exit with 1 if one is stale

The protocol has what all workers share: the commands that each has in the same form, and all lines. A worker's page has its other commands.
The prose is in protocol_template.md beside this file; `<!-- insert: NAME -->` stands for the text of `SECTIONS[NAME]`.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from tools.generated import table, write_or_check
from utils import PROTOCOL_VERSION, __version__
from utils.core import errors, replies
from utils.core.catalogue import Worker
from utils.core.recipe_schema import recipe_schema
from utils.core.replies import Reply
from utils.core.requests import Request
from utils.core.settings import FIELDS, FILE_FIELDS, VARIABLES, Settings
from utils.serving.commands import Command, tag_of
from utils.serving.commands.table import commands_of
from utils.serving.description import LIFE, replies_of
from workers import WORKERS

TEMPLATE = Path(__file__).with_name("protocol_template.md")
TARGET = Path(__file__).parents[1] / "docs" / "protocol.md"
REQUESTS = TARGET.parent / "reference" / "requests"
RECIPES = TARGET.with_name("recipe.schema.json")
NOTICE = "<!-- Written by `python -m tools.protocol_docs` from the types in utils/core. -->"
INSERTION = re.compile(r"<!-- insert: (\w+) -->")

CODE_MEANINGS = {
    "invalid_json": "The line is not a JSON object, not UTF-8, or too long.",
    "invalid_request": "A field is missing, has the wrong type, is unknown (in strict mode), or contradicts another.",
    "busy": "More is waiting already than the worker's limits allow. Send the request again when jobs have ended.",
    "unknown_command": "This worker has no such command.",
    "unknown_model": "There is no model with this name.",
    "model_not_installed": "The model is known, but its files are not in the models directory.",
    "config_invalid": "A configuration is wrong: a model's, or `dsu_config.json`.",
    "checkpoint_invalid": "The file is not a checkpoint, or is damaged.",
    "checkpoint_unsafe": "Loading the checkpoint could run code.",
    "checkpoint_mismatch": "The checkpoint does not match the configuration; the message says how they differ.",
    "load_timeout": "Reading a model took longer than the worker's limits allow.",
    "download_failed": "A file could not be downloaded.",
    "checksum_mismatch": "A file differs from the published one.",
    "input_not_found": "The input does not exist.",
    "input_unreadable": "The input is not audio, or is damaged.",
    "input_empty": "The input has no samples.",
    "unsupported_format": "The output format, sample type or rate cannot be written.",
    "output_not_writable": "The output directory or file cannot be written.",
    "disk_full": "There is not enough disk space for the result; checked before the work starts where possible.",
    "device_unavailable": "The device is not available; the message lists those that are.",
    "out_of_memory": "Memory ran out, even with smaller batches, smaller chunks and an empty cache; or the models of a job would "
    "take more than the worker's limits allow.",
    "device_lost": "The graphics card failed, and only a new process can use it: the worker ends with status 3.",
    "internal": "An unexpected error. Please report it.",
}


# Pieces -----------------------------------------------------------------------------------------------------------


def type_words(kind: inspect.Type) -> str:
    """A type in words, for the authors of clients."""
    return WORDINGS[type(kind)](kind)


def _union_words(kind: inspect.UnionType) -> str:
    words = dict.fromkeys(type_words(part) for part in kind.types if not isinstance(part, inspect.NoneType))
    if "number" in words:  # every whole number is a number
        words.pop("whole number", None)
    return " or ".join(words)


WORDINGS: dict[type, Callable[[Any], str]] = {
    inspect.Metadata: lambda kind: type_words(kind.type),
    inspect.LiteralType: lambda kind: ", ".join(f"`{value}`" for value in kind.values),
    inspect.ListType: lambda kind: f"list of {type_words(kind.item_type)}",
    inspect.VarTupleType: lambda kind: f"list of {type_words(kind.item_type)}",
    inspect.DictType: lambda kind: f"object of {type_words(kind.value_type)}",
    inspect.UnionType: _union_words,
    inspect.StructType: lambda kind: f"[`{kind.cls.__name__}`](#{kind.cls.__name__.lower()})",
    inspect.IntType: lambda _: "whole number",
    inspect.FloatType: lambda _: "number",
    inspect.StrType: lambda _: "string",
    inspect.BoolType: lambda _: "true or false",
    inspect.AnyType: lambda _: "anything",
}


def limits(kind: inspect.Type) -> str:
    """The bounds of a number, such as `, from 0 to 100`."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        return next((found for part in kind.types if (found := limits(part))), "")
    if not isinstance(kind, (inspect.IntType, inspect.FloatType)):
        return ""
    low = f"from {kind.ge:g}" if kind.ge is not None else f"above {kind.gt:g}" if kind.gt is not None else ""
    high = f"to {kind.le:g}" if kind.le is not None else f"below {kind.lt:g}" if kind.lt is not None else ""
    return f", {' '.join(filter(None, (low, high)))}" if low or high else ""


def description_of(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata) and "description" in (kind.extra_json_schema or {}):
        return str((kind.extra_json_schema or {})["description"])
    if isinstance(kind, inspect.Metadata):
        return description_of(kind.type)
    if isinstance(kind, inspect.UnionType):
        return next((text for part in kind.types if (text := description_of(part))), "")
    return ""


def fields_of(struct: type[msgspec.Struct], *, without: type[Request | Reply]) -> list[inspect.Field]:
    """The fields of this type, without those that every request or reply has."""
    common = {field.name for field in msgspec.structs.fields(without)}
    info = inspect.type_info(struct)
    return [field for field in info.fields if field.name not in common] if isinstance(info, inspect.StructType) else []


def request_table(fields: Sequence[inspect.Field]) -> str:
    rows = [
        [
            f"`{field.encode_name}`",
            type_words(field.type) + limits(field.type),
            _default(field),
            description_of(field.type),
        ]
        for field in fields
    ]
    return table(("field", "type", "default", "meaning"), rows)


def _default(field: inspect.Field) -> str:
    if field.required:
        return "required"
    if field.default is None or field.default is msgspec.NODEFAULT:
        return ""
    return f"`{msgspec.json.encode(field.default).decode()}`"


def reply_table(struct: type[msgspec.Struct]) -> str:
    optional = {field.name for field in msgspec.structs.fields(struct) if field.default is msgspec.UNSET}
    rows = []
    for field in fields_of(struct, without=Reply):
        words = type_words(field.type) + (" or null" if _may_be_null(field.type) else "")
        mark = ", *optional*" if field.name in optional else ""
        rows.append([f"`{field.encode_name}`", words + mark, description_of(field.type)])
    return table(("field", "type", "meaning"), rows) if rows else ""


def _may_be_null(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.Metadata):
        return _may_be_null(kind.type)
    return isinstance(kind, inspect.UnionType) and kind.includes_none


# Sections ---------------------------------------------------------------------------------------------------------


def all_commands() -> list[Command]:
    """Each form of each command once."""
    return list(
        {command.request: command for worker in WORKERS.values() for command in commands_of(worker).values()}.values()
    )


def shared_commands() -> list[Command]:
    """Those that every worker has in the same form."""
    having = Counter(command.request for worker in WORKERS.values() for command in commands_of(worker).values())
    return [command for command in all_commands() if having[command.request] == len(WORKERS)]


def commands_of_its_own(worker: Worker) -> list[Command]:
    """A worker's commands without those that every worker has in the same form."""
    shared = {command.request for command in shared_commands()}
    return [command for command in commands_of(worker).values() if command.request not in shared]


def render_commands() -> str:
    shared = shared_commands()
    rows = []
    for worker in WORKERS.values():
        page = page_of(worker)
        own = ", ".join(f"[`{command.name}`]({page}#{command.name})" for command in commands_of_its_own(worker))
        rows.append([f"[{worker.name}]({page})", own])
    parts = [
        "All workers have these commands:",
        overview(shared),
        "And each has commands of its own:",
        table(("worker", "commands"), rows),
        *(_render_command(command) for command in shared),
    ]
    return "\n\n".join(parts)


def overview(commands: Iterable[Command]) -> str:
    rows = []
    for command in commands:
        answers = ", ".join(dict.fromkeys(f"`{tag_of(reply)}`" for reply in command.replies))
        kind = "job" if command.is_job else "control"
        rows.append([f"[`{command.name}`](#{command.name})", kind, answers, _doc(command.request)])
    return table(("command", "kind", "answer", "what it does"), rows)


def _render_command(command: Command, protocol: str = "") -> str:
    """A command in full. Its lines are described on the page `protocol`."""
    parts = [f"### {command.name}", _doc(command.request)]
    fields = fields_of(command.request, without=Request)
    parts.append(request_table(fields).replace("](#", f"]({protocol}#") if fields else "It has no fields of its own.")
    answers, events = (_links(lines, protocol) for lines in (replies_of(command), command.events))
    parts.append(f"Ends with {answers}." + (f" Before that it may send {events}." if events else ""))
    return "\n\n".join(parts)


def _links(lines: Iterable[type[Reply]], protocol: str) -> str:
    """Names of lines, each with a link to its section."""
    return ", ".join(f"[`{tag_of(line)}`]({protocol}#{_anchor(line)})" for line in dict.fromkeys(lines))


def _anchor(line: type[Reply]) -> str:
    """Of a line's heading, as what shows Markdown makes it."""
    return re.sub(r"[^\w-]", "", _heading(line).replace(" ", "-"))


def _heading(line: type[Reply]) -> str:
    return f"{tag_of(line)}{VARIANTS.get(line, '')}"


def page_of(worker: Worker) -> str:
    """The address of a worker's page, from docs/protocol.md."""
    return f"reference/requests/{worker.name}.md"


def render_worker(worker: Worker) -> str:
    """The page of a worker."""
    commands = commands_of_its_own(worker)
    shared = ", ".join(f"[`{command.name}`](../../protocol.md#{command.name})" for command in shared_commands())
    parts = [
        f"# Requests of {worker.name}",
        NOTICE,
        (
            f"{worker.description}. [The protocol](../../protocol.md) says how requests are sent, which fields all of them have, and what the "
            f"lines of their answers hold. This page has what this worker does; all workers have {shared}. What people type is on [another "
            f"page](../options/{worker.name}.md)."
        ),
        overview(commands),
        *(_render_command(command, "../../protocol.md") for command in commands),
    ]
    return "\n\n".join(parts) + "\n"


def render_lines(types: Iterable[type[Reply]]) -> str:
    """A heading, a sentence and a table for each line that a worker may send."""
    sections = [(f"### {_heading(line)}", _doc(line), reply_table(line)) for line in types]
    return "\n\n".join(part for section in sections for part in section if part)


# Replies that share their status with another type.
VARIANTS: dict[type[Reply], str] = {
    replies.Restored: " (restored)",
    replies.Denoised: " (denoised)",
    replies.AudioSepDone: " (by text)",
    replies.ManyDone: " (many files)",
    replies.ApolloLoaded: " (restoration)",
    replies.PackageModelLoaded: " (package)",
    replies.BatchDone: " (batch)",
    replies.BatchFailed: " (batch)",
}


def _doc(struct: type[msgspec.Struct]) -> str:
    """The docstring of this type itself, not an inherited one."""
    own = struct.__dict__.get("__doc__") or ""
    return " ".join(own.split())


def every_event() -> list[type[Reply]]:
    events = {event for command in all_commands() for event in command.events}
    return sorted(events, key=tag_of)


def every_reply() -> list[type[Reply]]:
    answers = [reply for command in all_commands() for reply in replies_of(command)]
    return list(dict.fromkeys(answers))


def objects_in(kind: inspect.Type) -> Iterator[type[msgspec.Struct]]:
    """The types of objects that a value may be, or have as its items."""
    if isinstance(kind, inspect.StructType):
        yield kind.cls
        for one in kind.fields:
            yield from objects_in(one.type)
    for part in (
        *getattr(kind, "types", ()),
        *(getattr(kind, name, None) for name in ("type", "item_type", "value_type")),
    ):
        if part is not None:
            yield from objects_in(part)


def render_objects() -> str:
    """A heading and a table for each type of object in a field of a request, and then of a line."""
    lines: list[type[Reply]] = [*LIFE, *every_event(), *every_reply()]
    sent = [each for command in all_commands() for each in fields_of(command.request, without=Request)]
    said = [each for line in lines for each in fields_of(line, without=Reply)]
    tables: dict[type[msgspec.Struct], str] = {}
    for kind in (kind for each in sent for kind in objects_in(each.type)):
        tables[kind] = request_table(fields_of(kind, without=Request))
    for kind in (kind for each in said for kind in objects_in(each.type)):
        tables.setdefault(kind, reply_table(kind))
    parts = [part for kind, rows in tables.items() for part in (f"### {kind.__name__}", _doc(kind), rows)]
    return "\n\n".join(filter(None, parts))


def render_settings() -> str:
    rows = []
    for name, field in FIELDS.items():
        flag = "" if name == "log" else f"`--{name.replace('_', '-')}`"
        variable = f"`{VARIABLES[name]}`" if name in VARIABLES else ""
        key = f"`{name}`" if name in FILE_FIELDS else ""
        rows.append([flag, variable, key, field.description])
    return table(("flag", "variable", "key", "meaning"), rows)


def every_code() -> list[str]:
    """The codes of all error classes, in the order of their definition."""
    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.DsuError)]
    codes = dict.fromkeys(item.code for item in classes if item is not errors.DsuError)
    return [*codes, errors.DsuError.code]


def render_codes() -> str:
    return table(("code", "meaning"), ([f"`{code}`", CODE_MEANINGS[code]] for code in every_code()))


def render_common() -> str:
    info = inspect.type_info(Request)
    return request_table(info.fields if isinstance(info, inspect.StructType) else ())


SECTIONS: dict[str, Callable[[], Any]] = {
    "protocol": lambda: PROTOCOL_VERSION,
    "version": lambda: __version__,
    "longest": lambda: f"{Settings(models_dir=Path()).max_line_bytes:,}".replace(",", " "),
    "common": render_common,
    "settings": render_settings,
    "life": lambda: render_lines(LIFE),
    "commands": render_commands,
    "events": lambda: render_lines(every_event()),
    "replies": lambda: render_lines(every_reply()),
    "objects": render_objects,
    "codes": render_codes,
}


def render() -> str:
    """The whole of docs/protocol.md."""
    template = TEMPLATE.read_text(encoding="utf-8")
    return INSERTION.sub(lambda found: str(SECTIONS[found[1]]()), template)


def main(argv: Sequence[str]) -> int:
    schema = json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"
    pages = {REQUESTS / f"{worker.name}.md": render_worker(worker) for worker in WORKERS.values()}
    return write_or_check({TARGET: render(), RECIPES: schema, **pages}, argv, "tools.protocol_docs")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
