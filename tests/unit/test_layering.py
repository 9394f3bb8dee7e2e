"""Which module may import which. The table here is the one of docs/architecture.md, with every file in it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
STANDARD = set(sys.stdlib_module_names) | {"__future__"}
OURS = {"utils", "workers", "models", "tools", "training", "benchmarks", "run"}
LIBRARY = ("utils", "utils.core", "utils.audio", "utils.store", "utils.cards", "utils.device", "utils.engine", "models")
ANY = None


class Layer(NamedTuple):
    """What the files of a layer may import: parts of this project, other packages, and what of all that only late."""

    project: tuple[str, ...]
    packages: frozenset[str] | None
    late: tuple[str, ...] = ()


# What a family of models is made of, besides itself.
FAMILY = (
    *("utils.core", "utils.audio", "utils.store", "models"),
    *("utils.engine.family", "utils.engine.pipeline", "utils.engine.backends"),
)
LAYERS = {
    "utils/__init__": Layer((), frozenset()),
    "utils/core": Layer(("utils", "utils.core"), frozenset({"msgspec", "platformdirs"}), late=("platformdirs",)),
    "utils/audio": Layer(("utils.core", "utils.audio"), ANY),
    "utils/store": Layer(("utils.core", "utils.store", "models.architectures"), ANY),
    "utils/cards": Layer(("utils.core",), ANY),
    "utils/device": Layer(("utils.core", "utils.cards"), ANY),
    "utils/doctor": Layer(
        (
            *("utils", "utils.core", "utils.audio", "utils.store", "utils.cards", "utils.device", "utils.doctor"),
            *("utils.engine.backends", "models"),
        ),
        ANY,
    ),
    "utils/engine": Layer(
        (
            "utils",
            "utils.core",
            "utils.audio",
            "utils.store",
            "utils.cards",
            "utils.device",
            "utils.doctor",
            "utils.engine",
            "models",
        ),
        ANY,
    ),
    "utils/engine/pipeline": Layer(
        ("utils", "utils.core", "utils.audio", "utils.device", "utils.engine.pipeline", "utils.engine.backends"), ANY
    ),
    "utils/engine/backends": Layer(("utils.core", "utils.store", "utils.engine.backends", "models"), ANY),
    **{
        f"utils/engine/families/{family}": Layer((*FAMILY, f"utils.engine.families.{family}"), ANY)
        for family in ("demucs", "networks", "vr", "mdx", "apollo", "audiosep", "denoise")
    },
    "utils/scoring": Layer(("utils.core", "utils.audio", "utils.scoring"), frozenset({"msgspec", "numpy"})),
    "utils/serving": Layer(("utils", "utils.core", "utils.serving"), frozenset({"msgspec"})),
    "utils/commandline": Layer(
        ("utils", "utils.core", "utils.commandline"), frozenset({"msgspec", "rich"}), late=("rich",)
    ),
    "utils/commandline/model_import": Layer(("utils.core", "utils.commandline", "utils.store"), frozenset({"msgspec"})),
    "utils/commandline/model_files": Layer(("utils.core", "utils.commandline", "utils.store"), frozenset({"msgspec"})),
    "utils/commandline/score": Layer(
        ("utils.core", "utils.commandline", "utils.scoring"), frozenset({"msgspec"}), late=("utils.scoring",)
    ),
    "utils/commandline/recipes": Layer(
        ("utils.core", "utils.commandline", "utils.store.recipes"), frozenset({"msgspec"})
    ),
    "utils/commandline/audio_separator": Layer(
        ("utils", "utils.core", "utils.commandline", "utils.store.package_catalogue"), frozenset({"msgspec"})
    ),
    "utils/web": Layer(
        ("utils", "utils.core", "utils.serving", "utils.web", "utils.store.locks"),
        frozenset({"msgspec", "starlette", "psutil", "platformdirs"}),
        late=("psutil", "platformdirs"),
    ),
    "utils/web/connections": Layer((), frozenset({"uvicorn", "h11"})),
    "utils/web/program": Layer(("utils.core", "utils.web"), frozenset({"uvicorn"}), late=("uvicorn", "utils.web.app")),
    "utils/web/uploads": Layer(("utils.web",), frozenset({"msgspec", "python_multipart"})),
    "utils/web/reading": Layer(
        ("utils", "utils.core", "utils.audio", "utils.store", "utils.web.wav"),
        frozenset({"msgspec", "numpy"}),
        late=("numpy", "utils.audio", "utils.store"),
    ),
    "utils/cluster": Layer(
        (
            *(
                "utils.core",
                "utils.serving.messages",
                "utils.serving.commands.dsu",
                "utils.cluster",
                "utils.store.locks",
            ),
            *("utils.web.child", "utils.web.worker", "utils.web.problems"),
        ),
        frozenset({"msgspec", "fsspec", "pyarrow", "ray", "rich"}),
        late=("rich",),
    ),
    "utils/cluster/options": Layer(("utils.core.errors",), frozenset()),
    "utils/cluster/program": Layer(
        ("utils.core", "utils.cluster", "utils.store.listing", "utils.store.recipes"),
        frozenset({"ray"}),
        late=(
            *("ray", "utils.store", "utils.cluster.driver", "utils.cluster.ledger", "utils.cluster.manifest"),
            *("utils.cluster.plan", "utils.cluster.results", "utils.cluster.storage", "utils.cluster.watching"),
        ),
    ),
    "models": Layer(("models",), ANY),
    "models/architectures": Layer((), frozenset()),
    "workers/__init__": Layer(("utils.core",), frozenset()),
    "workers": Layer(
        (
            *("workers", "utils", "utils.core"),
            *("utils.serving", "utils.commandline", "utils.engine", "utils.store", "utils.web", "utils.cluster"),
        ),
        frozenset({"msgspec"}),
        late=("utils.serving", "utils.commandline", "utils.engine", "utils.store", "utils.web", "utils.cluster"),
    ),
    "tools": Layer((*LIBRARY, "tools"), ANY),
    "tools/command_line": Layer(("utils.core.bootstrap", "utils.core.errors"), frozenset()),
    "tools/batch_scale": Layer(("utils.cluster.simulation",), frozenset()),
    "tools/demo": Layer(("utils.core", "utils.audio", "tools.metrics"), ANY),
    "tools/metrics": Layer((), ANY),
    "tools/generated": Layer((), frozenset()),
    "tools/compatibility_docs": Layer(("tools.generated",), frozenset()),
    "tools/architecture_docs": Layer(("tools.generated",), frozenset()),
    "tools/site": Layer((), frozenset({"mkdocs"})),
    "tools/reliability_docs": Layer(("utils",), frozenset({"psutil"})),
    "tools/protocol_docs": Layer(
        ("tools.generated", "utils", "utils.core", "utils.serving", "workers"), frozenset({"msgspec"})
    ),
    "tools/options_docs": Layer(
        ("tools.generated", "utils.core", "utils.commandline", "utils.cluster.options", "utils.web", "workers"),
        frozenset(),
    ),
    "tools/http_docs": Layer(("tools.generated", "utils.core", "utils.web"), frozenset()),
    "tools/python_docs": Layer(("tools.generated",), frozenset()),
    "tools/node_docs": Layer(("tools.generated",), frozenset()),
    "tools/fixtures": Layer((*LIBRARY, "tools.fixtures"), ANY),
    "tools/lock": Layer(("run", "tools.freeze"), ANY),
    "tools/freeze": Layer(("tools.freeze",), ANY),
    "training": Layer((*LIBRARY, "training", "tools.metrics"), ANY),
    "benchmarks": Layer((*LIBRARY, "workers", "benchmarks", "tools"), ANY),
}


class Import(NamedTuple):
    """An imported module, and whether that happens as soon as the file is imported."""

    module: str
    at_once: bool


def sources() -> list[str]:
    """The files that the table must cover, without their suffix."""
    folders = ("utils", "workers", "models", "tools", "training", "benchmarks")
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path.relative_to(ROOT).with_suffix("").as_posix() for path in found)


def layer_of(source: str) -> Layer | None:
    """The most special row that fits the file."""
    fitting = [prefix for prefix in LAYERS if source == prefix or source.startswith(prefix + "/")]
    return LAYERS[max(fitting, key=len)] if fitting else None


def imports(tree: ast.AST, package: str, *, at_once: bool = True) -> Iterator[Import]:
    """All imports of a syntax tree, also those within functions; those for type checkers only are not at once."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(name, at_once) for name in imported_from(node, package))
        else:
            yield from imports(node, package, at_once=at_once and not is_late(node))


def is_late(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def imported_from(node: ast.ImportFrom, package: str) -> list[str]:
    """The modules of `from x import a, b`: `x.a` where that is a module, else `x`."""
    base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    module = ".".join([*base, *([node.module] if node.module else [])])
    return [name if is_module(name := f"{module}.{alias.name}") else module for alias in node.names]


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def within(module: str, prefixes: tuple[str, ...]) -> bool:
    """`utils` alone stands for the package's own file, every other prefix for all that is below it."""
    return any(module == prefix or (module.startswith(prefix + ".") and prefix != "utils") for prefix in prefixes)


def complaint(found: Import, layer: Layer) -> str | None:
    top = found.module.partition(".")[0]
    if top in OURS:
        allowed = within(found.module, layer.project)
    else:
        allowed = top in STANDARD or layer.packages is ANY or top in layer.packages
    if not allowed:
        return f"imports {found.module}"
    if found.at_once and any(found.module == late or found.module.startswith(late + ".") for late in layer.late):
        return f"imports {found.module} at once, not where it is needed"
    return None


def complaints(text: str, source: str) -> list[str]:
    """What is wrong with the imports of one file."""
    layer = layer_of(source)
    if layer is None:
        return ["is in no layer"]
    parts = source.split("/")
    package = ".".join(parts[:-1])
    found = imports(ast.parse(text), package)
    return [said for one in found if (said := complaint(one, layer))]


@pytest.mark.parametrize("source", sources())
def test_imports_stay_within_the_layers(source):
    """A file imports only what its layer may."""
    text = (ROOT / f"{source}.py").read_text(encoding="utf-8")
    assert complaints(text, source) == []


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("utils/core/job", "import torch"),
        ("utils/core/job", "from utils.serving import loop"),
        ("utils/core/job", "import utils.engine.programs"),
        ("utils/core/job", "def f():\n    import numpy as np"),
        ("utils/audio/reading", "from utils import device"),
        ("utils/audio/reading", "from utils.store.registry import Registry"),
        ("utils/store/registry", "from ..audio import reading"),
        ("utils/store/network_models", "from models.scnet import Scnet"),
        ("utils/device", "from utils.engine import cache"),
        ("utils/engine/cache", "from utils.serving.loop import serve"),
        ("utils/engine/pipeline/stream", "from utils.engine.families.demucs.bag import DemucsBag"),
        ("utils/engine/pipeline/files", "from utils.engine.engine import Engine"),
        ("utils/engine/backends/torch", "from utils.engine.pipeline.demix import Lane"),
        ("utils/engine/families/apollo/family", "from utils.engine.families.networks.network import Network"),
        ("utils/engine/families/demucs/bag", "from utils.engine.cache import ModelCache"),
        ("utils/engine/cache", "if True:\n    from workers import WORKERS"),
        ("utils/serving/loop", "import numpy"),
        ("utils/web/app", "import numpy"),
        ("utils/web/jobs", "from utils.engine import programs"),
        ("utils/web/reading", "import numpy"),
        ("utils/web/program", "import uvicorn"),
        ("utils/serving/loop", "from workers import WORKERS"),
        ("utils/serving/loop", "from utils.engine import programs"),
        ("utils/commandline/demucs", "import torch"),
        ("utils/commandline/display", "import rich.progress"),
        ("utils/commandline/display", "from utils.audio import naming"),
        ("models/blocks/conv", "from utils.core import errors"),
        ("models/architectures", "import torch"),
        ("workers/__init__", "import msgspec"),
        ("workers/demucs_worker", "from utils.engine.programs import make_engine"),
        ("utils/engine/cache", "from tools.metrics import sdr"),
        ("models/htdemucs", "from training import loop"),
        ("tools/command_line", "import numpy"),
        ("tools/demo", "from tools.fixtures.song import song"),
        ("tools/profiling", "from benchmarks.worker_process import WorkerProcess"),
        ("tools/profiling", "def f():\n    import training.bank"),
        ("tools/fixtures/models", "from tools import choose_models"),
        ("tools/fixtures/models", "from utils.serving.loop import serve"),
        ("tools/freeze/sbom", "from tools.metrics import sdr"),
        ("training/bank", "from tools.fixtures.song import song"),
        ("training/bank", "from benchmarks.results import table"),
        ("benchmarks/memory", "from training.separating import separate"),
        ("utils/elsewhere", "import os"),
    ],
)
def test_wrong_imports_are_found(source, text):
    """The check sees each kind of wrong import, however it is written."""
    assert len(complaints(text, source)) == 1


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("utils/core/job", "import os, msgspec\nfrom utils.core.errors import DsuError\nfrom utils import __version__"),
        ("utils/engine/demucs", "import torch\nfrom utils import device\nfrom models.architectures import X"),
        ("utils/commandline/display", "if TYPE_CHECKING:\n    import rich\ndef f():\n    from rich import console"),
        ("workers/demucs_worker", "def f():\n    from utils.engine.programs import make_engine"),
        (
            "tools/profiling",
            "import cProfile\nfrom tools.fixtures.song import song\nfrom utils.engine import programs",
        ),
        ("training/bank", "import scipy\nfrom tools.metrics import sdr\nfrom training import effects"),
        (
            "benchmarks/memory",
            "import psutil\nfrom tools.fixtures.demucs import make_repo\nfrom workers import WORKERS",
        ),
    ],
)
def test_right_imports_are_allowed(source, text):
    """The check lets through what the table allows."""
    assert complaints(text, source) == []


@pytest.mark.parametrize(
    "module",
    [
        *("utils.serving.loop", "utils.serving.dealer", "utils.commandline.demucs", "workers.launch"),
        *("utils.web.app", "utils.web.program"),
    ],
)
def test_nothing_heavy_is_imported_on_the_way_to_the_first_answer(module):
    """Importing a whole column leaves torch, numpy and rich alone, also by way of others."""
    code = f"import sys, {module}; print(*sorted({{'torch', 'numpy', 'rich', 'av'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# Circles ------------------------------------------------------------------------------------------------------------


def import_graph(texts: dict[str, str]) -> dict[str, set[str]]:
    """What each file imports of the others, also late or only for type checkers. `texts` are by path."""
    modules = {source: source.replace("/", ".").removesuffix(".__init__") for source in texts}
    return {
        modules[source]: {
            found.module
            for found in imports(ast.parse(text), source.rpartition("/")[0].replace("/", "."))
            if found.module in modules.values()
        }
        for source, text in texts.items()
    }


def circles(graph: dict[str, set[str]]) -> set[str]:
    """The modules in circles: what remains when those that import no others, then those that no others import, are
    removed again and again.
    """
    rest = {module: set(imported) for module, imported in graph.items()}
    while leaves := [module for module, imported in rest.items() if not imported]:
        for leaf in leaves:
            del rest[leaf]
        for imported in rest.values():
            imported.difference_update(leaves)
    while roots := rest.keys() - {module for imported in rest.values() for module in imported}:
        for root in roots:
            del rest[root]
    return set(rest)


def test_no_modules_import_each_other_in_a_circle():
    """Not even late or for type checkers: modules that need each other are one module, or lack a third one."""
    assert (
        circles(import_graph({source: (ROOT / f"{source}.py").read_text(encoding="utf-8") for source in sources()}))
        == set()
    )


@pytest.mark.parametrize(
    "text",
    ["from utils.b import x", "def f():\n    import utils.b", "if TYPE_CHECKING:\n    from utils.b import x"],
)
def test_circles_are_found(text):
    """However a module is imported, and over however many others; what leads to a circle is not part of it."""
    texts = {
        "utils/a": text,
        "utils/b": "from utils.c import z",
        "utils/c": "from utils.a import y",
        "utils/leaf": "",
        "utils/root": "import utils.a, utils.leaf",
    }
    assert circles(import_graph(texts)) == {"utils.a", "utils.b", "utils.c"}
