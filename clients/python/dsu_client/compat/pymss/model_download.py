"""Fetching models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

from dsu_client.client import DSU
from dsu_client.compat.host import worker

from .model_registry import find_model


def download_model(
    model_name: str,
    model_dir: str | PathLike[str] | None = None,
    source: str = "modelscope",
    endpoint: str | None = None,
    verify: bool = True,
    force: bool = False,
    timeout: float = 30,
    progress_callback: Callable[[int, int, str], object] | None = None,
    proxy: str | None = None,
) -> dict[str, Any]:
    """Fetch a model from where DSU has it, and check it. `source` and the rest of how it is fetched have no effect."""
    del source, endpoint, verify, force, timeout, proxy
    return fetch(worker(models_dir=model_dir), model_name, progress_callback)


def fetch(where: DSU, model_name: str, progress_callback: Callable[[int, int, str], object] | None) -> dict[str, Any]:
    """Fetch a model by a worker."""
    entry = find_model(where, model_name)

    def told(line: Mapping[str, Any]) -> None:
        if progress_callback is not None and line["status"] == "downloading":
            progress_callback(line["received_bytes"], line["total_bytes"] or 0, f"Downloading {line['file']}")

    reply = where.download_model(model=entry.name, on_progress=told)
    fetched, kept = ([], reply["files"]) if entry.installed else (reply["files"], [])
    return {"entry": entry, "downloaded": fetched, "skipped": kept}
