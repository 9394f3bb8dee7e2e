"""From a checkpoint of the training to the file that ships: half-precision weights, and nothing else in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.training import checkpoint_path

LARGEST_BYTES = 8_000_000


class ExportTooLarge(Exception):
    """The weights are larger than what the repository takes."""


def averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The moving average of the weights in a run's latest checkpoint."""
    content = torch.load(checkpoint_path(folder), weights_only=True, map_location="cpu")
    weights: dict[str, Tensor] = content["average"]
    return weights


def as_exported(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as a reader of the exported file gets them: rounded to half precision."""
    return {name: tensor.half().float() for name, tensor in weights.items()}


def export(folder: Path, target: Path) -> int:
    """Write `target` whole or not at all. Returns its size in bytes."""
    half = {name: tensor.half().contiguous() for name, tensor in averaged_weights(folder).items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    save_file(half, part)
    size = part.stat().st_size
    if size > LARGEST_BYTES:
        part.unlink()
        raise ExportTooLarge(f"`{target.name}` would have {size} bytes; at most {LARGEST_BYTES} are allowed.")
    part.chmod(0o644)  # the writer makes files that only their owner may read
    part.replace(target)
    return size
