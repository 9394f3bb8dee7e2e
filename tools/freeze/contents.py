"""What goes into the frozen folder and what stays out, each with its reason. Rule: tables and pure functions.

A distribution goes in when a requirements file asks for it, or something that it needs does (`distributions.py`); the
tables here take out of those what the workers never reach. Whatever else is installed beside them cannot get in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class LeftOut(NamedTuple):
    """Names that stay out, and why that breaks nothing."""

    why: str
    names: tuple[str, ...]


# Packages of the project. All of their modules go in, since tables name many of them in strings only.
OWN_PACKAGES = ("workers", "utils", "models")
# Modules that nothing imports by a statement that the finder can follow.
BY_NAME = (
    "demucs.htdemucs",
    "demucs.hdemucs",
    "demucs.demucs",
    "audio_separator.separator.uvr_lib_v5.vr_network.nets",
    "audio_separator.separator.uvr_lib_v5.vr_network.nets_new",
)

# Goes in where it is installed: not everybody can compile it, and its licence is not for commercial use.
OPTIONAL = ("diffq",)

# The table in docs/building.md says the same, row by row.
MODULES_LEFT_OUT = (
    LeftOut("How demucs' own program reads and writes files; here PyAV and soundfile do.", ("lameenc", "sphn")),
    LeftOut(
        "Tools of onnxruntime that convert and shrink networks, and the formats for that; sessions only run networks.",
        (
            "onnxruntime.datasets",
            "onnxruntime.quantization",
            "onnxruntime.tools",
            "onnxruntime.transformers",
            "google",
            "flatbuffers",
        ),
    ),
    LeftOut("How rich colours program code and shows markdown.", ("pygments", "markdown_it", "mdurl", "rich.jupyter")),
    LeftOut(
        "Compiling, exporting and differentiating symbolically: torch imports these when asked to, and needs sources then.",
        (
            "torch._dynamo",
            "torch._export.db",
            "torch._inductor",
            "torch._vendor.quack",
            "torch.onnx",
            "functorch",
            "jinja2",
            "markupsafe",
            "mpmath",
            "networkx",
            "sympy",
            "triton",
        ),
    ),
    LeftOut(
        "Training on many machines.",
        (
            "torch.distributed._shard",
            "torch.distributed.checkpoint",
            "torch.distributed.elastic",
            "torch.distributed.fsdp",
            "torch.distributed.pipelining",
        ),
    ),
    LeftOut(
        "Measuring networks and building extensions, for developers.",
        (
            "torch.utils.benchmark",
            "torch.utils.bottleneck",
            "torch.utils.hipify",
            "torch.utils.model_dump",
            "torch.utils.tensorboard",
            "setuptools",
            "pkg_resources",
            "_distutils_hack",
        ),
    ),
    LeftOut(
        "Windows, terminals, databases and old formats of Python's own library, and what shows pictures in windows.",
        (
            "tkinter",
            "_tkinter",
            "curses",
            "_curses",
            "readline",
            "sqlite3",
            "_sqlite3",
            "lib2to3",
            "xmlrpc",
            "distutils",
            "PIL.ImageQt",
            "PIL.ImageTk",
            "PIL._imagingtk",
        ),
    ),
)

# Of these packages only the named sub-packages go in, whatever else a version brings.
ONLY = {
    "audio_separator": ("separator",),
    "audio_separator.separator": ("uvr_lib_v5",),
    "audio_separator.separator.uvr_lib_v5": ("vr_network",),
    "torch.testing._internal": ("common_dtype", "logging_tensor"),
}

FILES_LEFT_OUT = (
    LeftOut(
        "Torch's own tests and the programs that compile its protocols.", ("test_*", "*StoreTest", "protoc", "protoc-*")
    ),
    LeftOut(
        "Libraries for tests, for compiled models and for linking; nothing here loads them.",
        (
            "libtorchbind_test.so",
            "libjitbackend_test.so",
            "libbackend_with_compiler.so",
            "libaoti_custom_ops.so",
            "libonnxruntime.so*",
            "*.ptl",
        ),
    ),
    LeftOut(
        "Static libraries, headers and sources of extensions.",
        ("*.a", "*.lib", "*.h", "*.hpp", "*.cuh", "*.pxd", "*.pyx"),
    ),
)


# Runtimes of OpenMP, as the builds of torch for Windows, macOS and Linux name theirs.
OPENMP = re.compile(r"(libiomp5(md)?|libomp|libgomp(-\w+)?)\.(dll|dylib|so(\.[\d.]+)?)$")


def names(rows: Iterable[LeftOut]) -> list[str]:
    """All names of a table, in order."""
    return [name for row in rows for name in row.names]


def unlisted(folder: Path, package: str, kept: Sequence[str]) -> list[str]:
    """The modules directly in a package's folder, without those that are kept."""
    found = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    return sorted(f"{package}.{name}" for name in found - {"__init__", "__pycache__", *kept})
