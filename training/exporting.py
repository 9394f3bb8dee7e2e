"""From a training checkpoint to the file that ships: half-precision weights and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.loop import checkpoint_path

LARGEST_BYTES = 8_000_000


class ExportTooLarge(Exception):
    """The weights are too large for the repository."""


def averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The averaged weights (EMA) in a run's latest checkpoint."""
    content = torch.load(checkpoint_path(folder), weights_only=True, map_location="cpu")
    weights: dict[str, Tensor] = content["average"]
    return weights


def as_exported(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights rounded as in the exported file."""
    return {name: tensor.half().float() for name, tensor in weights.items()}


def export(folder: Path, target: Path) -> int:
    """Write `target`, whole or not at all, and return its size in bytes."""
    half = {name: tensor.half().contiguous() for name, tensor in averaged_weights(folder).items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    save_file(half, part)
    size = part.stat().st_size
    if size > LARGEST_BYTES:
        part.unlink()
        raise ExportTooLarge(f"`{target.name}` would take {size} bytes, but at most {LARGEST_BYTES} are allowed.")
    part.chmod(0o644)  # save_file makes it readable for its owner only
    part.replace(target)
    return size
