"""Models as people read them: picked by name, as a table for each family, or described one by one. Pure: no files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from utils.core.catalogue import family_of
from utils.core.errors import UnknownModel, did_you_mean, nearest
from utils.core.replies import ModelDetails

# What people type instead of the commands that hints tell programs to send.
INSTEAD = {"list_models": "`dsu models` lists all models.", "download_model": "`dsu download NAME` fetches it."}


def named(names: Sequence[str], known: Sequence[ModelDetails]) -> list[ModelDetails]:
    """The models of these names, or whose names contain them; all without a name. Raises `UnknownModel`."""
    if not names:
        return list(known)
    found: dict[str, ModelDetails] = {}
    exact = by_name(known)
    for name in names:
        matching = [exact[name]] if name in exact else [model for model in known if name.lower() in model.name.lower()]
        if not matching:
            raise unknown(name, [model.name for model in known])
        found.update((model.name, model) for model in matching)
    return list(found.values())


def by_name(models: Iterable[ModelDetails]) -> dict[str, ModelDetails]:
    """Models by their names, and by other names that mean them where no model has such a name."""
    found = {model.name: model for model in models}
    for model in models:
        for alias in model.aliases or ():
            found.setdefault(alias, model)
    return found


def unknown(name: str, known: Iterable[str], advice: str = "") -> UnknownModel:
    """The error for a name that no model has, with the nearest names."""
    hint = f"{INSTEAD['list_models']} {advice}".rstrip()
    return UnknownModel(f"There is no model `{name}`.{did_you_mean(nearest(name, known))}", hint=hint)


def table(models: Sequence[ModelDetails], out: IO[str]) -> Iterator[str]:
    """A heading for each family and a line for each model.

    Where `out` is a terminal too narrow for that, what a model is about has a line of its own, and all lines are cut.
    """
    width = shutil.get_terminal_size().columns if out.isatty() else None
    for family in dict.fromkeys(family_of(model.type) for model in models):
        own = [model for model in models if family_of(model.type) == family]
        rows = [("", "NAME", "SIZE", "SDR", "STEMS", "ABOUT", "LICENCE")]
        for model in own:
            sdr = model.sdr or {}
            best_known = [sdr["average"]] if "average" in sdr else [*sdr.values()][:1]
            rows.append(
                (
                    "*" if model.installed else "",
                    model.name,
                    size_of(model),
                    "".join(f"{value:.1f}" for value in best_known),
                    ", ".join(model.stems),
                    model.description,
                    model.license or "",
                )
            )
        yield f"{family} ({len(own)})"
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        narrow = width is not None and widths[1] + 20 + widths[4] + widths[5] >= width
        for mark, name, size, figure, stems, about, licence in rows:
            told = stems if narrow else f"{stems:{widths[4]}}  {about:{widths[5]}}  {licence}"
            lines = [f"{mark:1} {name:{widths[1]}} {size:>8} {figure:>5}  {told}".rstrip()]
            if narrow and mark + name != "NAME" and about:
                lines.append(f"      {about}")
            yield from (line if width is None or len(line) < width else f"{line[: width - 2]}…" for line in lines)


def size_of(model: ModelDetails) -> str:
    return "" if model.size_bytes is None else shown_size(model.size_bytes)


def shown_size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


def described(models: Sequence[ModelDetails]) -> Iterator[str]:
    """All that is known of models, a fact on each line."""
    for model in models:
        facts = {
            "name": model.name,
            "also": ", ".join(model.aliases or ()),
            "family": f"{family_of(model.type)} ({model.type})",
            "about": model.description,
            "stems": ", ".join(model.stems),
            "size": size_of(model),
            "installed": "yes" if model.installed else "no",
            "licence": model.license or "not stated",
            "SDR": ", ".join(f"{stem} {value:g} dB" for stem, value in (model.sdr or {}).items()),
        }
        yield from (f"{fact:10} {text}" for fact, text in facts.items() if text)
