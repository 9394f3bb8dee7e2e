"""The models by name: those of DSU."""

from __future__ import annotations

import dataclasses
from os import PathLike
from typing import Any

from dsu_client.client import DSU
from dsu_client.compat.host import worker
from dsu_client.errors import ModelError

# No separation into stems by one network.
OTHER_TYPES = ("audiosep",)


@dataclasses.dataclass(frozen=True)
class ModelEntry:
    """What is known of a model."""

    name: str
    model_type: str
    size_bytes: int
    target_stem: str
    installed: bool
    aliases: tuple[str, ...] = ()
    supported: bool = True
    unsupported_reason: str = ""
    primary_category: str = ""
    secondary_category: str = ""

    @property
    def architecture(self) -> str:
        """The type again."""
        return self.model_type

    @property
    def stem(self) -> str:
        """The name without the ending of a file."""
        return self.name.rsplit(".", 1)[0]


def list_models(
    category: str | None = None, supported: bool | None = None, include_user: bool = False
) -> list[ModelEntry]:
    """All models of DSU, your own too. They have no categories, and all are supported."""
    del include_user
    return [] if category or supported is False else _entries(worker())


def get_model_entry(model_name: str) -> ModelEntry:
    """One model, or a KeyError that names models like it."""
    return find_model(worker(), model_name)


def find_model(where: DSU, model_name: str) -> ModelEntry:
    """One model of a worker."""
    try:
        return _entries(where, model=model_name.strip())[0]
    except ModelError as error:
        raise KeyError(f"Unknown pymss model: {model_name}. {error}") from error


def create_separator(model_name: str, model_dir: str | PathLike[str] | None = None, **separator_kwargs: Any) -> Any:
    """A separator with a model that is installed."""
    from .separator import MSSeparator  # noqa: PLC0415  which needs this module

    return MSSeparator.from_model_name(model_name, model_dir=model_dir, **separator_kwargs)


def _entries(where: DSU, **options: Any) -> list[ModelEntry]:
    return [
        ModelEntry(
            name=row["name"],
            model_type=row["type"],
            size_bytes=row["size_bytes"] or 0,
            target_stem=row["stems"][0] if len(row["stems"]) == 1 else "",
            installed=row["installed"],
        )
        for row in where.list_models(details=True, **options)["details"]
        if row["type"] not in OTHER_TYPES
    ]
