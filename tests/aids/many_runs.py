"""Runs a program many times in one process, since importing torch takes longer than a tiny model.

    python many_runs.py demucs|dsu-demucs RUNS

RUNS is a JSON file: a list of {"argv": [...], "folder": "..."}, the working folder of each. The result of each goes to stdout.
"""

import contextlib
import io
import json
import os
import random
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def demucs(argv):
    from demucs import separate

    separate.main(argv)


def dsu_demucs(argv):
    from workers import WORKERS
    from workers.launch import main

    sys.exit(main(WORKERS["demucs"], argv))


def run(program, argv, folder):
    """Status and streams of one run."""
    os.chdir(folder)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            program(argv)
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except Exception:  # noqa: BLE001  # whatever the program dies of
            traceback.print_exc()
            status = 1
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


def without_shifts():
    """Random time shifts become none in both programs: one draws where in the padding to start, the other how far before."""
    random.randint = lambda low, high: high
    random.Random.randint = lambda self, low, high: low


def main(name, runs):
    sys.path.insert(0, str(ROOT))
    import torch

    torch.set_num_threads(1)
    without_shifts()
    program = {"demucs": demucs, "dsu-demucs": dsu_demucs}[name]
    results = [run(program, **one) for one in json.loads(Path(runs).read_text(encoding="utf-8"))]
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
