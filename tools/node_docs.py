"""Writes docs/reference/node.md from the declarations of clients/node.

python -m tools.node_docs           write the file
python -m tools.node_docs --check   exit with 1 if it is stale
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.generated import write_or_check

ROOT = Path(__file__).parents[1]
CLIENT = ROOT / "clients" / "node"
TARGET = ROOT / "docs" / "reference" / "node.md"
HEAD = """\
# The Node.js API

<!-- Written by `python -m tools.node_docs` from the declarations in clients/node. -->

What `dsu-client` and `dsu-client/runtime` export, but for the types of requests and lines, which have the names and fields of
[the protocol](../protocol.md). [The client's page](../../clients/node/README.md) shows how it is used.
"""
NO_CODE = "<!-- not run: a declaration is no code -->"
BEGINNING = re.compile(r"^(?P<exported>export )?(?P<kind>class|interface|function|const|type) (?P<name>\w+)")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
EXAMPLE = re.compile(r"@example\n(?P<code>.*?)(?=\n@|\Z)", re.DOTALL)


class Declaration(NamedTuple):
    """Something that is exported, and what is said of it."""

    kind: str
    name: str
    comment: str
    text: str


def declarations(text: str) -> list[Declaration]:
    """What a file declares for others: all of it but types that are only there to make others."""
    found: list[Declaration] = []
    lines = text.splitlines()
    for at, line in enumerate(lines):
        one = BEGINNING.match(line)
        if one is None:
            continue
        end = next(end for end in range(at + 1, len(lines) + 1) if _is_whole("\n".join(lines[at:end])))
        comment = _comment_above(lines[:at])
        if one["kind"] != "type" or (comment and one["exported"]):
            declared = "\n".join(lines[at:end]).removeprefix("export ")
            found.append(Declaration(one["kind"], one["name"], comment, declared))
    return found


def _is_whole(text: str) -> bool:
    """Whether a declaration ends here: all brackets are closed."""
    bare = COMMENT.sub("", text).rstrip()
    return bare.endswith((";", "}")) and all(
        bare.count(left) == bare.count(right) for left, right in ("()", "[]", "{}")
    )


def _comment_above(lines: Sequence[str]) -> str:
    """The comment that ends with the last of these lines."""
    if not lines or not lines[-1].endswith("*/"):
        return ""
    begin = next(at for at in reversed(range(len(lines))) if lines[at].startswith("/**"))
    return plain("\n".join(lines[begin:]))


def plain(comment: str) -> str:
    """A comment without what makes it one."""
    lines = comment.strip().removeprefix("/**").removesuffix("*/").splitlines()
    return "\n".join(re.sub(r"^\s*\* ?", "", line) for line in lines).strip()


def render_declaration(name: str, forms: Sequence[Declaration]) -> Iterator[str]:
    """A heading, what is said, and the declaration itself; a class and the interface of its name are one thing."""
    yield f"### {name}"
    for form in forms:
        text = EXAMPLE.sub("", form.comment).strip()
        text = re.sub(r"^@param (\w+) ", r"- `\1`: ", text, flags=re.MULTILINE)
        yield re.sub(r"^@returns ", "Returns ", text, flags=re.MULTILINE)
    body = "\n".join(textwrap.dedent(form.text) for form in forms)
    yield f"{NO_CODE}\n\n```ts\n{body}\n```"


def render_file(title: str, found: Sequence[Declaration]) -> Iterator[str]:
    yield f"## {title}"
    by_name: dict[str, list[Declaration]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one)
    for name, forms in by_name.items():
        yield from render_declaration(name, forms)


def render() -> str:
    files = {name: (CLIENT / f"{name}.d.ts").read_text(encoding="utf-8") for name in ("index", "runtime", "protocol")}
    commands = [one for one in declarations(files["protocol"]) if one.name == "WorkerMethods"]
    parts = [
        HEAD.rstrip(),
        *render_file("dsu-client", [*declarations(files["index"]), *commands]),
        *render_file("dsu-client/runtime", declarations(files["runtime"])),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def main(argv: Sequence[str]) -> int:
    return write_or_check({TARGET: render()}, argv, "tools.node_docs")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
