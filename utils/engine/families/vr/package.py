"""The one file that touches the audio-separator package: its VR networks, and its files of band parameters.

Only those are used. Importing them the usual way would import the whole program with all it depends on, so the packages
on the way to the networks are replaced by empty ones while that happens, and so is the one helper that they take from
a module full of others. What was imported is known to nobody else afterwards.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

from torch import Tensor, nn

from utils.core.errors import ConfigInvalid, ModelNotInstalled, did_you_mean, nearest
from utils.engine.backends.torch import without_data

PACKAGE = "audio_separator"
NETWORKS = f"{PACKAGE}.separator.uvr_lib_v5.vr_network"
HELPERS = f"{PACKAGE}.separator.uvr_lib_v5.spec_utils"
HOLLOW = (PACKAGE, f"{PACKAGE}.separator", f"{PACKAGE}.separator.uvr_lib_v5")

# Networks go by the size of their files in KiB; the nearest one is meant.
SIZES_KIB = (31191, 33966, 56817, 123821, 123812, 129605, 218409, 537238, 537227)
MODERN_KIB = frozenset({56817, 218409})
HALVED_FIVE_TIMES_KIB = 129605
USUAL_CAPACITY = (32, 128)


class VrKind(NamedTuple):
    """Which network a file holds, and what its generation means for those who run it."""

    size_kib: int
    capacity: tuple[int, int] | None  # of networks from version 5.1 on

    @property
    def modern(self) -> bool:
        """Version 5.1 or later."""
        return self.size_kib in MODERN_KIB or self.capacity is not None

    @property
    def window_multiple(self) -> int:
        """How often the network halves its frames decides how many it can look at."""
        return 32 if self.size_kib == HALVED_FIVE_TIMES_KIB and not self.modern else 16


def vr_kind(file_bytes: int, capacity: tuple[int, int] | None) -> VrKind:
    """The network that goes with a file's size; `capacity` where it is known."""
    return VrKind(min(SIZES_KIB, key=lambda known: abs(known - math.ceil(file_bytes / 1024))), capacity)


def build_vr(kind: VrKind, bins: int) -> nn.Module:
    """The network without data, for a spectrum of so many bins."""
    with without_data():
        if kind.modern:
            nout, nout_lstm = kind.capacity or USUAL_CAPACITY
            net = _module("nets_new").CascadedNet(bins * 2, kind.size_kib, nout=nout, nout_lstm=nout_lstm)
        else:
            net = _module("nets").determine_model_capacity(bins * 2, kind.size_kib)
    return cast(nn.Module, net)


def band_parameters(name: str) -> Mapping[str, Any]:
    """The band parameters called `name`, as their file writes them."""
    known = _parameter_files()
    if name not in known:
        near = nearest(name, known)
        raise ConfigInvalid(
            f"There are no band parameters `{name}`.{did_you_mean(near)}",
            hint=f"`vr_model_param` is one of {', '.join(sorted(known))}.",
            suggestions=near,
            field="vr_model_param",
        )
    return cast(Mapping[str, Any], json.loads(known[name].read_text(encoding="utf-8")))


@functools.cache
def _parameter_files() -> dict[str, Path]:
    folder = _folder().joinpath("separator", "uvr_lib_v5", "vr_network", "modelparams")
    return {path.stem: path for path in folder.glob("*.json")}


@functools.cache
def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelNotInstalled(
            "VR networks need the package audio-separator, which is not installed here.",
            hint="Install it alone: pip install --no-deps audio-separator.",
        )
    return Path(spec.origin).parent


@functools.cache
def _module(name: str) -> Any:
    folder = _folder()
    with _modules_put_back():
        sys.modules.update({package: _hollow(package, folder) for package in HOLLOW})
        sys.modules[HELPERS] = _helpers()
        return importlib.import_module(f"{NETWORKS}.{name}")


@contextmanager
def _modules_put_back() -> Iterator[None]:
    """What is imported inside is not seen outside."""
    before = {name: module for name, module in sys.modules.items() if _is_of_package(name)}
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _is_of_package(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _is_of_package(name: str) -> bool:
    return name.partition(".")[0] == PACKAGE


def _hollow(name: str, folder: Path) -> ModuleType:
    """A package that finds its modules but runs nothing of its own."""
    package = ModuleType(name)
    package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
    return package


def _helpers() -> ModuleType:
    helpers = ModuleType(HELPERS)
    helpers.crop_center = _crop_center  # type: ignore[attr-defined]  # what the networks' layers call
    return helpers


def _crop_center(wide: Tensor, narrow: Tensor) -> Tensor:
    """The middle frames of one tensor, as many as the other one has."""
    missing = wide.shape[3] - narrow.shape[3]
    if missing < 0:
        raise ValueError(f"{wide.shape[3]} frames are fewer than {narrow.shape[3]}")
    return wide.narrow(3, missing // 2, narrow.shape[3])
