"""Models as people read them: picked by name, as a table for each family, or described one by one. Pure: no files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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
    for name in names:
        exact = [model for model in known if model.name == name]
        matching = exact or [model for model in known if name.lower() in model.name.lower()]
        if not matching:
            raise unknown(name, [model.name for model in known])
        found.update((model.name, model) for model in matching)
    return list(found.values())


def unknown(name: str, known: Iterable[str], advice: str = "") -> UnknownModel:
    """The error for a name that no model has, with the nearest names."""
    hint = f"{INSTEAD['list_models']} {advice}".rstrip()
    return UnknownModel(f"There is no model `{name}`.{did_you_mean(nearest(name, known))}", hint=hint)


def table(models: Sequence[ModelDetails]) -> Iterator[str]:
    """A heading for each family and a line for each model."""
    for family in dict.fromkeys(family_of(model.type) for model in models):
        own = [model for model in models if family_of(model.type) == family]
        rows = [("", "NAME", "SIZE", "SDR", "LICENCE", "STEMS")]
        for model in own:
            sdr = model.sdr or {}
            best_known = [sdr["average"]] if "average" in sdr else [*sdr.values()][:1]
            rows.append(
                (
                    "*" if model.installed else "",
                    model.name,
                    size_of(model),
                    "".join(f"{value:.1f}" for value in best_known),
                    model.license or "",
                    ", ".join(model.stems),
                )
            )
        yield f"{family} ({len(own)})"
        width = max(len(row[1]) for row in rows)
        for mark, name, size, figure, licence, stems in rows:
            yield f"{mark:1} {name:{width}} {size:>8} {figure:>5} {licence:12} {stems}".rstrip()


def size_of(model: ModelDetails) -> str:
    if model.size_bytes is None:
        return ""
    return f"{model.size_bytes / 1e9:.1f} GB" if model.size_bytes >= 1e9 else f"{model.size_bytes / 1e6:.1f} MB"


def described(models: Sequence[ModelDetails]) -> Iterator[str]:
    """All that is known of models, a fact on each line."""
    for model in models:
        facts = {
            "name": model.name,
            "family": f"{family_of(model.type)} ({model.type})",
            "about": model.description,
            "stems": ", ".join(model.stems),
            "size": size_of(model),
            "installed": "yes" if model.installed else "no",
            "licence": model.license or "not stated",
            "SDR": ", ".join(f"{stem} {value:g} dB" for stem, value in (model.sdr or {}).items()),
        }
        yield from (f"{fact:10} {text}" for fact, text in facts.items() if text)
