"""What other machines would do with the songs of a batch that was run, or with assumed ones, by the model in `utils/cluster/simulation.py`.

python -m tools.batch_scale stems/results.jsonl --workers 1,8,64,512 --songs 100000
python -m tools.batch_scale --assume 10,25,100,4 --workers 1,8,64,512 --songs 100000
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.cluster.simulation import Machines, MeasuredSong, simulate


def measured(table: Path) -> list[MeasuredSong]:
    """The songs of a batch that were separated in it, from its `results.jsonl`."""
    songs = []
    with table.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["status"] == "done" and not row["kept"]:
                size_bytes = sum(stem["size_bytes"] for stem in row["stems"])
                songs.append(MeasuredSong(row["separate_s"], row["input_bytes"], size_bytes, len(row["stems"])))
    return songs


def assumed(text: str) -> MeasuredSong:
    """A song from what is assumed of it. Raises `ValueError`, as argparse expects."""
    separate_s, input_mb, output_mb, files = text.split(",")
    return MeasuredSong(float(separate_s), float(input_mb) * 1e6, float(output_mb) * 1e6, int(files))


def new_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tools.batch_scale", description="What other machines would do with a batch."
    )
    parser.add_argument("results", type=Path, nargs="?", help="results.jsonl of a batch")
    parser.add_argument(
        "--assume",
        type=assumed,
        metavar="SECONDS,MB_IN,MB_OUT,FILES",
        help="in place of results: each song takes so long, and has so many bytes and stems",
    )
    parser.add_argument("--workers", default="1,8,64,512", help="numbers of workers; default 1,8,64,512")
    parser.add_argument("--songs", type=int, help="how many songs, as those measured; default: those")
    parser.add_argument("--start-s", type=float, default=0.0, help="seconds until a worker has its model")
    parser.add_argument("--store-mb-s", type=float, default=float("inf"), help="bandwidth of the store")
    parser.add_argument("--worker-mb-s", type=float, default=float("inf"), help="bandwidth of a worker")
    parser.add_argument("--request-ms", type=float, default=0.0, help="until the store answers")
    parser.add_argument("--message-ms", type=float, default=0.0, help="of the driver, for each answer")
    parser.add_argument("--move-ms", type=float, default=0.0, help="to move a file within the store")
    parser.add_argument("--cost-per-hour", type=float, help="of a worker")
    return parser


def main(argv: Sequence[str]) -> int:
    parser = new_parser()
    typed = parser.parse_args(argv)
    if (typed.results is None) == (typed.assume is None):
        parser.error("Give either the results of a batch or --assume.")
    found = [typed.assume] if typed.assume else measured(typed.results)
    if not found:
        parser.error(f"`{typed.results}` has no song that was separated.")
    songs = list(itertools.islice(itertools.cycle(found), typed.songs or len(found)))
    for workers in map(int, typed.workers.split(",")):
        machines = Machines(
            workers,
            typed.start_s,
            typed.store_mb_s * 1e6,
            typed.worker_mb_s * 1e6,
            typed.request_ms / 1000,
            typed.message_ms / 1000,
            typed.move_ms / 1000,
        )
        done = simulate(songs, machines)
        told = {"workers": workers, "songs": len(songs), "hours": round(done.seconds / 3600, 3)}
        told |= {
            "worker_share": round(done.worker_share, 3),
            **{name: round(each, 3) for name, each in done.limits.items()},
        }
        if typed.cost_per_hour is not None:
            told["cost"] = round(typed.cost_per_hour * workers * done.seconds / 3600, 2)
        sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
