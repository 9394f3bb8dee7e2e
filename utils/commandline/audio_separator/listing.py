"""Models and ensembles as the package lists them: one JSON document, or a table. Pure: no files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from utils.core.replies import EnsemblePreset, PackageModel
from utils.store.package_catalogue import KINDS

GAP = "  "
BEYOND = 15  # how much longer rules are than the columns together
LONGEST_DESCRIPTION = 60
UNKNOWN = "Unknown"


def as_json(models: Sequence[PackageModel]) -> str:
    """An object for each kind of model, with models by their names."""
    document = {
        kind: {
            model.name: {
                "filename": model.file,
                "scores": {stem: {"SDR": value} for stem, value in model.sdr.items()},
                "stems": list(model.stems),
                "target_stem": model.target_stem,
                "download_files": [model.file] if model.config is None else [model.file, model.config],
            }
            for model in models
            if model.kind == kind
        }
        for kind in KINDS
    }
    return json.dumps(document, indent=2)


def chosen(models: Sequence[PackageModel], by: str | None, limit: int | None) -> list[PackageModel]:
    """Sorted by name or by file; or those that give a stem, best first."""
    if by == "name":
        found = sorted(models, key=lambda model: model.name)
    elif by == "filename":
        found = sorted(models, key=lambda model: model.file)
    elif by:
        stem = by.lower()
        giving = [model for model in models if stem in [own.lower() for own in model.stems or (UNKNOWN,)]]
        found = sorted(giving, key=lambda model: -model.sdr.get(stem, float("-inf")))
    else:
        found = list(models)
    return found[:limit] if limit and limit > 0 else found


def models_table(models: Sequence[PackageModel]) -> Iterator[str]:
    rows = [(model.file, model.kind, ", ".join(_with_scores(model)), model.name) for model in models]
    yield from _table(("Model Filename", "Arch", "Output Stems (SDR)", "Friendly Name"), rows)


def _with_scores(model: PackageModel) -> Iterator[str]:
    """Each stem, the one that the model was made for with an asterisk, and how well it is separated."""
    for stem in model.stems or (UNKNOWN,):
        marked = f"{stem}*" if stem == model.target_stem else stem
        yield f"{marked} ({round(model.sdr[stem], 1)})" if stem in model.sdr else marked


def presets_table(presets: Mapping[str, EnsemblePreset]) -> Iterator[str]:
    rows = [
        (name, preset.description[:LONGEST_DESCRIPTION], str(len(preset.models)), preset.algorithm)
        for name, preset in presets.items()
    ]
    yield from _table(("Preset ID", "Description", "Models", "Algorithm"), rows)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in [heading, *rows]) for column in range(len(heading))]
    rule = "-" * (sum(widths) + BEYOND)
    yield from (rule, _line(heading, widths), rule)
    yield from (_line(row, widths) for row in rows)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    *others, last = cells
    return GAP.join([*(f"{cell:<{width}}" for cell, width in zip(others, widths, strict=False)), last])
