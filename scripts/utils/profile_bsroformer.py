"""Show where the time of one BS-RoFormer separation goes: load_model, model_to_device, audio_load, demix, save.

The engine of dsu-bsroformer runs in this process. `other` is what belongs to none of these stages.
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
    parser.add_argument("--batch-size", type=number(int, 1, 256), metavar="N", help="chunks that run together")
    parser.add_argument("--overlap", type=number(int, 1, 50), metavar="N", help="windows over each sample; default 1")


SUBJECT = Subject(
    kind="bsroformer",
    description=__doc__,
    read="audio_load",
    separate="demix",
    load=requests.NetworkLoad,
    job=requests.NetworkSeparate,
    add_options=add_options,
    options=("batch_size", "overlap"),
)

if __name__ == "__main__":
    sys.exit(main(SUBJECT, sys.argv[1:]))
