"""dsu-denoise: noise reduction by a recording of the noise, for programs (`--worker`) and for people."""

from __future__ import annotations

import sys
from pathlib import Path

if not getattr(sys, "frozen", False):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workers import WORKERS
from workers.launch import main

if __name__ == "__main__":
    sys.exit(main(WORKERS["denoise"], sys.argv[1:]))
