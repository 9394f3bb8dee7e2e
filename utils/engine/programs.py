"""Which families each program has. An engine imports those of its own program and no others."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import cast

from utils.core import catalogue
from utils.core.settings import Settings
from utils.engine.engine import Engine, MakeFamily

FAMILIES = {
    "demucs": "utils.engine.families.demucs.family:DemucsFamily",
    "networks": "utils.engine.families.networks.family:NetworksFamily",
    "vr": "utils.engine.families.vr.family:VrFamily",
    "mdx": "utils.engine.families.mdx.family:MdxFamily",
    "apollo": "utils.engine.families.apollo.family:ApolloFamily",
    "audiosep": "utils.engine.families.audiosep.family:AudioSepFamily",
}


@dataclass(frozen=True)
class EngineSpec:
    """What the engine of one program is composed of."""

    families: tuple[str, ...]
    listed_networks: frozenset[str] | None = None  # the types of networks that are listed; None is all
    names_restorer: bool = False  # `ping` says apart what separates and what restores


PROGRAMS = {
    "dsu-demucs": EngineSpec(("demucs",)),
    "dsu-bsroformer": EngineSpec(("networks", "apollo")),
    "dsu-audio-separator": EngineSpec(
        ("vr", "mdx", "networks", "apollo"),
        listed_networks=frozenset(catalogue.ALSO_IN_AUDIO_SEPARATOR),
        names_restorer=True,
    ),
    "dsu-audiosep": EngineSpec(("audiosep",)),
    "dsu": EngineSpec(("networks", "demucs", "vr", "mdx", "apollo", "audiosep")),
}


def make_engine(name: str, settings: Settings) -> Engine:
    """The engine of the program called `name`."""
    program = PROGRAMS[name]
    return Engine(
        name,
        settings,
        {family: _imported(FAMILIES[family]) for family in program.families},
        listed_networks=program.listed_networks,
        names_restorer=program.names_restorer,
    )


def _imported(place: str) -> MakeFamily:
    module, _, name = place.partition(":")
    return cast(MakeFamily, getattr(importlib.import_module(module), name))
