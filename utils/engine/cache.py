"""Which models stay loaded: the least recently used go first, bounded by count and by bytes. Safe from any thread.

A job takes its models through a `Lease`. What is leased stays where it is until the lease ends; then the cache is trimmed
to its bounds. A model that has to leave a graphics card is parked in the host's memory, so that going back to it costs a
copy and no load. On the CPU there is nothing to park: the memory is the same.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """What a job uses, for as long as the context lasts. Leases move models: only the thread of jobs may take one."""
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
                self._park_all(self._trim())
            if dropped:  # cleared by somebody while they were in use
                self._on_drop()

    def clear(self) -> int:
        """Drop every model, parked ones too; how many were loaded. A lease keeps its own until it ends."""
        with self._lock:
            count = len(self._models)
            self._parked.clear()
            for key in list(self._models):
                self._drop(key)
            return count

    def resize(self, max_models: int) -> None:
        """Drop at once what is too much and not leased. It is not parked: this may be any thread."""
        with self._lock:
            self._max_models = max_models
            self._trim()

    def activate(self, model: Model) -> None:
        """Make a model the one that is used when a request names none."""
        with self._lock:
            self._active = model.source.identifier if model.source.identifier in self._models else None

    @property
    def active(self) -> ModelSource | None:
        """Where the active model came from."""
        with self._lock:
            model = self._models.get(self._active) if self._active is not None else None
            return model.source if model is not None else None

    def entries(self) -> list[CachedModel]:
        """What is loaded, least recently used first."""
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
        """Where the loaded models came from, least recently used first."""
        with self._lock:
            return [model.source for model in self._models.values()]

    def _get(self, identifier: str) -> Model | None:
        """A model, now the most recently used one, back from where it was parked; None if it is not loaded."""
        with self._lock:
            model = self._models.get(identifier)
            if model is not None:
                self._models.move_to_end(identifier)
                return model
            parked = self._parked.pop(identifier, None)
        if parked is not None:
            parked.move(self._device)
        return parked

    def _keep(self, identifier: str, model: Model) -> None:
        """Keep a model, at the cost of those used longest ago that nobody has leased."""
        with self._lock:
            self._models[identifier] = model
            self._models.move_to_end(identifier)
            self._park_all(self._trim())

    def _keep_only_leased(self) -> bool:
        with self._lock:
            others = [key for key in self._models if key not in self._leased()]
            self._park_all([self._drop(key) for key in others])
            return bool(others)

    def _leased(self) -> set[str]:
        return {identifier for lease in self._leases for identifier in lease.models}

    def _trim(self) -> list[Model]:
        """Drop models until the rest is within both bounds; leased ones stay, and the newest unless the cache is off."""
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
        """Move what was dropped to the host's memory, as far as there is room for it."""
        if self._max_parked_bytes == 0 or self._max_models == 0:
            return
        for model in models:
            model.move("cpu")
            self._on_drop()
            self._parked[model.source.identifier] = model
        while sum(parked.size_bytes() for parked in self._parked.values()) > self._max_parked_bytes:
            self._parked.popitem(last=False)


class Lease:
    """The models of one job. They are never moved, parked or dropped under it."""

    def __init__(self, cache: ModelCache) -> None:
        self._cache = cache
        self.models: dict[str, Model] = {}

    def get(self, source: ModelSource) -> Model | None:
        """The model of this source if it is loaded, from now on leased."""
        model = self.models.get(source.identifier) or self._cache._get(source.identifier)  # noqa: SLF001
        if model is not None:
            self.put(model)
        return model

    def put(self, model: Model) -> None:
        """Lease a model that was just loaded, or that has grown, and keep it in the cache."""
        self.models[model.source.identifier] = model
        self._cache._keep(model.source.identifier, model)  # noqa: SLF001

    def release_others(self) -> bool:
        """Give up all models that are not leased. True if there was anything to give up."""
        return self._cache._keep_only_leased()  # noqa: SLF001
