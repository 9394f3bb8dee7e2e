"""Writes docs/protocol.md from the types of requests and replies, so that it always agrees with the code; and the schema of recipes.

    python -m tools.protocol_docs           write the file
    python -m tools.protocol_docs --check   exit with 1 if it is stale

The prose is in protocol_template.md beside this file; `<!-- insert: NAME -->` stands for the text of `SECTIONS[NAME]`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from tools.generated import write_or_check
from utils import PROTOCOL_VERSION, __version__
from utils.core import errors, replies
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
RECIPES = TARGET.with_name("recipe.schema.json")
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


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


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
    inspect.DictType: lambda kind: f"object of {type_words(kind.value_type)}",
    inspect.UnionType: _union_words,
    inspect.StructType: lambda kind: f"object of {', '.join(f'`{field.encode_name}`' for field in kind.fields)}",
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


def fields_of(struct: type[Request | Reply], *, without: type[Request | Reply]) -> list[inspect.Field]:
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


def reply_table(struct: type[Reply]) -> str:
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


def all_commands() -> list[tuple[str, Command]]:
    """Each command once, with the workers that have it in this form; none if all do."""
    owners: dict[type[Request], list[str]] = {}
    found: dict[type[Request], Command] = {}
    for worker in WORKERS.values():
        for command in commands_of(worker).values():
            owners.setdefault(command.request, []).append(worker.name)
            found[command.request] = command
    everywhere = len(WORKERS)
    return [("" if len(names) == everywhere else ", ".join(names), found[key]) for key, names in owners.items()]


def render_commands() -> str:
    commands = all_commands()
    rows = []
    for where, command in commands:
        title = _title(where, command)
        anchor = title.lower().replace(",", "").replace(" ", "-")  # as pages that show Markdown make it
        link = f"[`{command.name}`](#{anchor}){title.removeprefix(command.name)}"
        answers = ", ".join(dict.fromkeys(f"`{tag_of(reply)}`" for reply in command.replies))
        rows.append([link, "job" if command.is_job else "control", answers, _doc(command.request)])
    overview = table(("command", "kind", "answer", "what it does"), rows)
    return "\n\n".join([overview, *(_render_command(where, command) for where, command in commands)])


def _title(where: str, command: Command) -> str:
    """The command, and the workers that have it in this form if not all do."""
    return f"{command.name} of {where}" if where else command.name


def _render_command(where: str, command: Command) -> str:
    parts = [f"### {_title(where, command)}", _doc(command.request)]
    fields = fields_of(command.request, without=Request)
    parts.append(request_table(fields) if fields else "It has no fields of its own.")
    answers = ", ".join(dict.fromkeys(f"`{tag_of(reply)}`" for reply in replies_of(command)))
    events = ", ".join(f"`{tag_of(event)}`" for event in command.events)
    parts.append(f"Ends with {answers}." + (f" Before that it may send {events}." if events else ""))
    return "\n\n".join(parts)


def render_lines(types: Iterable[type[Reply]]) -> str:
    """A heading, a sentence and a table for each line that a worker may send."""
    sections = [(f"### {tag_of(line)}{VARIANTS.get(line, '')}", _doc(line), reply_table(line)) for line in types]
    return "\n\n".join(part for section in sections for part in section if part)


# Replies that share their status with another type.
VARIANTS: dict[type[Reply], str] = {
    replies.Restored: " (restored)",
    replies.Denoised: " (denoised)",
    replies.AudioSepDone: " (by text)",
    replies.ManyDone: " (many files)",
    replies.BatchDone: " (batch)",
    replies.BatchFailed: " (batch)",
}


def _doc(struct: type[Request | Reply]) -> str:
    """The docstring of this type itself, not an inherited one."""
    own = struct.__dict__.get("__doc__") or ""
    return " ".join(own.split())


def every_event() -> list[type[Reply]]:
    events = {event for _, command in all_commands() for event in command.events}
    return sorted(events, key=tag_of)


def every_reply() -> list[type[Reply]]:
    answers = [reply for _, command in all_commands() for reply in replies_of(command)]
    return list(dict.fromkeys(answers))


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
    "codes": render_codes,
}


def render() -> str:
    """The whole of docs/protocol.md."""
    template = TEMPLATE.read_text(encoding="utf-8")
    return INSERTION.sub(lambda found: str(SECTIONS[found[1]]()), template)


def main(argv: Sequence[str]) -> int:
    schema = json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"
    return write_or_check({TARGET: render(), RECIPES: schema}, argv, "tools.protocol_docs")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
