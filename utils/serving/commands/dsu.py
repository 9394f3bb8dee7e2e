"""The commands of dsu: those of all families, over one engine."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from utils.core import replies, requests
from utils.core.catalogue import DEFAULT_NETWORK, FamilyName, family_of
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.replies import Reply
from utils.core.requests import Request
from utils.serving.commands import Command, Context, Group, audio_separator, audiosep, bsroformer, demucs, denoise
from utils.serving.commands.shared import EVENTS, check, download_model, separate

GROUP = Group("dsu")

# Networks come first: they are meant where several families have the fields of a request.
GROUPS: dict[FamilyName, Group] = {
    "networks": bsroformer.GROUP,
    "demucs": demucs.GROUP,
    "audio-separator": audio_separator.GROUP,
    "apollo": bsroformer.GROUP,
    "audiosep": audiosep.GROUP,
}
NEEDS_A_NAME = ("audio-separator", "apollo")  # they have no model for requests that name none
LOADING = (replies.LoadingModel, replies.Downloading)
PRELOADING = (replies.PreloadingModel, replies.Downloading)


def forms(command: str) -> dict[FamilyName, Command]:
    """The command as each family has it, restricted to models of that family."""
    return {family: _within(family, group.commands[command]) for family, group in GROUPS.items()}


def _within(family: FamilyName, command: Command) -> Command:
    """The command, which uses the active model only if that is of the family, as a request that names none would."""

    def run(context: Context, request: Request, job: Job) -> Reply:
        named = any(getattr(request, name, None) for name in ("model", "model_path", "ensemble"))
        if not named and context.engine.family_of(None) != family:
            if family in NEEDS_A_NAME:
                raise InvalidRequest(
                    f"Name a model of the family `{family}` in `model`: none is active.", field="model"
                )
            if family == "networks":
                request = msgspec.structs.replace(request, model=DEFAULT_NETWORK)
        return command.run(context, request, job)

    return replace(command, run=run)


@GROUP.control(requests.DsuListModels, replies.Models, reads_disk=True)
def list_models(context: Context, request: requests.DsuListModels) -> replies.Models:
    found = context.engine.list_models(msgspec.structs.replace(request, details=True))
    details = [model for model in found.details or [] if request.family in (None, family_of(model.type))]
    return msgspec.structs.replace(
        found, models=[model.name for model in details], details=details if request.details else msgspec.UNSET
    )


@GROUP.control(requests.ListRecipes, replies.Recipes, reads_disk=True)
def list_recipes(context: Context, request: requests.ListRecipes) -> replies.Recipes:
    return context.engine.list_recipes(request)


def check_recipe_fields(request: requests.DsuSeparate) -> None:
    """Raise if a recipe comes with what it says itself."""
    if request.recipe is None:
        if request.policy is not None:
            raise InvalidRequest("`policy` is for recipes; name one in `recipe`.", field="policy")
        return
    for field in ("model", "family", "stems", "two_stems"):
        if getattr(request, field) is not None:
            raise InvalidRequest(f"Give either `recipe` or `{field}`: a recipe says that itself.", field=field)


def as_the_active_model(context: Context, request: Request, job: Job) -> Reply:
    """A request that says nothing of its family means that of the active model, at its turn."""
    if isinstance(request, requests.DsuSeparate) and request.recipe is not None:
        return separate(context, request, job)
    command = context.commands[str(request.__struct_config__.tag)]
    form = command.by_family[context.engine.family_of(None)]
    own = ("family", "recipe", "policy")
    fields = {name: getattr(request, name) for name in request.__struct_fields__ if name not in own}
    typed = form.request(**fields)
    form.check(typed)
    return form.run(context, typed, job)


GROUP.job(requests.DsuLoad, replies.ModelLoaded, events=LOADING, by_family=forms("load_model"))(as_the_active_model)
GROUP.job(requests.DsuPreload, replies.ModelPreloaded, events=PRELOADING, by_family=forms("preload_model"))(
    as_the_active_model
)
GROUP.job(
    requests.DsuSeparate,
    replies.Done,
    replies.AudioSepDone,
    replies.ManyDone,
    events=EVENTS,
    checks=(check, check_recipe_fields),
    by_family=forms("separate"),
    alone_with="recipe",
)(as_the_active_model)
GROUP.job(requests.DownloadModel, replies.ModelDownloaded, events=(replies.Downloading,))(download_model)
for name in ("apollo", "load_apollo", "package_list_models", "package_load_model", "package_separate"):
    GROUP.add(audio_separator.GROUP.commands[name])
GROUP.add(denoise.GROUP.commands["denoise"])
