"""Writes docs/reference/python.md from the signatures and docstrings of clients/python.

python -m tools.python_docs           write the file
python -m tools.python_docs --check   exit with 1 if it is stale
"""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.generated import table, write_or_check

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "reference" / "python.md"
PACKAGE = ROOT / "clients" / "python"  # it is not installed here
if str(PACKAGE) not in sys.path:
    sys.path.insert(0, str(PACKAGE))
dsu_client: Any = importlib.import_module("dsu_client")
methods: Any = importlib.import_module("dsu_client.methods")
HEAD = """\
# The Python API

<!-- Written by `python -m tools.python_docs` from the code of clients/python. -->

Everything that `dsu_client` exports. [The client's page](../../clients/python/README.md) shows how it is used.

A `Pathname` is a string or a path, a `Sound` the samples of each channel. `on_progress`, `on_file` and `on_line` are functions that are given a
line of [the protocol](../protocol.md); `options` are the fields of a command, typed in `dsu_client.protocol`.
"""
NO_CODE = "<!-- not run: a signature is no call -->"
LONGEST = 100
SENDING = (methods.Commands, methods.AsyncCommands)


class _Unquoted(str):
    """An annotation that is shown as it is written, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def signature_of(function: Callable[..., Any], name: str) -> str:
    """How a function is called; on several lines if it is long."""
    found = inspect.signature(function)
    parameters = [
        each.replace(annotation=_unquoted(each.annotation)) for each in found.parameters.values() if each.name != "self"
    ]
    returned = (
        inspect.Signature.empty if found.return_annotation in (None, "None") else _unquoted(found.return_annotation)
    )
    line = f"{name}{found.replace(parameters=parameters, return_annotation=returned)}"
    if len(line) <= LONGEST:
        return line
    whole = [str(each) for each in parameters]
    if any(each.kind is each.KEYWORD_ONLY for each in parameters) and not any(
        each.kind is each.VAR_POSITIONAL for each in parameters
    ):
        whole.insert(next(at for at, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY), "*")
    end = "" if returned is inspect.Signature.empty else f" -> {returned}"
    return "\n".join([f"{name}(", *(f"    {each}," for each in whole), f"){end}"])


def _unquoted(annotation: Any) -> Any:
    return _Unquoted(annotation) if isinstance(annotation, str) else annotation


def code(*lines: str) -> str:
    body = "\n".join(lines)
    return f"{NO_CODE}\n\n```python\n{body}\n```"


def render_function(name: str, function: Callable[..., Any], level: str) -> Iterator[str]:
    """A function, with each form in which it can be called."""
    yield f"{level} {name}"
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    forms = typing.get_overloads(function) or [function]
    called = name.rpartition(".")[2]
    prefix = "async def " if is_async and not inspect.isasyncgenfunction(function) else ""
    yield code(*(prefix + signature_of(form, called) for form in forms))
    yield inspect.getdoc(function) or ""


def members_of(kind: type) -> Iterator[tuple[str, Any]]:
    """What a class offers by a name, its own first, then what it has from others of this client; no commands."""
    seen: set[str] = set()
    for owner in kind.__mro__:
        if not owner.__module__.startswith(dsu_client.__name__) or owner in SENDING:
            continue
        for name, value in vars(owner).items():
            if (
                not name.startswith("_")
                and name not in seen
                and (inspect.isfunction(value) or isinstance(value, property))
            ):
                seen.add(name)
                yield name, value


def render_class(name: str, kind: type) -> Iterator[str]:
    yield f"## {name}"
    base = kind.__base__
    if base is not None and base.__name__ in dsu_client.__all__:
        yield f"Also a [`{base.__name__}`](#{base.__name__.lower()})."
    yield inspect.getdoc(kind) or ""
    inherited = (
        base if base in (Exception, dict) or (base is not None and base.__name__ in dsu_client.__all__) else object
    )
    if kind.__init__ is not inherited.__init__:  # type: ignore[misc]
        yield code(signature_of(kind.__init__, name))  # type: ignore[misc]
    for member, value in members_of(kind):
        if isinstance(value, property):
            kind_of_value = inspect.signature(typing.cast("Callable[..., Any]", value.fget)).return_annotation
            yield f"### {name}.{member}"
            yield code(f"{member}: {kind_of_value}")
            yield inspect.getdoc(value) or ""
        else:
            yield from render_function(f"{name}.{member}", value, "###")
    for commands in SENDING:
        if issubclass(kind, commands):
            yield f"### Commands of {name}"
            yield (
                "Each sends the command of its name, with its fields as keywords: see [the protocol](../protocol.md#commands). "
                "Those of jobs take `on_progress` as well."
            )
            yield table(("method", "returns"), command_rows(commands))


def command_rows(commands: type) -> Iterator[list[str]]:
    for name, function in vars(commands).items():
        if not name.startswith("_"):
            yield [f"`{name}`", f"`{inspect.signature(function).return_annotation}`".replace(" | ", "` or `")]


def render() -> str:
    exported = {name: getattr(dsu_client, name) for name in dsu_client.__all__}
    classes = {name: value for name, value in exported.items() if inspect.isclass(value)}
    errors = {name: value for name, value in classes.items() if issubclass(value, dsu_client.DSUError)}
    parts = [HEAD.rstrip()]
    for name, value in classes.items():
        if name not in errors:
            parts += render_class(name, value)
    for name, value in exported.items():
        if inspect.isfunction(value):
            parts += render_function(name, value, "##")
    for name, value in errors.items():
        parts += render_class(name, value)
    codes = ", ".join(f"`{each}`" for each in dsu_client.CLIENT_CODES)
    parts += ["## CLIENT_CODES", f"Codes of errors that no worker has, but this client: {codes}."]
    return "\n\n".join(filter(None, parts)) + "\n"


def main(argv: Sequence[str]) -> int:
    return write_or_check({TARGET: render()}, argv, "tools.python_docs")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
