"""Writes a page for each program with what people can type, from the parsers that read it.

python -m tools.options_docs           write the files
python -m tools.options_docs --check   exit with 1 if one is stale
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.generated import table, write_or_check
from utils.cluster.options import new_parser as batch_parser
from utils.commandline import audiosep, bsroformer, demucs, denoise, doctor, dsu, provider, recipes, score
from utils.commandline.audio_separator.options import LAYOUT as AUDIO_SEPARATOR
from utils.commandline.layout import Layout
from utils.commandline.model_files import FILE_COMMANDS
from utils.commandline.model_import import IMPORT
from utils.commandline.models import MODELS, SHOW
from utils.commandline.options import new_parser
from utils.core.catalogue import Worker
from utils.web.options import new_parser as web_parser
from workers import WORKERS

FOLDER = Path(__file__).parents[1] / "docs" / "reference" / "options"
NOTICE = "<!-- Written by `python -m tools.options_docs` from the parsers in utils/commandline, utils/cluster and utils/web. -->"
# The programs for one family, and the commands of `dsu`.
PROGRAMS = {
    "demucs": demucs.LAYOUT,
    "bsroformer": bsroformer.PROGRAM.layout,
    "audio-separator": AUDIO_SEPARATOR,
    "audiosep": audiosep.PROGRAM.layout,
    "denoise": denoise.PROGRAM.layout,
}
COMMANDS = (
    MODELS,
    SHOW,
    IMPORT,
    *(layout for layout, _ in FILE_COMMANDS.values()),
    dsu.DOWNLOAD,
    doctor.DOCTOR,
    recipes.LAYOUT,
    score.LAYOUT,
    provider.LAYOUT,
)
# Those of what is installed as an extra, which have parsers of their own.
EXTRAS = (batch_parser(), web_parser("dsu studio"), web_parser("dsu serve"))
# Every program has these.
EVERYWHERE = frozenset({"--help", "--version"})
SONGS = "tracks"  # what stands without an option
RUNNABLE = "examples"


# Pieces ---------------------------------------------------------------------------------------------------------------


def options_of(parser: argparse.ArgumentParser, without: frozenset[str] = EVERYWHERE) -> Iterator[str]:
    """A title, if there is one, and a table for each group of options: those whose names are not left out."""
    formatter = argparse.HelpFormatter(parser.prog)
    for group in parser._action_groups:  # noqa: SLF001  argparse shows them in no other way
        rows = []
        for action in group._group_actions:  # noqa: SLF001
            if action.help == argparse.SUPPRESS or not without.isdisjoint(action.option_strings or [action.dest]):
                continue
            meaning = formatter._expand_help(action) if action.help else ""  # noqa: SLF001
            rows.append([_spelling(action, formatter), _sentence(meaning)])
        if rows:
            if group.title not in ("options", "positional arguments"):
                yield f"**{group.title[:1].upper()}{group.title[1:]}**" if group.title else ""
            yield table(("positional" if group.title == "positional arguments" else "option", "meaning"), rows)


def _spelling(action: argparse.Action, formatter: argparse.HelpFormatter) -> str:
    """An action as it is typed: `-m`, `--model MODEL`."""
    value = "" if action.nargs == 0 else formatter._format_args(action, _metavar(action))  # noqa: SLF001
    if not action.option_strings:
        return f"`{_metavar(action)}`"
    *short, last = action.option_strings
    return ", ".join(f"`{flag}`" for flag in (*short, f"{last} {value}".rstrip()))


def _metavar(action: argparse.Action) -> str:
    if action.choices is not None and action.metavar is None:
        return f"{{{','.join(map(str, action.choices))}}}"
    return str(action.metavar or action.dest.upper())


def _sentence(text: str) -> str:
    """A help text as a sentence. Names of options and of parts of names are code."""
    text = re.sub(
        r"(?<![`\w-])(--[a-z][\w-]*|[\w()./]*\{[a-z]+\}[\w(){}./]*|%[A-Z]+%\S*)(?![`\w])",
        r"`\1`",
        " ".join(text.split()),
    )
    return f"{text[:1].upper()}{text[1:]}."


def closing_of(epilog: str) -> Iterator[str]:
    """The end of a help text: sentences as sentences, and what is laid out in columns as it is."""
    for paragraph in filter(None, epilog.strip().split("\n\n")):
        lines = paragraph.splitlines()
        title = lines.pop(0) if lines[0].endswith(":") else ""
        if title:
            yield f"{title[:1].upper()}{title[1:]}"
        if title or any("  " in line for line in lines):
            if title.rstrip(":") != RUNNABLE:
                yield "<!-- not run: it is a part of the help, and no command -->"
            yield "\n".join(f"    {line.strip() if title else line}" for line in lines)
        else:
            yield " ".join(lines)


def section(layout: Layout, *, heading: str = "##") -> str:
    """A command line as a whole."""
    parser = new_parser(layout)
    parts = [f"{heading} {layout.program}", " ".join(layout.description.split()), f"`{parser.usage}`"]
    parts += [*options_of(parser), *closing_of(layout.epilog)]
    return "\n\n".join(filter(None, parts))


# Pages ----------------------------------------------------------------------------------------------------------------


def render_program(worker: Worker, layout: Layout) -> str:
    """The page of a program for one family of models."""
    return _page(worker, [section(layout)])


def render_dsu(worker: Worker) -> str:
    """The page of `dsu`: what all models have, then what each family adds, then the other commands."""
    common = frozenset({*new_parser(dsu.SEPARATE).flags, SONGS})
    parts = [section(dsu.SEPARATE)]
    for family, layout in {**{name: dsu.layout_of(name) for name in dsu.FAMILIES}, "": dsu.RECIPES.layout}.items():
        title = f"Models of the family {family}" if family else "Recipes"
        parts += [f"### {title}", f"{' '.join(layout.description.split())} In addition to the options above:"]
        parts += options_of(new_parser(layout), common)
    parts += [section(layout) for layout in COMMANDS]
    for parser in EXTRAS:
        parts += [f"## {parser.prog}", str(parser.description), *options_of(parser)]
    return _page(worker, parts)


def _page(worker: Worker, parts: Sequence[str]) -> str:
    start = "dsu worker" if worker.name == "dsu" else f"{worker.name} --worker"
    head = [
        f"# Options of {worker.name}",
        NOTICE,
        (
            f"{worker.description}. What is said here is what `--help` says; `--version` prints the version. `{start}` starts the worker, whose "
            f"options are its [settings](../../protocol.md#the-life-of-a-worker), and which takes [requests](../requests/{worker.name}.md)."
        ),
    ]
    return "\n\n".join([*head, *filter(None, parts)]) + "\n"


def pages() -> dict[Path, str]:
    """All files."""
    found = {
        FOLDER / f"{WORKERS[kind].name}.md": render_program(WORKERS[kind], layout) for kind, layout in PROGRAMS.items()
    }
    return {**found, FOLDER / "dsu.md": render_dsu(WORKERS["dsu"])}


def main(argv: Sequence[str]) -> int:
    return write_or_check(pages(), argv, "tools.options_docs")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
