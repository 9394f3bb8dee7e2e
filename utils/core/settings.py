"""How a worker was asked to run: the command line, then the environment, then `dsu_config.json`, then defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_MODELS_DIR = Path("~/Documents/DSU/ThirdPartyApps/Models")


@dataclass(frozen=True)
class Settings:
    """One worker's settings, resolved."""

    models_dir: Path
    device: str = "auto"
    threads: int | None = None
    max_cached_models: int = 2
    offline: bool = False
    strict: bool = False
    allow_unsafe_checkpoints: bool = False
    debug: bool = False
