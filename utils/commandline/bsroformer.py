"""`dsu-bsroformer --model NAME SONG ...`, for people: what this program has of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from utils.commandline import program
from utils.commandline.bsroformer_options import PROGRAM, parse
from utils.commandline.existing import Results, expected_stems
from utils.commandline.program import MakeEngine, Program, describe_model
from utils.core.api import Engine
from utils.core.network_choice import OwnFiles, choices_of
from utils.core.replies import ModelDetails
from utils.core.requests import ListModels, NetworkSeparate

TEMPLATE = "{track}/{stem}"
VOCALS = "vocals"
INSTRUMENTAL = "instrumental"


def main(argv: Sequence[str], make_engine: MakeEngine, list_model_names: Callable[[Path], list[str]]) -> int:
    """Do what the arguments say and answer the exit status."""

    def list_names(models_dir: Path, request: NetworkSeparate) -> list[str]:
        del request
        return list_model_names(models_dir)

    return program.main(Program(PROGRAM, parse, make_engine, list_names, find_models, results), argv)


def find_models(engine: Engine, request: NetworkSeparate) -> list[ModelDetails]:
    """The networks that are named; nothing is known of the user's files before they are read."""
    named = dict.fromkeys(choice for choice in choices_of(request) if isinstance(choice, str))
    return [describe_model(engine, ListModels(details=True, model=name)) for name in named]


def results(request: NetworkSeparate, models: Sequence[ModelDetails]) -> Results:
    called = [_name(choice) for choice in choices_of(request)]
    stems = common_stems(models)
    also = [complement_of(stems)] if request.extract_instrumental else []
    return Results(TEMPLATE, "+".join(called), expected_stems(request, stems, also=also))


def common_stems(models: Sequence[ModelDetails]) -> list[str]:
    """The stems that all models give, as the first one calls them."""
    others = [{stem.casefold() for stem in model.stems} for model in models[1:]]
    return [stem for model in models[:1] for stem in model.stems if all(stem.casefold() in one for one in others)]


def complement_of(stems: Sequence[str]) -> str:
    """What `--extract-instrumental` adds. Some configurations have another word for it, which shows when they are read."""
    given = {stem.casefold() for stem in stems}
    return VOCALS if INSTRUMENTAL in given and VOCALS not in given else INSTRUMENTAL


def _name(choice: str | OwnFiles | None) -> str:
    return Path(choice.model_path).stem if isinstance(choice, OwnFiles) else choice or ""
