"""The interface between the engine and families of models. Families share only this; none inherits from another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from utils import device as devices
from utils.core import replies, requests
from utils.core.job import Job
from utils.core.settings import Arithmetic, Settings
from utils.engine.backends import Backend
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.demix import Compute
from utils.engine.pipeline.outputs import Offer, Selection
from utils.engine.pipeline.track import Track
from utils.store.folders import ModelFolders
from utils.store.plain_files import Warn
from utils.store.records import ModelRecord
from utils.store.registry import Registry


@dataclass
class Host:
    """What all families of an engine share: settings, model folders, registry and device."""

    settings: Settings
    device: str
    threads: int
    listed_networks: frozenset[str] | None = None  # the network types to list; None lists all
    unnamed_is_active: bool = False  # requests that name no model use the active one, never a default
    mapped: bool = True  # memory-map checkpoints instead of reading them
    precision: Arithmetic = "fp32"  # of requests that leave it open

    @cached_property
    def folders(self) -> ModelFolders:
        return ModelFolders(self.settings.models_dir, self.settings.configs_dir)

    @cached_property
    def registry(self) -> Registry:
        """The records of public models, read on first use."""
        return Registry.load()

    @property
    def allow_unsafe(self) -> bool:
        return self.settings.allow_unsafe_checkpoints

    @property
    def offline(self) -> bool:
        return self.settings.offline

    @property
    def free_bytes(self) -> int:
        """The memory of the device that nobody uses now."""
        return devices.free_bytes(self.device)

    def precision_for(self, request: requests.Separate) -> Arithmetic:
        """The precision that a request means: its own, or the fastest unless it asks for the best quality."""
        if request.precision != "auto":
            return request.precision
        return "fp32" if getattr(request, "quality", None) == "best" else self.precision

    def compute(
        self, request: requests.Separate, backend: Backend, *, batch_size: int = 1, workers: int = 1
    ) -> Compute:
        """Where and how a network runs for a request. `batch_size` is the default if the request has none."""
        return Compute(
            device=self.device,
            threads=self.threads,
            batch_size=request.batch_size or batch_size,
            precision=self.precision_for(request) if backend.halves else "fp32",
            workers=workers,
        )


Improved = requests.DemucsSeparate | requests.NetworkSeparate | requests.AudioSeparatorSeparate


def improvements(request: Improved) -> dict[str, object]:
    """What a request asks for to get better stems in any of these families, as `settings` tell it."""
    return {
        **({"bigshifts": request.bigshifts} if request.bigshifts > 1 else {}),
        **({"pitch_shift": request.pitch_shift} if request.pitch_shift else {}),
    }


class ModelSource(Protocol):
    """Where a model comes from: its files on disk, and whatever else identifies it."""

    @property
    def family(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def identifier(self) -> str:
        """A key that changes whenever the networks may: it covers the name and the files."""

    @property
    def files(self) -> tuple[Path, ...]: ...

    @property
    def record(self) -> ModelRecord | None:
        """The registry's record of the model; None for a user's own model."""

    @property
    def traits(self) -> object:
        """Anything outside the files that affects the output; None if nothing does."""


class Model(Protocol):
    """A loaded model."""

    @property
    def source(self) -> ModelSource: ...

    @property
    def stems(self) -> tuple[str, ...]: ...

    def size_bytes(self) -> int:
        """The memory that the model occupies now."""

    def move(self, device: str) -> None:
        """Move the loaded networks to a device."""

    def prepare(self, precision: Arithmetic) -> None:
        """Do now what the first run of the loaded networks in this precision would do first."""


# A request as the client sent it. Families that accept several types of request read their own options from it.
Asked = requests.Separate | requests.LoadModel


class Family(Protocol):
    """One family of models. `describe`, `offer` and `arrange` are given a model that its own `load` returned."""

    name: str
    request_types: tuple[type[Asked], ...]  # the types of request that it takes

    def list_models(self, request: requests.ListModels, warn: Warn) -> list[replies.ModelDetails]:
        """The known models of this family, or only the one that the request names. Raises `UnknownModel`."""

    def record(self, name: str) -> ModelRecord | None:
        """The registry's record of a public model; None if this family has no such model."""

    def claims(self, model: str | None, active: ModelSource | None) -> bool:
        """Is a request for this family, where several families take its type? `model` is the name that it gives.

        A request that names none means the active model. What nobody claims goes to the first of the families.
        """

    def resolve(self, request: Asked, active: ModelSource | None, job: Job) -> Sequence[ModelSource]:
        """The models that a request refers to, with their files present. Raises one of the model errors."""

    def load(self, source: Any, request: Asked, job: Job) -> Model:
        """Load a model onto the device. Raises one of the checkpoint errors."""

    def describe(self, model: Any, request: Asked) -> dict[str, Any]:
        """Extra fields for the reply to a load request, if its type has any."""

    def offer(self, model: Any, request: requests.Separate) -> Offer:
        """The stems that a model can give for a request."""

    def arrange(
        self,
        model: Any,
        request: requests.Separate,
        selection: Selection,
        track: Track,
        job: Job,
        *,
        longest_chunk_s: float | None = None,
    ) -> Arrangement:
        """How the model carries out a request. After memory ran out, chunks are at most `longest_chunk_s`."""
