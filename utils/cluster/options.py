"""The command line of `dsu batch`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from utils.core.errors import InvalidRequest

TRIES = 3
SHORTEST_SHARE_MINUTES = (
    0.1  # below it, the chunks at the borders, which two workers compute, would be most of the work
)
PROGRAM = "dsu batch"
EPILOG = """\
examples:
  dsu batch songs/ -o stems
  dsu batch catalogue.parquet -o s3://label/stems -m htdemucs --address auto
  dsu batch 's3://label/masters/*.flac' -o s3://label/stems --set format=flac

A table has a column `input`; every other column is a field of `separate`, and
`output` names the folder of the row's stems. The same command goes on where it
was stopped. docs/scale.md has more.
"""


@dataclass(frozen=True)
class BatchOptions:
    """What was asked for, understood."""

    sources: tuple[str, ...]
    out: str
    common: dict[str, Any] = field(default_factory=dict)  # fields of `separate` for all rows
    skips_invalid: bool = False
    only_checks: bool = False
    address: str | None = None
    cpus: float | None = None
    gpus: float | None = None
    cpus_each: float = 1.0
    gpus_each: float | None = None
    most_workers: int | None = None
    autoscales: bool = False
    tries: int = TRIES
    share_s: float | None = None  # the longest stretch of a song that one worker does, where several share it
    storage: dict[str, dict[str, Any]] = field(default_factory=dict)
    models_dir: str | None = None
    worker: tuple[str, ...] = ()  # options of the worker
    hourly_cost: float | None = None
    as_lines: bool = False
    worker_command: tuple[str, ...] | None = None  # of a worker other than this program's, for tests


def read(argv: Sequence[str]) -> BatchOptions:
    """Understand the arguments. Raises `InvalidRequest`; `--help` ends the program."""
    typed = new_parser().parse_args(argv)
    common: dict[str, Any] = {}
    for assignment in typed.set:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"`--set {assignment}` must be FIELD=VALUE, such as `format=flac`.", field="set")
        common[name.replace("-", "_")] = _value(text)
    common |= {name: value for name in ("model", "recipe") if (value := getattr(typed, name)) is not None}
    if typed.autoscale and typed.max_workers is None:
        raise InvalidRequest(
            "`--autoscale` needs `--max-workers N`: how many workers the cluster may grow to.", field="autoscale"
        )
    return BatchOptions(
        sources=tuple(typed.source),
        out=typed.out,
        common=common,
        skips_invalid=typed.skip_invalid,
        only_checks=typed.check,
        address=typed.address,
        cpus=typed.num_cpus,
        gpus=typed.num_gpus,
        cpus_each=typed.num_cpus_per_worker,
        gpus_each=typed.num_gpus_per_worker,
        most_workers=typed.max_workers,
        autoscales=typed.autoscale,
        tries=typed.tries,
        share_s=None if typed.split_longer_than is None else 60 * typed.split_longer_than,
        storage=_storage(typed.storage_options),
        models_dir=typed.models_dir,
        worker=_worker_options(typed),
        hourly_cost=typed.cost_per_hour,
        as_lines=typed.json,
    )


def new_parser() -> argparse.ArgumentParser:
    class BatchParser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise InvalidRequest(f"{message}.", hint=f"`{PROGRAM} --help` lists the options.")

    parser = BatchParser(
        PROGRAM,
        description="Separate many songs on this machine or on a cluster, and go on where it was stopped.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="folder, glob, song, list (.txt) or table (.csv, .jsonl, .parquet); also s3://…",
    )
    add("-o", "--out", required=True, metavar="DIR", help="where stems and tables go; also s3://…")
    add("-m", "--model", metavar="NAME", help="for rows that name none")
    add("--recipe", metavar="NAME", help="a recipe instead of a model")
    add(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a field of `separate` for rows that do not say it",
    )
    add("--check", action="store_true", help="check all rows and start nothing")
    add(
        "--skip-invalid", action="store_true", help="do the rows that can be done; without it, one faulty row stops all"
    )
    add("--json", action="store_true", help="tell the progress in lines of JSON on stdout")
    add(
        "--cost-per-hour",
        type=_amount,
        metavar="PRICE",
        help="of one worker's share of a machine, for the cost of an hour of audio",
    )
    many = parser.add_argument_group("machines")
    add = many.add_argument
    add(
        "--address",
        metavar="ADDRESS",
        help="of a Ray cluster, or `auto`; by default Ray runs here while the batch does",
    )
    add("--num-cpus", type=_amount, metavar="N", help="without --address: cores to use here; default all")
    add("--num-gpus", type=_amount, metavar="N", help="without --address: graphics cards to use here; default all")
    add("--num-cpus-per-worker", type=_amount, default=1.0, metavar="N", help="cores of each worker; default 1")
    add(
        "--num-gpus-per-worker",
        type=_amount,
        metavar="N",
        help="cards of each worker, such as 0.5 for small models; default 1 where there are any",
    )
    add("--max-workers", type=_count, metavar="N", help="default: as many as the cluster has room for")
    add("--autoscale", action="store_true", help="ask the cluster to grow to --max-workers")
    add("--tries", type=_count, default=TRIES, metavar="N", help=f"after which a song is put aside; default {TRIES}")
    add(
        "--split-longer-than",
        type=_minutes,
        metavar="MINUTES",
        help="let workers share songs that are longer, each a part of at most this length; default: never",
    )
    add(
        "--storage-options", default="{}", metavar="JSON", help='for stores, by protocol: {"s3": {"endpoint_url": "…"}}'
    )
    for name, metavar in (("device", "DEVICE"), ("threads", "N"), ("models-dir", "DIR")):
        add(f"--{name}", metavar=metavar, help="as of the worker")
    add("--offline", action="store_true", help="never use the network for models")
    return parser


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 1_000_000:
        raise ValueError(text)
    return count


def _amount(text: str) -> float:
    amount = float(text)
    if not 0 <= amount <= 1_000_000:
        raise ValueError(text)
    return amount


def _minutes(text: str) -> float:
    minutes = _amount(text)
    if minutes < SHORTEST_SHARE_MINUTES:
        raise ValueError(text)
    return minutes


def _storage(text: str) -> dict[str, dict[str, Any]]:
    try:
        options = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"`--storage-options` is not JSON: {error}.", field="storage_options") from error
    if not isinstance(options, dict) or not all(isinstance(each, dict) for each in options.values()):
        raise InvalidRequest(
            '`--storage-options` must have an object for each protocol, such as {"s3": {"anon": true}}.',
            field="storage_options",
        )
    return options


def _worker_options(typed: argparse.Namespace) -> tuple[str, ...]:
    words: list[str] = []
    for name in ("device", "threads", "models_dir"):
        if (value := getattr(typed, name)) is not None:
            words += [f"--{name.replace('_', '-')}", value]
    return (*words, *(["--offline"] if typed.offline else []))
