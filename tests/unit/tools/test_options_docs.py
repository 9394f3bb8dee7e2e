"""docs/reference/options: fresh, and with everything that can be typed."""

import re

import pytest

from tools import options_docs as docs
from utils.commandline import dsu
from utils.commandline.options import new_parser
from workers import WORKERS

PAGES = {path.stem: text for path, text in docs.pages().items()}


def test_the_files_are_fresh():
    """`python -m tools.options_docs` was run after the last change, and each program has a page."""
    assert docs.main(["--check"]) == 0
    assert {path.stem for path in docs.FOLDER.iterdir()} == {worker.name for worker in WORKERS.values()}


def test_every_command_of_dsu_has_a_section():
    """Those that its help lists, but for the worker, whose settings are described with the protocol."""
    listed = re.findall(r"^  ([a-z]+) {2,}", dsu.HELP.partition("commands:")[2], re.MULTILINE)
    titles = re.findall(r"^## dsu ([a-z]+)$", PAGES["dsu"], re.MULTILINE)
    assert len(listed) > 8
    assert set(listed) - {"worker"} <= set(titles)


@pytest.mark.parametrize("family", dsu.FAMILIES)
def test_every_option_of_a_family_is_there(family):
    """With those of all models above."""
    hidden = {
        flag
        for action in new_parser(dsu.layout_of(family))._actions
        if action.help == "==SUPPRESS=="
        for flag in action.option_strings
    }
    flags = dsu.flags_of(dsu.layout_of(family)) - hidden - docs.EVERYWHERE - {"-h"}
    section = PAGES["dsu"].partition(f"### Models of the family {family}\n")[2].partition("\n###")[0]
    common = PAGES["dsu"].partition("\n### Models")[0]
    assert {flag for flag in flags if f"`{flag}" not in section + common} == set()


def test_examples_are_commands_and_tables_are_not():
    """What is in columns in the help is shown as it is, with the reason why no test runs it."""
    text = "\n\n".join(docs.closing_of("examples:\n  dsu a.mp3\n\nlist   all\nshow   one\n\nThe end\nis near.\n"))
    assert text == (
        "Examples:\n\n    dsu a.mp3\n\n<!-- not run: it is a part of the help, and no command -->\n\n    list   all\n    show   one\n\nThe end is near."
    )
