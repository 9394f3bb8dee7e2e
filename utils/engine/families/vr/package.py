"""The only file that touches the audio-separator package: its VR networks, and its band parameter files.

Nothing else of the package is used. A normal import would load the whole program with all its dependencies, so during
the import its parent packages are replaced by empty ones, and the module with the one helper that the networks call is
replaced by a stub. Afterwards `sys.modules` is restored, so nobody else sees the replacements.
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

# A network is identified by the size of its file in KiB; the nearest entry counts.
SIZES_KIB = (31191, 33966, 56817, 123821, 123812, 129605, 218409, 537238, 537227)
MODERN_KIB = frozenset({56817, 218409})
HALVED_FIVE_TIMES_KIB = 129605
USUAL_CAPACITY = (32, 128)


class VrKind(NamedTuple):
    """The architecture of the network in a file, and how its generation affects running it."""

    size_kib: int
    capacity: tuple[int, int] | None  # of networks from version 5.1 on

    @property
    def modern(self) -> bool:
        """Version 5.1 or later."""
        return self.size_kib in MODERN_KIB or self.capacity is not None

    @property
    def window_multiple(self) -> int:
        """The factor that windows must be a multiple of, since the network halves the number of frames repeatedly."""
        return 32 if self.size_kib == HALVED_FIVE_TIMES_KIB and not self.modern else 16


def vr_kind(file_bytes: int, capacity: tuple[int, int] | None) -> VrKind:
    """The architecture that matches the size of a file, and the capacity if it is known."""
    return VrKind(min(SIZES_KIB, key=lambda known: abs(known - math.ceil(file_bytes / 1024))), capacity)


def build_vr(kind: VrKind, bins: int, largest_bytes: int | None = None) -> nn.Module:
    """Build the network without data, for spectra with this number of bins. Raises `ValueError` if its tensors would take
    more than `largest_bytes`.
    """
    with without_data(largest_bytes):
        if kind.modern:
            nout, nout_lstm = kind.capacity or USUAL_CAPACITY
            net = _module("nets_new").CascadedNet(bins * 2, kind.size_kib, nout=nout, nout_lstm=nout_lstm)
        else:
            net = _module("nets").determine_model_capacity(bins * 2, kind.size_kib)
    return cast(nn.Module, net)


def band_parameters(name: str) -> Mapping[str, Any]:
    """The content of the band parameter file called `name`."""
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
            hint="Install it without its dependencies: pip install --no-deps audio-separator.",
        )
    return Path(spec.origin).parent


@functools.cache
def _module(name: str) -> Any:
    folder = _folder()
    with _modules_put_back():
        for parent in HOLLOW:  # packages that find their modules but run no code of their own
            package = sys.modules[parent] = ModuleType(parent)
            package.__path__ = [str(folder.joinpath(*parent.split(".")[1:]))]
        helpers = sys.modules[HELPERS] = ModuleType(HELPERS)
        helpers.crop_center = _crop_center  # type: ignore[attr-defined]  # the networks' layers call it
        return importlib.import_module(f"{NETWORKS}.{name}")


@contextmanager
def _modules_put_back() -> Iterator[None]:
    """Hide all modules of the package that are imported inside."""
    before = {name: module for name, module in sys.modules.items() if _is_of_package(name)}
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _is_of_package(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _is_of_package(name: str) -> bool:
    return name.partition(".")[0] == PACKAGE


def _crop_center(wide: Tensor, narrow: Tensor) -> Tensor:
    """The middle frames of the wide tensor, as many as the narrow one has."""
    excess = wide.shape[3] - narrow.shape[3]
    if excess < 0:
        raise ValueError(f"{wide.shape[3]} frames are fewer than {narrow.shape[3]}")
    return wide.narrow(3, excess // 2, narrow.shape[3])
