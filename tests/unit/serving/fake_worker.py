"""A worker script like those in workers/, with an engine that needs no models."""

import importlib
import json
import os
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
    for place, value in json.loads(os.environ.get("FAKE_LIMITS", "{}")).items():
        module, _, name = place.partition(".")
        setattr(importlib.import_module(f"utils.serving.{module}"), name, value)
    sys.exit(run_worker(WORKERS["demucs"], sys.argv[1:], FakeEngine, lambda folder: ["quick", str(folder)]))
