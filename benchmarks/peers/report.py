"""The tables and charts of a run. Pure functions of what was measured, which is also written as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.peers.chart import bars
from benchmarks.peers.programs import IN_FP32, IN_HALF, OURS, OURS_FP32, agrees
from benchmarks.results import table

Measured = Mapping[str, Any]

MIB = 2**20
GIGA = 1e9
NO_RATIO = "—"
DISAGREES = "differs"


def best(seconds: Sequence[float]) -> float:
    return min(seconds)


def programs_table(rows: Mapping[str, Measured]) -> str:
    """Whole programs: a line for each program of each contest."""
    head = ["", "settings", "audio s", "program", "s", "peak MiB", "agreement dB", "DSU fp32 / it", "DSU / it"]
    lines = [
        line for row in rows.values() for contest in row["contests"] for line in contest_lines(row["title"], contest)
    ]
    return table(head, lines)


def contest_lines(title: str, contest: Measured) -> Iterable[list[str]]:
    runs = contest["runs_s"]
    start = [title, contest["settings"], f"{contest['audio_s']:.3g}"]
    for name, seconds in runs.items():
        peak = f"{contest['peak_bytes'][name] / MIB:.0f}"
        agreement = contest["agreement_db"].get(name, {})
        yield [*start, name, f"{best(seconds):.2f}", peak, agreement_text(agreement), *ratios(runs, name, agreement)]
        start = ["", "", ""]
    for name, reason in contest["failed"].items():
        yield [*start, name, "failed", "", "", reason.replace("|", "/"), ""]


def agreement_text(agreement: Mapping[str, float | None]) -> str:
    """The agreement with ours in single precision; a program has none with itself."""
    found = agreement.get(OURS_FP32)
    return "" if found is None else f"{found:.0f}"


def ratios(runs: Mapping[str, Sequence[float]], name: str, agreement: Mapping[str, float | None]) -> list[str]:
    """Our time over that of another program, in both precisions, where the results agree."""
    if name == OURS_FP32:
        return ["", ""]
    if name == OURS:
        allowed = agrees(agreement.get(OURS_FP32), half=True)
        return ["", f"{best(runs[OURS]) / best(runs[OURS_FP32]):.2f} of fp32" if allowed else DISAGREES]
    same = agrees(agreement.get(OURS_FP32), half=False)
    cells = []
    for mine in (OURS_FP32, OURS):
        if mine not in runs:
            cells.append(NO_RATIO)
        elif same and (mine == OURS_FP32 or agrees(agreement.get(mine), half=True)):
            cells.append(f"{best(runs[mine]) / best(runs[name]):.2f}")
        else:
            cells.append(DISAGREES)
    return cells


def forward_table(rows: Mapping[str, Measured]) -> str:
    """Bare networks: loading and one forward pass."""
    head = ["", "audio s", "program", "load s", "forward s", "agreement dB", "DSU fp32 / it", "DSU / it"]
    lines: list[list[str]] = []
    for row, forward in with_forward(rows):
        start = [row["title"], f"{forward['audio_s']:.3g}"]
        for name, seconds in forward["runs_s"].items():
            agreement = forward["agreement_db"].get(name, {})
            load = forward["load_s"].get(OURS if name == OURS_FP32 else name) if name != OURS else None
            cells = ["" if load is None else f"{load:.3f}", f"{best(seconds):.3f}", agreement_text(agreement)]
            lines.append([*start, name, *cells, *ratios(forward["runs_s"], name, agreement)])
            start = ["", ""]
    return table(head, lines)


def with_forward(rows: Mapping[str, Measured]) -> Iterable[tuple[Measured, Measured]]:
    for row in rows.values():
        forward = row.get("forward")
        if forward is not None and "failed" not in forward:
            yield row, forward


def ceiling_table(rows: Mapping[str, Measured], half: str) -> str:
    """What the products alone would take, and how close the networks come to that."""
    head = ["", "GFLOP per s of audio"]
    for precision in ("fp32", *([half] if half != "fp32" else [])):
        head += [f"products, GFLOP/s in {precision}", f"network, GFLOP/s in {precision}", "share"]
    lines = []
    for row, forward in with_forward(rows):
        flops = forward["flops"]
        line = [row["title"], f"{flops / forward['audio_s'] / GIGA:.1f}"]
        for name in (OURS_FP32, *([OURS] if half != "fp32" else [])):
            if name in forward["products_s"]:
                alone, whole = forward["products_s"][name], best(forward["runs_s"][name])
                line += [f"{flops / alone / GIGA:.0f}", f"{flops / whole / GIGA:.0f}", f"{alone / whole:.2f}"]
            else:
                line += ["", "", ""]
        lines.append(line)
    return table(head, lines)


def starts_table(starts: Mapping[str, Sequence[Sequence[float | None]]]) -> str:
    torch_s = best([start[1] for start in starts["import torch"] if start[1] is not None])
    lines = []
    for name, runs in starts.items():
        first = [run[0] for run in runs if run[0] is not None]
        ready = best([run[1] for run in runs if run[1] is not None])
        lines.append([name, f"{best(first):.3f}" if first else "", f"{ready:.3f}", f"{ready / torch_s:.2f}"])
    return table(["", "first line s", "ready to load a model s", "/ import torch"], lines)


def operations_table(found: Mapping[str, Sequence[Sequence[Any]]]) -> str:
    """In the shape that earlier versions had: total, processing, overhead."""
    lines = []
    for title, operations in found.items():
        start = title
        for name, total_s, processing_s, loads in operations:
            seconds = [f"{each:.2f}" for each in (total_s, processing_s, total_s - processing_s)]
            lines.append([start, name, *seconds, "loaded" if loads else "kept"])
            start = ""
    return table(["", "operation", "total s", "processing s", "overhead s", "model"], lines)


def configurations_table(found: Mapping[str, Sequence[Sequence[Any]]]) -> str:
    """Configurations side by side, and what the whole sequence takes in each, relative to the first."""
    titles = list(found)
    by_name = {title: {name: total_s for name, total_s, *_ in operations} for title, operations in found.items()}
    names = list(by_name[titles[0]])
    lines = [[name, *(f"{by_name[title][name]:.2f}" for title in titles)] for name in names]
    sequence = names[-1]
    base = by_name[titles[0]][sequence]
    lines.append(["relative to one worker", *(f"{by_name[title][sequence] / base:.2f}" for title in titles)])
    return table(["s", *titles], lines)


# Charts ---------------------------------------------------------------------------------------------------------------


def programs_chart(rows: Mapping[str, Measured]) -> str:
    """Seconds of a whole program for a second of audio, in the first contest of each row in which others agree."""
    groups = {}
    for row in rows.values():
        for contest in row["contests"]:
            shown = comparable(contest["runs_s"], contest["agreement_db"], contest["audio_s"])
            if len(shown) > 1:
                groups[row["title"]] = shown
                break
    return bars("From file to files: seconds for a second of audio", groups, "s")


def forward_chart(rows: Mapping[str, Measured]) -> str:
    groups = {
        row["title"]: comparable(forward["runs_s"], forward["agreement_db"], forward["audio_s"])
        for row, forward in with_forward(rows)
    }
    return bars("The network alone: seconds for a second of audio", groups, "s")


def comparable(
    runs: Mapping[str, Sequence[float]], agreement: Mapping[str, Mapping[str, float | None]], audio_s: float
) -> dict[str, float]:
    """The programs whose results agree with ours."""
    return {
        name: best(seconds) / audio_s
        for name, seconds in runs.items()
        if name == OURS_FP32 or agrees(agreement.get(name, {}).get(OURS_FP32), half=name == OURS)
    }


# The section ----------------------------------------------------------------------------------------------------------


def section(measured: Measured) -> str:
    """The section of RESULTS.md, with what was measured of it."""
    half, rows = measured["precision"], measured["rows"]
    intro = (
        f"`python3 run.py bench peers`. Threads: {measured['threads']}; default precision of DSU here: {half}. Random weights "
        f"in networks of public size; the least of {measured['rounds']} runs each, in turns. A ratio is printed where stems "
        f"agree to {IN_FP32:.0f} dB with DSU in fp32 (agreement dB), and for the default precision to {IN_HALF:.0f} dB. "
        f"{measured['versions']}."
    )
    parts = [intro]
    if any(row["contests"] for row in rows.values()):
        parts += ["### Whole programs", "![Whole programs](../docs/images/peers-programs.svg)", programs_table(rows)]
    if any(True for _ in with_forward(rows)):
        parts += ["### Bare networks", "![Bare networks](../docs/images/peers-networks.svg)", forward_table(rows)]
        parts += ["### The ceiling", CEILING, ceiling_table(rows, half)]
    if "starts" in measured:
        parts += ["### From the start of a process", starts_table(measured["starts"])]
    if "switching" in measured:
        parts += ["### Loading, switching and back", operations_table(measured["switching"])]
    if "configurations" in measured:
        parts += ["### Other workers, restarts and the cache", configurations_table(measured["configurations"])]
    parts += [NOTES]
    return "\n\n".join(parts)


CEILING = (
    "All products of matrices and convolutions of a network, timed alone as products of the same sizes in the same run: "
    "their share of the time of the network is how close it comes to what this machine can do."
)
NOTES = (
    "audio-separator does not load the BS-RoFormer with four stems, whose layers before the masks are narrower than it knows; "
    "its bare network does. It starts without diffq and torchvision, which it imports for models that are not here. "
    "demucs-onnx runs networks that it exported itself; it adds silence at the end of a song, where demucs adds it on both sides, so "
    "stems differ although the networks agree. There is no other package with AudioSep, and none with dsu_mini."
)
