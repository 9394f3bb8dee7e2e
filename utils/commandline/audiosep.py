"""`dsu-audiosep --text WHAT SONG ...`, for people: what this program has of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from utils.commandline import program
from utils.commandline.audiosep_options import OWN_PARTS, PROGRAM, TEMPLATE, parse
from utils.commandline.existing import Results, expected_stems
from utils.commandline.program import MakeEngine, Program, describe_model
from utils.core.api import Engine
from utils.core.catalogue import RESIDUAL
from utils.core.replies import ModelDetails
from utils.core.requests import AudioSepSeparate, ListModels

DEFAULT = "audiosep_base"


def main(argv: Sequence[str], make_engine: MakeEngine, list_model_names: Callable[[Path], list[str]]) -> int:
    """Do what the arguments say and answer the exit status."""

    def list_names(models_dir: Path, request: AudioSepSeparate) -> list[str]:
        del request
        return list_model_names(models_dir)

    return program.main(Program(PROGRAM, parse, make_engine, list_names, find_models, results), argv)


def find_models(engine: Engine, request: AudioSepSeparate) -> list[ModelDetails]:
    """The model that is named. Where parts of it are the user's own, nothing is fetched for it."""
    if any(getattr(request, field) is not None for field in OWN_PARTS):
        return []
    return [describe_model(engine, ListModels(details=True, model=request.model or DEFAULT))]


def results(request: AudioSepSeparate, models: Sequence[ModelDetails]) -> Results:
    name = models[0].name if models else Path(request.checkpoint_path or DEFAULT).stem
    also = [RESIDUAL] if request.residual else []
    return Results(TEMPLATE, name, expected_stems(request, request.queries, also=also))
