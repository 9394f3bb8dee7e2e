"""`dsu-audio-separator --model FILE_NAME SONG ...`, for people: what this program has of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from utils.commandline import program
from utils.commandline.audio_separator_options import KINDS, PROGRAM, parse
from utils.commandline.existing import Results, expected_stems
from utils.commandline.program import MakeEngine, Program, describe_model
from utils.core.api import Engine
from utils.core.errors import ModelNotInstalled
from utils.core.replies import ModelDetails
from utils.core.requests import Apollo, AudioSeparatorSeparate, ListModels, Separate

RESTORED = "restored"
ADDITION = "addition"
TEMPLATE = "{track}_({stem})"


def main(argv: Sequence[str], make_engine: MakeEngine, list_model_names: Callable[[Path], list[str]]) -> int:
    """Do what the arguments say and answer the exit status."""

    def list_names(models_dir: Path, request: Separate) -> list[str]:
        del request
        return list_model_names(models_dir)

    return program.main(Program(PROGRAM, parse, make_engine, list_names, find_models, results), argv)


def find_models(engine: Engine, request: Separate) -> list[ModelDetails]:
    """The model that is named. Of a file of the user's own nothing but its place is known before it is read."""
    path = own_file(request)
    if path is None:
        return [describe_model(engine, ListModels(details=True, model=request.model))]
    if not path.is_file():
        raise ModelNotInstalled(f"There is no model `{path}`.", field="model")
    return [_details(path, "apollo" if isinstance(request, Apollo) else KINDS[path.suffix].lower())]


def own_file(request: Separate) -> Path | None:
    """The model's file where it is not one of those kept in the models directory: named by its path, or by a folder."""
    if isinstance(request, Apollo):
        return Path(request.model_path).expanduser() if request.model_path else None
    if not isinstance(request, AudioSeparatorSeparate):
        return None
    path = Path(request.model_file_dir or "", request.model or "").expanduser()
    if path.suffix not in KINDS:
        return None
    return path if request.model_file_dir or path.is_absolute() or path.is_file() else None


def results(request: Separate, models: Sequence[ModelDetails]) -> Results:
    (model,) = models
    return Results(TEMPLATE, Path(model.name).name, _expected_stems(request, model.stems))


def _expected_stems(request: Separate, model_stems: Sequence[str]) -> tuple[str | None, ...]:
    if isinstance(request, Apollo):
        return expected_stems(request, [RESTORED], also=[ADDITION] if request.addition else [])
    if isinstance(request, AudioSeparatorSeparate) and request.single_stem is not None:
        return (request.single_stem,)
    return expected_stems(request, model_stems)


def _details(path: Path, kind: str) -> ModelDetails:
    return ModelDetails(
        name=str(path),
        type=kind,
        stems=[],
        description="",
        installed=True,
        size_bytes=path.stat().st_size,
        sdr=None,
        license=None,
    )
