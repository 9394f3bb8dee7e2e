"""`dsu score REFERENCE ESTIMATE`: how close separated stems are to the true ones, for people or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from utils.commandline.layout import Layout, Run
from utils.commandline.options import Typed, read
from utils.commandline.program import answered
from utils.core.errors import InvalidRequest

if TYPE_CHECKING:
    from utils.scoring.scores import Scores

COLUMNS = {
    "sdr": "SDR",
    "si_sdr": "SI-SDR",
    "sdr_median": "SDR 1 s",
    "bleedless": "bleedless",
    "fullness": "fullness",
}
WIDEST_NAME = 30


class ScoreRun(Run, frozen=True, kw_only=True):
    """What only `dsu score` has."""

    json: Annotated[bool, Meta(description="Print one JSON document.")] = False
    trim: Annotated[
        bool,
        Meta(description="Compare only what both files have, from the start; else different lengths are an error."),
    ] = False


LAYOUT = Layout(
    program="dsu score",
    description="Compare separated stems with the true ones. Higher scores are better.",
    requests=(),
    groups={},
    ungrouped=("json", "trim"),
    machine=(),
    run=ScoreRun,
    usage="[options] REFERENCE ESTIMATE",
    things=("FILE_OR_FOLDER", "the true stem and the separated one; or two folders, whose files are matched by name"),
    epilog="""\
examples:
  dsu score true/vocals.wav separated/song/vocals.wav
  dsu score true/ separated/song/ --json

SDR        energy of the true stem over that of the error, in dB, over the whole
           file and all channels
SI-SDR     the same, whatever the level of the estimate
SDR 1 s    the median of the SDR of each second in which neither is silent; not
           that of museval, which first fits filters of 512 samples
bleedless  100 if nothing is louder than in the true stem
fullness   100 if nothing is softer than in the true stem

A dash is where a score does not exist, as of a silent stem. The exit status is
1 if a true stem has no estimate; a true song, `mixture`, needs none.
""",
)


def main(argv: Sequence[str]) -> int:
    return answered(LAYOUT.program, lambda: read(LAYOUT, argv), compare)


def compare(typed: Typed) -> int:
    """Score all pairs. The exit status is 1 if a true stem has no estimate. Raises what is wrong with the files."""
    from utils.scoring.pairs import match
    from utils.scoring.scores import mean, score

    if len(typed.words.tracks) != 2:
        raise InvalidRequest("Give two files or two folders: the true stems, then the separated ones.")
    reference, estimate = (Path(text).expanduser() for text in typed.words.tracks)
    matched = match(reference, estimate)
    scores = [score(pair, trim=bool(typed.words.trim)) for pair in matched.pairs]
    status = 1 if matched.missing else 0
    if typed.words.json:
        found = {
            "scores": [msgspec.to_builtins(one) for one in scores],
            "mean": mean(scores),
            "missing": matched.missing,
            "extra": matched.extra,
        }
        sys.stdout.write(f"{json.dumps(found, indent=2)}\n")
        return status
    sys.stdout.writelines(f"{line}\n" for line in table(scores, mean(scores)))
    for names, lack in ((matched.missing, "no estimate of"), (matched.extra, "no true stem for")):
        if names:
            sys.stderr.write(f"{LAYOUT.program}: There is {lack} {', '.join(names)}.\n")
    return status


def table(scores: Sequence[Scores], means: Mapping[str, float | None]) -> Iterator[str]:
    """A line for each stem, and one for the mean of several."""
    rows = [(one.stem, {name: getattr(one, name) for name in COLUMNS}) for one in scores]
    if len(rows) > 1:
        rows.append(("mean", dict(means)))
    width = min(max(len(name) for name, _ in rows), WIDEST_NAME)
    yield " ".join([" " * width, *(f"{title:>9}" for title in COLUMNS.values())])
    for name, values in rows:
        numbers = ("-" if values[column] is None else f"{values[column]:.2f}" for column in COLUMNS)
        short = name if len(name) <= width else f"…{name[1 - width :]}"
        yield " ".join([f"{short:{width}}", *(f"{number:>9}" for number in numbers)])
