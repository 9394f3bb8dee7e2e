"""RESULTS.md: sections that each benchmark replaces, with date, machine and versions."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from utils import __version__

PATH = Path(__file__).resolve().parent / "RESULTS.md"
TITLE = "# Results\n\nWritten by `python3 run.py bench NAME`; nothing here is typed by hand.\n"
PACKAGES = ("torch", "demucs", "numpy", "soundfile", "soxr")


def write_section(name: str, body: str, path: Path = PATH) -> None:
    """Replace or add the section `name`, with date, machine and versions below its heading."""
    old = path.read_text(encoding="utf-8") if path.exists() else TITLE
    section = f"## {name}\n\n{conditions()}\n\n{body.strip()}\n"
    path.write_text(replace_section(old, name, section), encoding="utf-8")


def replace_section(document: str, name: str, section: str) -> str:
    """The document with `section` instead of the one headed `## name`, or at its end."""
    head, *sections = re.split(r"^(?=## )", document, flags=re.MULTILINE)
    texts = {text.partition("\n")[0]: text.strip() for text in sections}
    texts[f"## {name}"] = section.strip()
    return "\n\n".join([head.strip(), *texts.values()]) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def conditions() -> str:
    """The date, machine and versions of a measurement."""
    today = dt.datetime.now(tz=dt.UTC).date()
    memory_gib = psutil.virtual_memory().total / 2**30
    machine = f"{cpu_name()}, {psutil.cpu_count(logical=False) or psutil.cpu_count()} cores, {memory_gib:.0f} GiB"
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return (
        f"{today}; {platform.system()} {platform.machine()}, {machine}; "
        f"DSU {__version__}, Python {platform.python_version()}, {versions}."
    )


def cpu_name() -> str:
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()
