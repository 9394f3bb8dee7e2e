"""What the engine needs to know of a family of models. Families share this and nothing else: none inherits from another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from utils.core import replies, requests
from utils.core.job import Job
from utils.core.settings import Settings
from utils.engine.pipeline.demix import Compute
from utils.engine.pipeline.outputs import Offer, Selection
from utils.engine.pipeline.recipe import Recipe
from utils.engine.pipeline.track import Track
from utils.store.folders import ModelFolders
from utils.store.records import ModelRecord
from utils.store.registry import Registry


@dataclass
class Host:
    """What all families of an engine share: its settings, where models are, and the device on which they run."""

    settings: Settings
    device: str
    threads: int
    listed_networks: frozenset[str] | None = None  # the types of networks that are listed; None is all
    mapped: bool = True  # checkpoints are mapped into memory, not read

    @cached_property
    def folders(self) -> ModelFolders:
        return ModelFolders(self.settings.models_dir)

    @cached_property
    def registry(self) -> Registry:
        """The facts about public models; read when they are first needed."""
        return Registry.load()

    @property
    def allow_unsafe(self) -> bool:
        return self.settings.allow_unsafe_checkpoints

    @property
    def offline(self) -> bool:
        return self.settings.offline

    def compute(self, request: requests.Separate, *, batch_size: int = 1, workers: int = 1) -> Compute:
        """Where and how the networks of a request run. `batch_size` is what suits them where the request says nothing."""
        return Compute(
            device=self.device,
            threads=self.threads,
            batch_size=request.batch_size or batch_size,
            precision=request.precision,
            workers=workers,
        )


class ModelSource(Protocol):
    """Where a model comes from: files that are there, and what else makes it this one."""

    @property
    def family(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def identifier(self) -> str:
        """Names everything that changes the networks: the name and the files."""

    @property
    def files(self) -> tuple[Path, ...]: ...

    @property
    def record(self) -> ModelRecord | None:
        """What the registry knows of the model; None for a user's own."""

    @property
    def traits(self) -> object:
        """What its files do not say, but changes what it gives; None if there is nothing."""


class Model(Protocol):
    """A loaded model."""

    @property
    def source(self) -> ModelSource: ...

    @property
    def stems(self) -> tuple[str, ...]: ...

    def size_bytes(self) -> int:
        """Memory that the model takes now."""

    def move(self, device: str) -> None:
        """Bring what is loaded to a device."""


# A request as its client sent it. Families that take requests of several types read their own options out of it.
Asked = requests.Separate | requests.LoadModel | requests.LoadApollo


class Family(Protocol):
    """One family. `M` of `load` is what `offer` and `recipe` get back."""

    name: str

    def list_models(self, request: requests.ListModels) -> list[replies.ModelDetails]:
        """Every model of this family that can be named, or the one that the request names. Raises `UnknownModel`."""

    def record(self, name: str) -> ModelRecord | None:
        """What the registry knows of a public model."""

    def takes(self, request: Asked, active: ModelSource | None) -> bool:
        """Does the request mean a model of this family? `active` is the one that was loaded last."""

    def resolve(self, request: Asked, active: ModelSource | None, job: Job) -> Sequence[ModelSource]:
        """The models that a request means, whose files are there. Raises one of the model errors."""

    def load(self, source: Any, request: Asked, job: Job) -> Model:
        """Read a model onto the device. Raises one of the checkpoint errors."""

    def describe(self, model: Any, request: Asked) -> dict[str, Any]:
        """More fields of the reply to a request that loads a model, where its type of reply has more."""

    def offer(self, model: Any, request: requests.Separate) -> Offer:
        """The stems that a model can give for a request."""

    def recipe(
        self,
        model: Any,
        request: requests.Separate,
        selection: Selection,
        track: Track,
        job: Job,
        *,
        chunk_s: float | None = None,
    ) -> Recipe:
        """How the model carries out a request; with `chunk_s`, in chunks of that length instead of the usual one."""
