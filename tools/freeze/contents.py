"""What goes into the frozen folder and what stays out, with reasons. Rule: tables and pure functions.

The requirements files and their dependencies decide which distributions go in (`distributions.py`); nothing else that is
installed does. The tables here leave out the parts of them that the workers never use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class LeftOut(NamedTuple):
    """Names that stay out, and why that is safe."""

    why: str
    names: tuple[str, ...]


# The project's packages. All their modules go in, since many are named only as strings in tables.
OWN_PACKAGES = ("workers", "utils", "models")
# Modules that no import statement names, so that the finder would miss them.
BY_NAME = (
    "demucs.htdemucs",
    "demucs.hdemucs",
    "demucs.demucs",
    "audio_separator.separator.uvr_lib_v5.vr_network.nets",
    "audio_separator.separator.uvr_lib_v5.vr_network.nets_new",
    "uvicorn.lifespan.on",
)

# Goes in if it is installed: not everyone can compile it, and its licence forbids commercial use.
OPTIONAL = ("diffq",)

# docs/building.md has the same table, row by row.
MODULES_LEFT_OUT = (
    LeftOut("Demucs' own reading and writing of files; DSU uses PyAV and soundfile.", ("lameenc", "sphn")),
    LeftOut(
        "Onnxruntime's tools for converting and quantising networks, and their formats; workers only run networks.",
        (
            "onnxruntime.datasets",
            "onnxruntime.quantization",
            "onnxruntime.tools",
            "onnxruntime.transformers",
            "google",
            "flatbuffers",
        ),
    ),
    LeftOut("The name that python_multipart had before.", ("multipart",)),
    LeftOut("Batches on clusters need an environment, on all machines; `run.py batch` makes it.", ("ray", "pyarrow")),
    LeftOut("Rich's syntax highlighting and Markdown.", ("pygments", "markdown_it", "mdurl", "rich.jupyter")),
    LeftOut(
        "Compiling, exporting and symbolic mathematics: torch imports these only on request, and they need its sources.",
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
        "Distributed training.",
        (
            "torch.distributed._shard",
            "torch.distributed.checkpoint",
            "torch.distributed.elastic",
            "torch.distributed.fsdp",
            "torch.distributed.pipelining",
        ),
    ),
    LeftOut(
        "Benchmarking, and building extensions, for developers.",
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
        "GUIs, terminals and legacy formats from Python's standard library, and Pillow's GUI support.",
        (
            "tkinter",
            "_tkinter",
            "curses",
            "_curses",
            "readline",
            "lib2to3",
            "xmlrpc",
            "distutils",
            "PIL.ImageQt",
            "PIL.ImageTk",
            "PIL._imagingtk",
        ),
    ),
)

# Of these packages only the listed subpackages go in, whatever else a new version may contain.
ONLY = {
    "audio_separator": ("separator",),
    "audio_separator.separator": ("uvr_lib_v5",),
    "audio_separator.separator.uvr_lib_v5": ("vr_network",),
    "torch.testing._internal": ("common_dtype", "logging_tensor"),
}

FILES_LEFT_OUT = (
    LeftOut("Torch's own tests, and its protocol compilers.", ("test_*", "*StoreTest", "protoc", "protoc-*")),
    LeftOut(
        "Libraries for tests, compiled models and linking; the workers never load them.",
        (
            "libtorchbind_test.so",
            "libjitbackend_test.so",
            "libbackend_with_compiler.so",
            "libaoti_custom_ops.so",
            "libonnxruntime.so*",
            "libonnxruntime_providers_tensorrt.so",
            "onnxruntime_providers_tensorrt.dll",
            "*.ptl",
        ),
    ),
    LeftOut(
        "CUDA's libraries for several cards at once, for profilers, and a second compiler; neither torch nor onnxruntime loads them.",
        (
            "libcusolverMg.so*",
            "cusolverMg64_*.dll",
            "libnvperf_*.so*",
            "nvperf_*.dll",
            "libnvrtc.alt.so*",
            "nvrtc64_*.alt.dll",
        ),
    ),
    LeftOut(
        "Static libraries, headers, and sources of extensions.",
        ("*.a", "*.lib", "*.h", "*.hpp", "*.cuh", "*.pxd", "*.pyx"),
    ),
)


# OpenMP runtimes, as named by torch's builds for Windows, macOS and Linux.
OPENMP = re.compile(r"(libiomp5(md)?|libomp|libgomp(-\w+)?)\.(dll|dylib|so(\.[\d.]+)?)$")


def names(rows: Iterable[LeftOut]) -> list[str]:
    """All names in a table, in order."""
    return [name for row in rows for name in row.names]


def unlisted(folder: Path, package: str, kept: Sequence[str]) -> list[str]:
    """The modules directly in a package's folder, except those that are kept."""
    found = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    return sorted(f"{package}.{name}" for name in found - {"__init__", "__pycache__", *kept})
