"""What models have to say about a recipe, before any of them is loaded: families, options, stems and licences.

What is known of models are their details, as `list_models` has them. Of a user's own files nothing is known yet; what is wrong
with those shows when they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Any

from utils.core.catalogue import ADDITION, AUDIO_SEPARATOR_SUFFIXES, INSTRUMENTAL, RESIDUAL, FamilyName, family_of
from utils.core.errors import InvalidRequest, UnknownModel, did_you_mean, nearest
from utils.core.recipes import (
    HINT,
    MIX,
    REST,
    EnsembleStep,
    ModelStep,
    Recipe,
    Reference,
    typed,
    wrong,
)
from utils.core.replies import ModelDetails, RecipeDetails, RecipeModel
from utils.core.requests import (
    AudioSeparatorSeparate,
    AudioSepSeparate,
    DemucsSeparate,
    NetworkSeparate,
    Separate,
)

# What a family's `separate` has in the commands of `dsu`.
FORMS: dict[FamilyName, type[Separate]] = {
    "networks": NetworkSeparate,
    "demucs": DemucsSeparate,
    "audio-separator": AudioSeparatorSeparate,
    "apollo": NetworkSeparate,
    "audiosep": AudioSepSeparate,
}
# Fields that say what comes in and goes out; in a recipe that is not for a step to say.
OF_THE_JOB = frozenset(
    {
        *(
            "id",
            "strict",
            "debug",
            "input",
            "inputs",
            "output",
            "output_dir",
            "format",
            "pcm_type",
            "subtype",
            "bitrate",
        ),
        *("stems", "two_stems", "single_stem", "other_method", "rest_name", "output_sample_rate", "clip", "overwrite"),
        *("loudness", "true_peak"),
        *("resume", "progress", "report", "report_html", "report_theme", "report_scale", "preview", "name_template"),
        *("channels", "ensemble", "ensemble_type", "ensemble_weights", "extract_instrumental", "residual", "use_fast"),
        *("stream", "start_at", "share", "shares"),
    }
)
# By any of these a step uses files of the user's own.
OWN_FILES = ("model_path", "repo", "model_file_dir", "checkpoint_path")
FAMILY_BY_OPTION: dict[str, FamilyName] = {
    "model_path": "networks",
    "repo": "demucs",
    "model_file_dir": "audio-separator",
    "text": "audiosep",
    "texts": "audiosep",
}
# Licences that let results be sold. One that nobody has stated is not among them.
COMMERCIAL = frozenset({"MIT", "Apache-2.0", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "GPL-3.0"})


@dataclass(frozen=True)
class ModelUse:
    """A model as a step uses it."""

    step: str
    request: Separate
    details: ModelDetails | None  # None for files of the user's own

    @property
    def name(self) -> str:
        return self.details.name if self.details is not None else self.request.model or self.request.model_key or ""

    @cached_property
    def stems(self) -> tuple[str, ...] | None:
        """The stems that can be referred to; None if that is not known before the model is read."""
        request = self.request
        if isinstance(request, AudioSepSeparate):
            return (*request.queries, RESIDUAL, REST)
        if self.details is None or not self.details.stems:
            return None
        own = tuple(self.details.stems)
        if self.details.type == "apollo":
            return (*own, ADDITION, REST)
        further = (INSTRUMENTAL, REST) if family_of(self.details.type) == "networks" else (REST,)
        lower = [stem.casefold() for stem in own]
        return (*own, *(stem for stem in further if stem not in lower))

    @property
    def is_commercial(self) -> bool:
        return self.details is not None and self.details.license in COMMERCIAL


@dataclass(frozen=True)
class CheckedRecipe:
    """A recipe that may run, as far as can be known before its models are read."""

    recipe: Recipe
    uses: Mapping[str, ModelUse]  # by step
    known_stems: dict[str, tuple[str, ...] | None] = field(default_factory=dict)  # of steps that were looked at

    @property
    def licences(self) -> dict[str, str | None]:
        return {use.name: use.details.license if use.details is not None else None for use in self.uses.values()}

    @property
    def is_commercial(self) -> bool:
        return all(use.is_commercial for use in self.uses.values())


def check_recipe(recipe: Recipe, models: Sequence[ModelDetails], *, policy: str | None = None) -> CheckedRecipe:
    """Raise the first thing that is wrong with a recipe, with its place."""
    known = {name: model for model in reversed(models) for name in (*_aliases(model), model.name)}
    known |= {model.name: model for model in reversed(models)}
    uses = {name: _use(name, step, known) for name, step in recipe.model_steps.items()}
    checked = CheckedRecipe(recipe, uses)
    for name, step in recipe.steps.items():
        for place, text in step.reads:
            if not isinstance(step, EnsembleStep):
                require_stem(checked, text, "steps", name, place)
        if isinstance(step, EnsembleStep):
            _require_members(checked, step, name)
    for name, output in recipe.outputs.items():
        require_stem(checked, output.source, "outputs", name)
    if policy == "commercial":
        _require_commercial(checked)
    return checked


def _aliases(model: ModelDetails) -> Sequence[str]:
    return model.aliases if isinstance(model.aliases, list) else ()


# Models -----------------------------------------------------------------------------------------------------------


def _use(name: str, step: ModelStep, known: Mapping[str, ModelDetails]) -> ModelUse:
    options = dict(step.options)
    details = known.get(step.model or "")
    own = any(field in options for field in OWN_FILES)
    family = options.pop("family", None) or _family(step, options, details)
    if family is None:
        near = nearest(step.model or "", known)
        error = UnknownModel(
            f"The step `{name}` needs the model `{step.model}`, which does not exist.{did_you_mean(near)}",
            hint='Send {"cmd":"list_models"} for the names of all models.',
            suggestions=near,
            field=f"recipe.steps.{name}.model",
        )
        error.step = name
        raise error
    if not isinstance(family, str) or family not in FORMS:
        raise wrong(
            f"`family` must be one of {', '.join(FORMS)}, not `{family}`.",
            "steps",
            name,
            "family",
            suggestions=[*FORMS],
        )
    form = FORMS[family]
    refused = next((field for field in options if field in OF_THE_JOB), None)
    if refused is not None:
        raise wrong(
            f"The step `{name}` cannot set `{refused}`: what comes in and goes out is for the request or for `outputs` to say.",
            *("steps", name, refused),
        )
    request = typed(_without_job_fields(options, form, name, step), form, "steps", name)
    if isinstance(request, AudioSepSeparate):
        _in_step(name, lambda: request.queries)
    return ModelUse(name, request, None if own else details)


def _family(step: ModelStep, options: Mapping[str, Any], details: ModelDetails | None) -> FamilyName | None:
    """The family of a step's model: by the files that it names, by its name, or by what only one family is asked."""
    by_option = next((family for field, family in FAMILY_BY_OPTION.items() if field in options), None)
    if by_option is not None and (details is None or any(field in options for field in OWN_FILES)):
        return by_option
    if details is not None:
        return family_of(details.type)
    return "audio-separator" if PurePath(step.model or "").suffix in AUDIO_SEPARATOR_SUFFIXES else None


def _without_job_fields(options: Mapping[str, Any], form: type[Separate], name: str, step: ModelStep) -> dict[str, Any]:
    """The fields of the family's request. An unknown option is an error that names what the family has."""
    own = [field for field in form.__struct_fields__ if field not in OF_THE_JOB and field != "model"]
    for option in options:
        if option not in own:
            near = nearest(option, own)
            raise wrong(
                f"The step `{name}` has no option `{option}`: its model has {', '.join(own)}.{did_you_mean(near)}",
                *("steps", name, option),
                suggestions=near or own,
            )
    return {**options, **({} if step.model is None else {"model": step.model})}


def _in_step(name: str, check: Any) -> None:
    """What is wrong with a step's request, as an error of the recipe."""
    try:
        check()
    except InvalidRequest as error:
        raise wrong(error.message, "steps", name, error.field or "model", suggestions=error.suggestions) from error


# Stems ------------------------------------------------------------------------------------------------------------


def stems_of(checked: CheckedRecipe, step: str) -> tuple[str, ...] | None:
    """The stems of a step: one of its own name, unless it has a model or is an ensemble of several; None if not known."""
    if step not in checked.known_stems:
        own = checked.recipe.steps[step]
        if isinstance(own, ModelStep):
            found = checked.uses[step].stems
        else:
            found = (isinstance(own, EnsembleStep) and common_stems(checked, own)) or (step,)
        checked.known_stems[step] = found
    return checked.known_stems[step]


def common_stems(checked: CheckedRecipe, step: EnsembleStep) -> tuple[str, ...] | None:
    """The stems that an ensemble of whole steps has; None where its members are single stems."""
    members = [Reference.of(text) for text in step.ensemble]
    if any(member.stem is not None or member.step == MIX for member in members):
        return None
    stems = [stems_of(checked, member.step) for member in members]
    own = [_models_own(each) for each in stems if each is not None]
    if len(own) < len(stems) or any(len(each) == 1 for each in own):
        return None
    first, *others = own
    return tuple(
        stem for stem in first if all(stem.casefold() in (other.casefold() for other in each) for each in others)
    )


def _models_own(stems: Sequence[str]) -> list[str]:
    """Without those that are made by subtraction."""
    return [stem for stem in stems if stem not in (REST, INSTRUMENTAL, RESIDUAL, ADDITION)] or list(stems)


def require_stem(checked: CheckedRecipe, text: str, *place: str) -> None:
    """Raise if a step is known not to have the stem of a reference, or to have several where none is named."""
    reference = Reference.of(text)
    if reference.step == MIX:
        return
    stems = stems_of(checked, reference.step)
    if stems is None:
        if reference.stem is None:
            raise wrong(f"`{text}`: name the stem of the step, as in `{text}.vocals`.", *place)
        return
    resolve_stem(reference, stems, *place)


def resolve_stem(reference: Reference, stems: Sequence[str], *place: str) -> str:
    """The stem that a reference means, as its step spells it."""
    if reference.stem is None:
        own = _models_own(stems)
        if len(own) == 1:
            return own[0]
        raise wrong(
            f"`{reference}` has several stems: {', '.join(stems)}. Name one, as in `{reference}.{stems[0]}`.",
            *place,
            suggestions=[f"{reference}.{stem}" for stem in stems],
        )
    for stem in stems:
        if stem.casefold() == reference.stem.casefold():
            return stem
    near = [f"{reference.step}.{stem}" for stem in nearest(reference.stem, stems) or stems]
    raise wrong(
        f"The step `{reference.step}` has no stem `{reference.stem}`; it has {', '.join(stems)}.",
        *place,
        suggestions=near,
    )


def _require_members(checked: CheckedRecipe, step: EnsembleStep, name: str) -> None:
    common = common_stems(checked, step)
    if common is None:
        for text in step.ensemble:
            require_stem(checked, text, "steps", name, "ensemble")
    elif not common:
        raise wrong(f"The members of `{name}` have no stem in common.", "steps", name, "ensemble")
    if isinstance(step.weights, dict):
        stems = common or (name,)
        for stem in step.weights:
            if stem.casefold() not in (own.casefold() for own in stems):
                raise wrong(
                    f"`weights` names `{stem}`, but the stems are {', '.join(stems)}.",
                    *("steps", name, "weights"),
                    suggestions=list(stems),
                )


def described(checked: CheckedRecipe) -> RecipeDetails:
    """A recipe as lists have it."""
    recipe = checked.recipe
    models: dict[str, RecipeModel] = {}
    for use in checked.uses.values():
        known = use.details
        models[use.name] = RecipeModel(
            model=use.name,
            installed=known is None or known.installed,
            size_bytes=known.size_bytes if known is not None else None,
            license=known.license if known is not None else None,
        )
    return RecipeDetails(
        name=recipe.name,
        description=recipe.description,
        steps=list(recipe.steps),
        stems=list(recipe.outputs),
        models=list(models.values()),
        installed=all(model.installed for model in models.values()),
        commercial=checked.is_commercial,
    )


# Licences ---------------------------------------------------------------------------------------------------------


def _require_commercial(checked: CheckedRecipe) -> None:
    for name, use in checked.uses.items():
        if not use.is_commercial:
            licence = use.details.license if use.details is not None else None
            said = f"its licence is {licence}" if licence else "nobody has stated its licence"
            raise InvalidRequest(
                f"The policy `commercial` does not allow the model `{use.name}` of the step `{name}`: {said}.",
                hint=HINT,
                field=f"recipe.steps.{name}.model",
            )
