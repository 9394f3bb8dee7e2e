"""Show where the time of one Demucs separation goes: load_model, model_to_device, load_track, apply_model, save.

The engine of dsu-demucs runs in this process. `other` is what belongs to none of these stages.
"""  # noqa: INP001  not a package: these programs are started by their path

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.command_line import number, packages_of_project

with packages_of_project():
    from tools.profiling import Subject, main
    from utils.core import requests


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shifts", type=number(int, 0, 100), metavar="N", help="time shifts; 0 is faster, default 1")
    parser.add_argument("--batch-size", type=number(int, 1, 256), metavar="N", help="segments that run together")


SUBJECT = Subject(
    kind="demucs",
    description=__doc__,
    read="load_track",
    separate="apply_model",
    load=requests.DemucsLoad,
    job=requests.DemucsSeparate,
    add_options=add_options,
    options=("shifts", "batch_size"),
)

if __name__ == "__main__":
    sys.exit(main(SUBJECT, sys.argv[1:]))
