"""What the tests of the Python client share: real workers, the misbehaving one of the Node client, and songs."""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "clients" / "node" / "testing" / "fake-worker.js"
RATE = 44100


def fake(node, **options):
    """Options that start the misbehaving worker."""
    return {"command": [node, str(FAKE)], **options}


def real(worker_dir, tmp_path, **options):
    """Options that start real workers: of the frozen build, or scripts with the Python of the tests."""
    place = {"directory": worker_dir} if worker_dir else {"directory": ROOT, "python": sys.executable}
    return {**place, "device": "cpu", "threads": 1, "offline": True, "models_dir": tmp_path / "models", **options}


def song(seconds=1.0, channels=2):
    """Quiet noise over a chord, always the same."""
    time = np.arange(int(RATE * seconds)) / RATE
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220.0, 277.2, 329.6)) / 12
    noise = np.random.default_rng(7).normal(0, 0.02, (channels, len(time)))
    return (chord + noise).astype(np.float32)
