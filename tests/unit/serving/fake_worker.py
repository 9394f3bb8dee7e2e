"""A worker script like those in workers/, with an engine that needs no models."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from fake_engine import FakeEngine

from utils.core import bootstrap
from utils.serving.entry import run_worker
from workers import WORKERS

COMMAND = [sys.executable, str(Path(__file__)), "--worker"]

if __name__ == "__main__":
    bootstrap.prepare_process()
    sys.exit(run_worker(WORKERS["demucs"], sys.argv[1:], FakeEngine, lambda folder: ["quick", str(folder)]))
