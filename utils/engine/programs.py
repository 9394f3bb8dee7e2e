"""The model families of each program. An engine imports only those of its own program."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from utils.core import catalogue
from utils.core.settings import Settings
from utils.engine.engine import Engine, MakeFamily
from utils.engine.family import Family, Host

FAMILIES = {
    "demucs": "utils.engine.families.demucs.family:DemucsFamily",
    "networks": "utils.engine.families.networks.family:NetworksFamily",
    "vr": "utils.engine.families.vr.family:VrFamily",
    "mdx": "utils.engine.families.mdx.family:MdxFamily",
    "apollo": "utils.engine.families.apollo.family:ApolloFamily",
    "audiosep": "utils.engine.families.audiosep.family:AudioSepFamily",
    "denoise": "utils.engine.families.denoise.family:DenoiseFamily",
}


@dataclass(frozen=True)
class EngineSpec:
    """How the engine of one program is put together."""

    families: tuple[str, ...]
    # What takes requests of the audio-separator package before the others; made when the first of these comes.
    for_package: tuple[str, ...] = ()
    listed_networks: frozenset[str] | None = None  # the network types to list; None lists all
    unnamed_is_active: bool = False  # requests that name no model use the active one, whatever its family
    names_restorer: bool = False  # `ping` reports separator and restorer separately
    defaults: Mapping[str, object] = field(default_factory=dict)  # of fields that say nothing, where programs differ


PROGRAMS = {
    "dsu-demucs": EngineSpec(("demucs",), defaults={"other_method": "add"}),
    "dsu-bsroformer": EngineSpec(("networks", "apollo")),
    "dsu-audio-separator": EngineSpec(
        ("vr", "mdx", "networks", "apollo"),
        for_package=("demucs",),
        listed_networks=frozenset(catalogue.ALSO_IN_AUDIO_SEPARATOR),
        names_restorer=True,
    ),
    # For people: what the audio-separator package has.
    "audio-separator": EngineSpec(("vr", "mdx", "demucs", "networks", "apollo"), for_package=("demucs",)),
    "dsu-audiosep": EngineSpec(("audiosep",)),
    "dsu-denoise": EngineSpec(("denoise",)),
    "dsu": EngineSpec(
        ("networks", "demucs", "vr", "mdx", "apollo", "audiosep", "denoise"),
        for_package=("demucs",),
        unnamed_is_active=True,
    ),
}


def make_engine(name: str, settings: Settings) -> Engine:
    """The engine of the program called `name`."""
    spec = PROGRAMS[name]
    return Engine(
        name,
        settings,
        {family: _class_of(family) for family in spec.families},
        for_package={family: partial(_make, family) for family in spec.for_package},
        listed_networks=spec.listed_networks,
        names_restorer=spec.names_restorer,
        unnamed_is_active=spec.unnamed_is_active,
        defaults=spec.defaults,
    )


def _class_of(family: str) -> MakeFamily:
    module, _, class_name = FAMILIES[family].partition(":")
    return cast(MakeFamily, getattr(importlib.import_module(module), class_name))


def _make(family: str, host: Host) -> Family:
    return _class_of(family)(host)
