"""The table of networks: what a checkpoint or a config calls them, and where their class is. Strings only.

A class is imported when the first model of its kind is loaded. Nothing outside this table is ever built.
"""

from __future__ import annotations

import importlib
from typing import Any

# Networks of the demucs package, by the class that their checkpoints name; these are all that may be named.
DEMUCS: dict[str, str] = {
    "HTDemucs": "demucs.htdemucs:HTDemucs",
    "HDemucs": "demucs.hdemucs:HDemucs",
    "Demucs": "demucs.demucs:Demucs",
}

# Networks of our own, built from a configuration. Each has a class of parameters called `XParams` beside it.
OWN: dict[str, str] = {
    "bs_roformer": "models.bs_roformer:BSRoformer",
    "mel_band_roformer": "models.mel_band_roformer:MelBandRoformer",
    "scnet": "models.scnet:Scnet",
    "scnet_masked": "models.scnet_masked:ScnetMasked",
    "scnet_tran": "models.scnet_tran:ScnetTran",
    "mdx23c": "models.mdx23c:Mdx23c",
    "apollo": "models.apollo:Apollo",
    "bandit": "models.bandit:Bandit",
    "bandit_v2": "models.bandit_v2:BanditV2",
    "htdemucs": "models.htdemucs:Htdemucs",
    "mask_unet": "models.mask_unet:MaskUnet",
}

ARCHITECTURES: dict[str, str] = {**DEMUCS, **OWN}


def network_class(name: str) -> Any:
    """The class of the architecture called `name`. Raises `KeyError` for a name that is not in the table."""
    module, _, attribute = ARCHITECTURES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def params_class(name: str) -> Any:
    """The class of the parameters of one of our own networks."""
    module, _, attribute = OWN[name].partition(":")
    return getattr(importlib.import_module(module), f"{attribute}Params")
