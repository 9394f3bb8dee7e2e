"""Which models stay loaded: the least recently used go first, bounded by count and by bytes. Safe from any thread.

A model that has to leave a graphics card to make room for another is parked in the host's memory, so that going back
to it costs a copy and no load. On the CPU there is nothing to park: the memory is the same.
"""

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

    def move(self, device: str) -> None:
        """Bring what is loaded to a device."""


M = TypeVar("M", bound=Loaded)


class ModelCache(Generic[M]):
    """Loaded models by identifier. A job keeps a reference to its own model, so dropping one never breaks a job."""

    def __init__(
        self,
        max_models: int,
        max_bytes: int,
        on_drop: Callable[[], None] = lambda: None,
        *,
        device: str = "cpu",
        max_parked_bytes: int = 0,
    ) -> None:
        self._models: OrderedDict[str, M] = OrderedDict()
        self._parked: OrderedDict[str, M] = OrderedDict()
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

    def get(self, identifier: str) -> M | None:
        """The model, now the most recently used one, back from where it was parked; None if it is not loaded.

        This and `put` move networks, so only the thread that runs jobs may call them.
        """
        with self._lock:
            model = self._models.get(identifier)
            if model is not None:
                self._models.move_to_end(identifier)
                return model
            parked = self._parked.pop(identifier, None)
        if parked is not None:
            parked.move(self._device)
            self.put(parked)
        return parked

    def put(self, model: M) -> None:
        """Keep a model, at the cost of those used longest ago."""
        with self._lock:
            self._models[model.identifier] = model
            self._models.move_to_end(model.identifier)
            for evicted in self._trim():
                if evicted is not model:
                    self._park(evicted)

    def keep_only(self, *identifiers: str) -> bool:
        """Give up all models but these. True if there was anything to give up."""
        with self._lock:
            others = [key for key in self._models if key not in identifiers]
            for key in others:
                self._park(self._drop(key))
            return bool(others)

    def clear(self) -> int:
        """Drop every model, parked ones too; how many were loaded."""
        with self._lock:
            count = len(self._models)
            self._parked.clear()
            for key in list(self._models):
                self._drop(key)
            return count

    def resize(self, max_models: int) -> None:
        """Drop at once what is too much. It is not parked: a job may be using it on the device."""
        with self._lock:
            self._max_models = max_models
            self._trim()

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

    def _trim(self) -> list[M]:
        """Drop models until the rest is within both bounds; the newest stays unless the cache is off."""
        dropped = []
        while len(self._models) > self._max_models or (len(self._models) > 1 and self._bytes() > self._max_bytes):
            dropped.append(self._drop(next(iter(self._models))))
        return dropped

    def _drop(self, identifier: str) -> M:
        model = self._models.pop(identifier)
        if self._active == identifier:
            self._active = None
        self._on_drop()
        return model

    def _park(self, model: M) -> None:
        if self._max_parked_bytes == 0:
            return
        model.move("cpu")
        self._on_drop()
        self._parked[model.identifier] = model
        while sum(parked.size_bytes() for parked in self._parked.values()) > self._max_parked_bytes:
            self._parked.popitem(last=False)
