"""`dsu-demucs SONG ...`, for people: what this program has of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from utils.commandline import program
from utils.commandline.demucs_options import PROGRAM, parse
from utils.commandline.existing import Results, expected_stems
from utils.commandline.program import MakeEngine, Program, describe_model
from utils.core.api import Engine
from utils.core.replies import ModelDetails
from utils.core.requests import DemucsListModels, DemucsSeparate

TEMPLATE = "{model}/{track}/{stem}"


def main(
    argv: Sequence[str], make_engine: MakeEngine, list_model_names: Callable[[Path, Path | None], list[str]]
) -> int:
    """Do what the arguments say and answer the exit status."""

    def list_names(models_dir: Path, request: DemucsSeparate) -> list[str]:
        return list_model_names(models_dir, Path(request.repo).expanduser() if request.repo else None)

    return program.main(Program(PROGRAM, parse, make_engine, list_names, find_models, results), argv)


def find_models(engine: Engine, request: DemucsSeparate) -> list[ModelDetails]:
    return [describe_model(engine, DemucsListModels(details=True, repo=request.repo, model=request.model))]


def results(request: DemucsSeparate, models: Sequence[ModelDetails]) -> Results:
    (model,) = models
    return Results(TEMPLATE, model.name, expected_stems(request, model.stems, rest=request.other_method != "none"))
