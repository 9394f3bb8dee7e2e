"""What stands for models in the names of files. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

# What the names of many models begin with, and what says nothing about one of several.
PREFIXES = (
    *("mel_band_roformer_", "melband_roformer_", "bs_roformer_", "model_bs_roformer_"),
    *("UVR-MDX-NET-", "UVR_MDXNET_"),
)
LONGEST = 12  # characters of each of several models


def model_label(model: str) -> str:
    """One model: its file up to the first dot."""
    return PurePath(model).name.partition(".")[0]


def ensemble_label(models: Sequence[str], preset: str | None) -> str:
    """Several models: the name of the ensemble, or the beginning of each."""
    if preset is not None:
        return f"preset_{preset}"
    return "custom_ensemble_" + "_".join(_shortened(PurePath(model).stem) for model in models)


def _shortened(name: str) -> str:
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix)[:LONGEST]
