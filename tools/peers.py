"""Networks of other projects, to compare ours with: their files alone, without the programs around them.

The packages are installed without what they depend on (requirements-peers.txt). Importing one of their networks the
usual way would import all of the program, so packages on the way to it are replaced by empty ones while that happens.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

from torch import nn

AUDIO_SEPARATOR = "audio_separator.separator.uvr_lib_v5"

# The transformers of `audio-separator`, and our options that they do not have, which must be off.
ROFORMERS = {
    "bs_roformer": ("roformer.bs_roformer", "BSRoformer", frozenset({"use_shared_bias"})),
    "mel_band_roformer": ("roformer.mel_band_roformer", "MelBandRoformer", frozenset({"linear_transformer_depth"})),
}


def roformer_of_audio_separator(kind: str, params: Any) -> nn.Module:
    """A transformer of `audio-separator` with the options of ours."""
    module, name, unknown = ROFORMERS[kind]
    options = asdict(params)
    asked = [key for key in unknown if options.pop(key)]
    if asked:
        raise ValueError(f"audio-separator's {name} has no {', '.join(asked)}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it measures a spectrum without a window
        return cast(nn.Module, network_of_audio_separator(module, name)(**options))


def mdx23c_of_audio_separator(config: Mapping[str, Any]) -> nn.Module:
    """A TFC-TDF network of `audio-separator` from a public configuration."""
    sections = {key: SimpleNamespace(**section) for key, section in config.items()}
    network = network_of_audio_separator("tfc_tdf_v3", "TFC_TDF_net")
    return cast(nn.Module, network(SimpleNamespace(**sections), "cpu"))


def network_of_audio_separator(module: str, name: str) -> Any:
    """A class of `audio-separator`."""
    return _load(f"{AUDIO_SEPARATOR}.{module}", name, hollow=("audio_separator", "audio_separator.separator"))


def network_of_msst(module: str, name: str) -> Any:
    """A class of `msst`, the training program in which most public networks were made."""
    return _load(f"msst.models.{module}", name, hollow=("msst", "msst.models", "msst.models.bs_roformer"))


@functools.cache
def _load(module: str, name: str, *, hollow: tuple[str, ...]) -> Any:
    with _modules_put_back(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = _folder_of(hollow[0])
        sys.modules.update({package: _hollow_package(package, folder) for package in hollow})
        if importlib.util.find_spec("librosa") is None:
            sys.modules.update(_librosa())
        return getattr(importlib.import_module(module), name)


@contextmanager
def _modules_put_back() -> Iterator[None]:
    """What is imported inside is not seen outside."""
    before = dict(sys.modules)
    try:
        yield
    finally:
        for name in sys.modules.keys() - before.keys():
            if name.partition(".")[0] in {"audio_separator", "msst", "librosa"}:
                del sys.modules[name]
        sys.modules.update(before)


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is missing: pip install --no-deps -r requirements-peers.txt")
    return Path(spec.origin).parent


def _hollow_package(name: str, folder: Path) -> ModuleType:
    """A package that finds its modules but runs nothing of its own. `folder` is that of its first part."""
    package = ModuleType(name)
    package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
    return package


def _librosa() -> dict[str, ModuleType]:
    """The one function of librosa that the networks need, from another package that has it."""
    # Imported late, since it is needed only where librosa is missing.
    from pymss_core.modules._dsp import mel_filterbank  # type: ignore[import-untyped]  # noqa: PLC0415

    librosa, filters = ModuleType("librosa"), ModuleType("librosa.filters")
    filters.mel = mel_filterbank  # type: ignore[attr-defined]
    librosa.filters = filters  # type: ignore[attr-defined]
    return {"librosa": librosa, "librosa.filters": filters}
