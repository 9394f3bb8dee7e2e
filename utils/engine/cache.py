"""The LRU cache of loaded models, bounded by count and by bytes. Safe from any thread.

A job takes its models through a `Lease`. Leased models stay where they are until the lease ends; then the cache is
trimmed to its bounds. A model that has to leave the GPU is parked in host memory, so that using it again costs a copy
instead of a load. On the CPU nothing is parked: the memory is the same.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from utils.core.failures import is_out_of_memory
from utils.core.replies import CachedModel
from utils.engine.family import Model, ModelSource

MB = 1e6


class ModelCache:
    """Loaded models by the identifier of their source."""

    def __init__(
        self,
        max_models: int,
        max_bytes: int,
        on_drop: Callable[[], None] = lambda: None,
        *,
        device: str = "cpu",
        max_parked_bytes: int = 0,
    ) -> None:
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._parked: OrderedDict[str, Model] = OrderedDict()
        self._leases: list[Lease] = []
        self._device = device
        self._max_models = max_models
        self._max_bytes = max_bytes
        self._max_parked_bytes = max_parked_bytes if device != "cpu" else 0
        self._on_drop = on_drop
        self._active: str | None = None
        self._lock = threading.RLock()

    @property
    def max_models(self) -> int:
        return self._max_models

    @property
    def max_bytes(self) -> int:
        return self._max_bytes

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """The models of one job, for the duration of the context. Only the job thread may lease: leases move models."""
        lease = Lease(self)
        with self._lock:
            self._leases.append(lease)
        try:
            yield lease
        finally:
            with self._lock:
                self._leases.remove(lease)
                dropped = lease.models.keys() - self._models.keys()
                lease.models.clear()
                self.trim()
            if dropped:  # somebody cleared the cache while they were in use
                self._on_drop()

    def clear(self) -> int:
        """Drop all models, parked ones too, and return how many were loaded. A lease keeps its models until it ends."""
        with self._lock:
            count = len(self._models)
            self._parked.clear()
            for key in list(self._models):
                self._drop(key)
            return count

    def resize(self, max_models: int) -> None:
        """Change the bound and drop excess models that are not leased. They are not parked: this may be any thread."""
        with self._lock:
            self._max_models = max_models
            self._drop_excess()

    def activate(self, model: Model) -> None:
        """Make this the model that serves requests which name none."""
        with self._lock:
            self._active = model.source.identifier if model.source.identifier in self._models else None

    @property
    def active(self) -> ModelSource | None:
        """The source of the active model."""
        with self._lock:
            model = self._models.get(self._active) if self._active is not None else None
            return model.source if model is not None else None

    def entries(self) -> list[CachedModel]:
        """The loaded models, least recently used first."""
        with self._lock:
            return [
                CachedModel(
                    identifier=identifier,
                    name=model.source.name,
                    stems=list(model.stems),
                    active=identifier == self._active,
                    size_mb=round(model.size_bytes() / MB, 1),
                )
                for identifier, model in self._models.items()
            ]

    def sources(self) -> list[ModelSource]:
        """The sources of the loaded models, least recently used first."""
        with self._lock:
            return [model.source for model in self._models.values()]

    # For leases -------------------------------------------------------------------------------------------------

    def get(self, identifier: str) -> Model | None:
        """The model, now the most recently used and no longer parked; None if it is not loaded."""
        with self._lock:
            model = self._models.get(identifier)
            if model is not None:
                self._models.move_to_end(identifier)
                return model
            parked = self._parked.pop(identifier, None)
        if parked is not None:
            try:
                parked.move(self._device)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                return None  # loading it makes room for it
        return parked

    def put(self, identifier: str, model: Model) -> None:
        """Keep a model, at the expense of the least recently used ones without a lease."""
        with self._lock:
            self._models[identifier] = model
            self._models.move_to_end(identifier)
            self.trim()

    def trim(self) -> None:
        """Bring the cache back within its bounds, for example after a model has grown."""
        with self._lock:
            self._park_all(self._drop_excess())

    def release_others(self) -> bool:
        """Drop all models that are not leased. False if there were none."""
        with self._lock:
            others = [key for key in self._models if key not in self._leased()]
            self._park_all([self._drop(key) for key in others])
            return bool(others)

    def _leased(self) -> set[str]:
        return {identifier for lease in self._leases for identifier in lease.models}

    def _drop_excess(self) -> list[Model]:
        """Drop models until both bounds hold. Leased ones stay, and so does the newest unless the cache is off."""
        leased, dropped = self._leased(), []
        for identifier in list(self._models):
            newest = identifier == next(reversed(self._models))
            too_many = len(self._models) > self._max_models
            too_large = not newest and sum(model.size_bytes() for model in self._models.values()) > self._max_bytes
            if identifier not in leased and (too_many or too_large):
                dropped.append(self._drop(identifier))
        return dropped

    def _drop(self, identifier: str) -> Model:
        model = self._models.pop(identifier)
        if self._active == identifier:
            self._active = None
        self._on_drop()
        return model

    def _park_all(self, models: list[Model]) -> None:
        """Move dropped models to host memory while there is room."""
        if self._max_parked_bytes == 0 or self._max_models == 0:
            return
        for model in models:
            model.move("cpu")
            self._on_drop()
            self._parked[model.source.identifier] = model
        while sum(parked.size_bytes() for parked in self._parked.values()) > self._max_parked_bytes:
            self._parked.popitem(last=False)


class Lease:
    """The models of one job. They are never moved, parked or dropped while it runs."""

    def __init__(self, cache: ModelCache) -> None:
        self._cache = cache
        self.models: dict[str, Model] = {}

    def get(self, source: ModelSource) -> Model | None:
        """Lease the model of this source if it is loaded."""
        model = self.models.get(source.identifier) or self._cache.get(source.identifier)
        if model is not None:
            self.put(model)
        return model

    def put(self, model: Model) -> None:
        """Lease a model that was just loaded, and keep it in the cache."""
        self.models[model.source.identifier] = model
        self._cache.put(model.source.identifier, model)

    def release(self) -> None:
        """Give all its models back before the job ends: others of the same job need their place."""
        self.models.clear()
        self._cache.trim()

    def release_others(self) -> bool:
        """Drop all models that are not leased. False if there were none."""
        return self._cache.release_others()
