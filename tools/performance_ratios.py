"""Judge a result of benchmark_worker_e2e.py by ratios of its figures, since seconds depend on the machine.

Some ratios have a bound that holds on every machine: a worker sends its first line before it is ready, a loaded model is
cached, and a warm worker is faster than a new one. The others are compared with a baseline, an earlier result of the same
worker, model and device: none may exceed --tolerance times its earlier value. Exit status 1 if any ratio is too large.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools.command_line import Unusable, number
from utils.core.bootstrap import use_utf8

TOLERANCE = 1.5
FIRST, READY = "t_start_to_first_status_s", "t_start_to_ready_s"
LOAD, AGAIN = "t_load_model_s", "t_load_model_again_s"
COLD, WARM = "t_separate_cold_wall_s", "t_separate_warm_wall_s"
FIGURES = (FIRST, READY, LOAD, AGAIN, COLD, WARM)
SAME_IN_BASELINE = ("worker", "model", "device")
WRITES_RESULTS = "`benchmark_worker_e2e.py --json` writes results."


class Ratio(NamedTuple):
    """The ratio of two figures of a run, and its upper bound."""

    name: str
    value: float
    bound: float | None = None
    bound_from: str = ""

    @property
    def kept(self) -> bool:
        return self.bound is None or self.value <= self.bound


def ratios_of(figures: Mapping[str, Any]) -> list[Ratio]:
    """The ratios of one run. Chance alone may make a warm separation a little slower than the cold one."""
    anew = figures[READY] + figures[LOAD] + figures[COLD]
    return [
        Ratio("first status / ready", figures[FIRST] / figures[READY], 1.0, "always"),
        Ratio("second load / first load", figures[AGAIN] / figures[LOAD], 1.0, "always"),
        Ratio("warm / start, load and cold", figures[WARM] / anew, 1.0, "always"),
        Ratio("warm / cold", figures[WARM] / figures[COLD], TOLERANCE, "always"),
        Ratio("load / ready", figures[LOAD] / figures[READY]),
        Ratio("cold / ready", figures[COLD] / figures[READY]),
        Ratio("warm / ready", figures[WARM] / figures[READY]),
    ]


def compared(now: Sequence[Ratio], then: Sequence[Ratio], tolerance: float) -> list[Ratio]:
    """The ratios, with bounds from the earlier ones where they have no fixed bound."""
    earlier = {ratio.name: ratio.value for ratio in then}
    return [
        ratio
        if ratio.bound is not None
        else ratio._replace(bound=tolerance * earlier[ratio.name], bound_from="baseline")
        for ratio in now
    ]


def as_text(ratios: Sequence[Ratio]) -> str:
    """A line for each ratio."""
    width = max(len(ratio.name) for ratio in ratios)
    lines = []
    for ratio in ratios:
        bound = "not compared" if ratio.bound is None else f"at most {ratio.bound:.3f} ({ratio.bound_from})"
        lines.append(f"{'ok  ' if ratio.kept else 'SLOW'}  {ratio.name:<{width}}  {ratio.value:7.3f}  {bound}")
    return "\n".join(lines)


def read_figures(path: Path) -> dict[str, Any]:
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unusable(f"`{path}` cannot be read: {error.strerror}. {WRITES_RESULTS}") from error
    except ValueError as error:
        raise Unusable(f"`{path}` is not JSON: {error}. {WRITES_RESULTS}") from error
    if not isinstance(figures, dict) or not all(
        isinstance(figures.get(name), int | float) and figures[name] > 0 for name in FIGURES
    ):
        raise Unusable(f"`{path}` is not a benchmark result: figures are missing. {WRITES_RESULTS}")
    return figures


def judge(result: Path, baseline: Path | None, tolerance: float) -> list[Ratio]:
    """The ratios of a result, with their bounds."""
    figures = read_figures(result)
    ratios = ratios_of(figures)
    if baseline is None:
        return ratios
    then = read_figures(baseline)
    for key in SAME_IN_BASELINE:
        if figures.get(key) != then.get(key):
            raise Unusable(
                f"The baseline `{baseline}` has another {key}: {then.get(key)}, not {figures.get(key)}. "
                "Save one for this setup with --save."
            )
    return compared(ratios, ratios_of(then), tolerance)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tools.performance_ratios", description=__doc__)
    parser.add_argument(
        "result", type=Path, nargs="?", metavar="RESULT",
        help="a file of benchmark_worker_e2e.py --json; without it only the options and the baseline are checked",
    )  # fmt: skip
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="an earlier result to compare with")
    parser.add_argument(
        "--tolerance", type=number(float, 1), default=TOLERANCE, metavar="X", help=f"default {TOLERANCE:g}"
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="save the result as a baseline if no ratio is too large"
    )
    options = parser.parse_args(argv)
    use_utf8(sys.stdout, sys.stderr)
    try:
        if options.result is None:
            if options.baseline is not None:
                read_figures(options.baseline)
            return 0
        ratios = judge(options.result, options.baseline, options.tolerance)
        sys.stdout.write(as_text(ratios) + "\n")
        if not all(ratio.kept for ratio in ratios):
            sys.stderr.write("A ratio is too large. Repeat the measurement on an idle machine to confirm it.\n")
            return 1
        if options.save is not None:
            options.save.parent.mkdir(parents=True, exist_ok=True)
            options.save.write_bytes(options.result.read_bytes())
            sys.stdout.write(f"Saved as a baseline: {options.save}\n")
    except Unusable as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"`{error.filename}` cannot be written: {error.strerror}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
