"""Conventions that a linter does not know, checked over the sources."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_test(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")


def called(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


@pytest.mark.parametrize("path", files("utils", "workers", "models"), ids=name)
def test_input_is_never_checked_with_assert(path):
    """Frozen builds may drop assertions, so what they would check must be raised."""
    assert [node.lineno for node in nodes(path) if isinstance(node, ast.Assert)] == []


@pytest.mark.parametrize("path", files("utils", "models"), ids=name)
def test_libraries_neither_print_nor_exit(path):
    """stdout belongs to the protocol, and ending the process to its entry script."""
    forbidden = {"print", "sys.exit", "exit", "quit"}
    assert [(node.lineno, called(node)) for node in nodes(path) if called(node) in forbidden] == []


@pytest.mark.parametrize("path", files("tests"), ids=name)
def test_every_test_states_its_behaviour(path):
    """Each test function begins with a sentence."""
    assert [node.name for node in nodes(path) if is_test(node) and not ast.get_docstring(node)] == []


@pytest.mark.parametrize("path", files("utils", "workers", "models", "tools", "training", "benchmarks"), ids=name)
def test_every_module_says_its_job(path):
    """The first thing in a file is what it is for."""
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", files("utils"), ids=name)
def test_types_are_met_in_one_place(path):
    """Elsewhere two threads could meet a type at the same time, which crashes the process."""
    meeting = ("msgspec.convert", "msgspec.json.decode")
    found = [
        node.lineno for node in nodes(path) if called(node) in meeting and (len(node.args) + len(node.keywords)) > 1
    ]
    assert found == [] or path.name == "typed.py"


def test_test_files_have_names_of_their_own():
    """Test folders are no packages, so two test modules or helpers of one name would hide each other."""
    names = [path.name for path in files("tests") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


# Names of types ------------------------------------------------------------------------------------------------------

PROGRAM = ("utils", "models", "workers", "tools", "training", "benchmarks")


@pytest.mark.parametrize("path", files(*PROGRAM), ids=name)
def test_no_type_is_named_like_another(path):
    """A name that two types share must be looked up to be understood; a leading underscore makes no difference."""
    own = [node.name.strip("_") for node in nodes(path) if isinstance(node, ast.ClassDef)]
    others = {node.name.strip("_") for other in files(*PROGRAM) if other != path for node in types_of(other)}
    assert [type_name for type_name in own if type_name in others] == []


@functools.cache
def types_of(path: Path) -> list[ast.ClassDef]:
    return [node for node in nodes(path) if isinstance(node, ast.ClassDef)]
