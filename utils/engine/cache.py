"""Which models stay loaded: the least recently used go first, bounded by count and by bytes. Safe from any thread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from utils.core.replies import CachedModel

MB = 1e6


class Loaded(Protocol):
    """A model that the cache can hold."""

    @property
    def identifier(self) -> str:
        """Names everything that changes the networks: the name and the files."""

    @property
    def name(self) -> str: ...

    @property
    def stems(self) -> tuple[str, ...]: ...

    def size_bytes(self) -> int:
        """Memory that the model takes now."""


M = TypeVar("M", bound=Loaded)


class ModelCache(Generic[M]):
    """Loaded models by identifier. A job keeps a reference to its own model, so dropping one never breaks a job."""

    def __init__(self, max_models: int, max_bytes: int, on_drop: Callable[[], None] = lambda: None) -> None:
        self._models: OrderedDict[str, M] = OrderedDict()
        self._max_models = max_models
        self._max_bytes = max_bytes
        self._on_drop = on_drop
        self._active: str | None = None
        self._lock = threading.RLock()

    @property
    def max_models(self) -> int:
        return self._max_models

    def get(self, identifier: str) -> M | None:
        """The model, now the most recently used one; None if it is not loaded."""
        with self._lock:
            model = self._models.get(identifier)
            if model is not None:
                self._models.move_to_end(identifier)
            return model

    def put(self, model: M) -> None:
        """Keep a model, at the cost of those used longest ago."""
        with self._lock:
            self._models[model.identifier] = model
            self._models.move_to_end(model.identifier)
            self.trim()

    def trim(self) -> None:
        """Drop models until the rest is within both bounds; the newest stays unless the cache is off."""
        with self._lock:
            while len(self._models) > self._max_models or (len(self._models) > 1 and self._bytes() > self._max_bytes):
                self._drop(next(iter(self._models)))

    def keep_only(self, identifier: str) -> bool:
        """Drop all models but one. True if there was anything to drop."""
        with self._lock:
            others = [key for key in self._models if key != identifier]
            for key in others:
                self._drop(key)
            return bool(others)

    def clear(self) -> int:
        """Drop every model; how many there were."""
        with self._lock:
            count = len(self._models)
            for key in list(self._models):
                self._drop(key)
            return count

    def resize(self, max_models: int) -> None:
        with self._lock:
            self._max_models = max_models
            self.trim()

    def activate(self, model: M) -> None:
        """Make a model the one that is used when a request names none."""
        with self._lock:
            self._active = model.identifier if model.identifier in self._models else None

    @property
    def active(self) -> M | None:
        with self._lock:
            return self._models.get(self._active) if self._active is not None else None

    def entries(self) -> list[CachedModel]:
        """What is loaded, least recently used first."""
        with self._lock:
            return [
                CachedModel(
                    identifier=model.identifier,
                    name=model.name,
                    stems=list(model.stems),
                    active=model.identifier == self._active,
                    size_mb=round(model.size_bytes() / MB, 1),
                )
                for model in self._models.values()
            ]

    def _bytes(self) -> int:
        return sum(model.size_bytes() for model in self._models.values())

    def _drop(self, identifier: str) -> None:
        del self._models[identifier]
        if self._active == identifier:
            self._active = None
        self._on_drop()
