"""A table of several results of benchmark_worker_e2e.py."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import table
from tools.command_line import Unusable
from tools.performance_ratios import COLD, FIRST, LOAD, READY, WARM, read_figures
from utils.core.bootstrap import use_utf8

HEADS = ("worker", "model", "device", "audio s", "first line s", "ready s", "load s", "cold s", "warm s", "peak MiB")


def row(figures: Mapping[str, Any]) -> list[str]:
    seconds = [f"{figures[name]:.2f}" for name in (FIRST, READY, LOAD, COLD, WARM)]
    what = [str(figures[name]) for name in ("worker", "model", "device")]
    return [*what, f"{figures['duration_s']:g}", *seconds, f"{figures['peak_memory_mib']:.0f}"]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.comparison", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", metavar="FILE", help="files of benchmark_worker_e2e.py --json")
    options = parser.parse_args(argv)
    use_utf8(sys.stdout, sys.stderr)
    try:
        rows = [row(read_figures(path)) for path in options.results]
    except Unusable as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(table(HEADS, rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
