"""Recipes: documents that say which models work on a song, on which of each other's stems, and what becomes of the results.

A recipe is read as data and checked for what it says about itself: names, types, steps that there are, no circles. What
models have to say about it is in `recipe_checks`. The description of a field appears in the schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec
from msgspec import Meta

from utils.core.errors import InvalidRequest, did_you_mean, nearest
from utils.core.field_errors import WORDS, explain, with_whole_numbers
from utils.core.package_request import EnsembleAlgorithm
from utils.core.requests import JOINT_FORMATS, AskedSampleType, AudioFormat
from utils.core.typed import convert

MIX = "mix"
MIX_TITLE = "the mix"  # what people know it by: in reports, and as the first track of a file that holds all stems
REST = "rest"  # a stem that every step with a model has: its input without all of its stems
MOST_STEPS = 32
MOST_OUTPUTS = 32
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
HINT = "docs/recipes.md describes recipes; `dsu recipe check FILE` checks one."

S = TypeVar("S", bound=msgspec.Struct)

StemReference = Annotated[str, Meta(description="`mix`, `STEP.STEM`, or `STEP` where the step has one stem.")]
References = Annotated[list[StemReference], Meta(min_length=2, max_length=16)]
Frequency = Annotated[float, Meta(ge=1, le=192000)]


class RecipeStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all kinds of steps have in common. The field `key` tells which kind a step is."""

    key: ClassVar[str] = ""

    @property
    def reads(self) -> list[tuple[str, str]]:
        """The references of a step, each with the field that it is in."""
        return [(self.key, reference) for reference in getattr(self, self.key)]


class ModelStep(RecipeStep, frozen=True, kw_only=True):
    """A model, with the options that its family's `separate` has. Its stems are those of the model, and `rest`."""

    key = "model"

    model: Annotated[str | None, Meta(description="Name of the model, or of its file.")] = None
    input: Annotated[StemReference, Meta(description="What the model hears; default `mix`.")] = MIX
    options: dict[str, Any] = {}

    @property
    def reads(self) -> list[tuple[str, str]]:
        return [("input", self.input)]


class SumStep(RecipeStep, frozen=True, kw_only=True):
    """The sum of several stems."""

    key = "sum"

    sum: Annotated[References, Meta(description="The stems to add.")]


class SubtractStep(RecipeStep, frozen=True, kw_only=True):
    """One stem minus others."""

    key = "subtract"

    subtract: Annotated[References, Meta(description="The stem to subtract from, then those to subtract.")]


class ResidualStep(RecipeStep, frozen=True, kw_only=True):
    """What is left of the mix: with these stems it sums to the mix."""

    key = "residual"

    residual: Annotated[
        list[StemReference], Meta(min_length=1, max_length=16, description="The stems to subtract from the mix.")
    ]


class EnsembleStep(RecipeStep, frozen=True, kw_only=True):
    """The same stem of several steps in one; or of whole steps, all stems that they have in common."""

    key = "ensemble"

    ensemble: Annotated[References, Meta(description="The stems to combine, or steps with several stems each.")]
    algorithm: Annotated[EnsembleAlgorithm, Meta(description="How they are combined; default `avg_wave`.")] = "avg_wave"
    weights: Annotated[
        list[Annotated[float, Meta(ge=0)]] | dict[str, list[Annotated[float, Meta(ge=0)]]] | None,
        Meta(description="How much each counts in an average: a list, or a list for each stem."),
    ] = None


class BandsStep(RecipeStep, frozen=True, kw_only=True):
    """One stem out of several, each heard in a band of its own. The bands sum to one."""

    key = "bands"

    bands: Annotated[References, Meta(description="The stems, from the lowest band to the highest.")]
    at_hz: Annotated[list[Frequency], Meta(min_length=1, description="The frequencies between the bands, rising.")]


class GainStep(RecipeStep, frozen=True, kw_only=True):
    """A louder or softer stem."""

    key = "gain"

    gain: StemReference
    db: Annotated[float, Meta(ge=-120, le=60, description="The gain in decibels.")]

    @property
    def reads(self) -> list[tuple[str, str]]:
        return [("gain", self.gain)]


class PhaseFixStep(RecipeStep, frozen=True, kw_only=True):
    """The magnitudes of one stem with the phases of another: its own below `low_hz`, the other's above `high_hz`."""

    key = "phase_fix"

    phase_fix: Annotated[StemReference, Meta(description="The stem whose magnitudes are kept.")]
    phase_of: Annotated[StemReference, Meta(description="The stem whose phases are taken.")]
    low_hz: Annotated[Frequency, Meta(description="Where the other's phases begin to count; default 500.")] = 500.0
    high_hz: Annotated[Frequency, Meta(description="Where they count alone; default 5000.")] = 5000.0

    @property
    def reads(self) -> list[tuple[str, str]]:
        return [("phase_fix", self.phase_fix), ("phase_of", self.phase_of)]


COMBINING: tuple[type[RecipeStep], ...] = (
    *(SumStep, SubtractStep, ResidualStep, EnsembleStep, BandsStep, GainStep, PhaseFixStep),
)
KEYS = {kind.key: kind for kind in COMBINING}
NAMING_A_MODEL = ("model", "model_path", "text", "texts")  # by any of these, a step is one with a model


class RecipeOutput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """One file of the result. What it leaves open is as the request says."""

    source: StemReference
    format: Annotated[AudioFormat | None, Meta(description="File format.")] = None
    pcm_type: Annotated[AskedSampleType | None, Meta(description="Sample type.")] = None
    bitrate: Annotated[int, Meta(ge=8, le=640, description="Bit rate of a lossy format, in kbit/s.")] | None = None
    file: Annotated[str, Meta(min_length=1, description="File name without extension.")] | None = None


class RecipeDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recipe as it is written, in JSON or YAML."""

    steps: Annotated[
        Annotated[dict[str, Any], Meta(min_length=1, max_length=MOST_STEPS)]
        | Annotated[list[Any], Meta(min_length=1, max_length=MOST_STEPS)],
        Meta(description="The steps by name, or as a list of objects with `name`."),
    ]
    outputs: Annotated[
        dict[str, Any],
        Meta(min_length=1, max_length=MOST_OUTPUTS, description="The files to write, by the names of their stems."),
    ]
    description: Annotated[str, Meta(max_length=500, description="What the recipe is for.")] = ""
    sums_to_mix: Annotated[
        bool, Meta(description="The outputs sum to the mix: one of them is the `residual` of all others.")
    ] = False


@dataclass(frozen=True)
class Reference:
    """A stem of a step, or the mix. Without a stem, the only one of the step."""

    step: str
    stem: str | None = None

    @classmethod
    def of(cls, text: str) -> Reference:
        step, dot, stem = text.partition(".")
        return cls(step, stem if dot else None)

    def __str__(self) -> str:
        return self.step if self.stem is None else f"{self.step}.{self.stem}"


@dataclass(frozen=True)
class Recipe:
    """A recipe, read. Each of its steps comes after those that it reads; `unused` ones are left out."""

    name: str
    description: str
    steps: dict[str, RecipeStep]
    outputs: dict[str, RecipeOutput]
    sums_to_mix: bool
    unused: tuple[str, ...]
    document: dict[str, Any]  # as it was written

    @property
    def model_steps(self) -> dict[str, ModelStep]:
        return {name: step for name, step in self.steps.items() if isinstance(step, ModelStep)}


def wrong(message: str, *field: str, suggestions: Sequence[str] = ()) -> InvalidRequest:
    """An error in a recipe, with the place."""
    return InvalidRequest(message, hint=HINT, field=".".join(("recipe", *field)), suggestions=suggestions)


# Reading ----------------------------------------------------------------------------------------------------------


def read_recipe(content: object, name: str) -> Recipe:
    """A recipe from plain data. Raises `InvalidRequest` for the first thing that is wrong with it."""
    if not isinstance(content, Mapping):
        raise wrong(f"A recipe is an object with `steps` and `outputs`, not {_kind_of(content)}.")
    _require_text(content)
    for field in ("steps", "outputs"):
        _require_text(content.get(field), field)
    document = typed(content, RecipeDocument)
    description = " ".join(document.description.split())
    if not description.isprintable():  # it is shown in terminals
        raise wrong("The `description` has characters that cannot be shown.", "description")
    steps = {step: _read_step(step, fields) for step, fields in _named(document.steps)}
    outputs = {output: _read_output(output, asked) for output, asked in document.outputs.items()}
    _check_outputs(outputs)
    for step, fields in steps.items():
        for field, reference in fields.reads:
            _require_step(reference, steps, "steps", step, field)
    for output, asked in outputs.items():
        _require_step(asked.source, steps, "outputs", output)
    ordered = _in_order(steps)
    used = _used(steps, outputs)
    recipe = Recipe(
        name,
        description,
        {step: steps[step] for step in ordered if step in used},
        outputs,
        document.sums_to_mix,
        tuple(step for step in steps if step not in used),
        dict(content),
    )
    if recipe.sums_to_mix:
        _require_sum(recipe)
    return recipe


def _require_text(named: object, *place: str) -> None:
    """Raise if something has a number for its name: YAML allows that."""
    for name in named if isinstance(named, Mapping) else ():
        if not isinstance(name, str):
            raise wrong(f"`{name}` is a name, so it must be text: put it in quotes.", *place)


def typed(fields: Mapping[str, Any], kind: type[S], *place: str) -> S:
    """Fields as one of the types of a recipe. Unknown ones are errors."""
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for field in fields:
        if field not in known:
            near = nearest(str(field), known)
            where = f"The step `{place[-1]}`" if place[:1] == ("steps",) else "A recipe"
            raise wrong(f"{where} has no `{field}`.{did_you_mean(near)}", *place, str(field), suggestions=near or known)
    for field, value in fields.items():
        if place and not _is_finite(value):
            raise wrong(f"`{field}` must be a finite number.", *place, str(field))
    try:
        return convert(with_whole_numbers(dict(fields)), kind)
    except msgspec.ValidationError as error:
        found = explain(str(error), kind)
        raise wrong(found.message, *place, found.field or "", suggestions=found.suggestions) from error


def _is_finite(value: object) -> bool:
    """Whether all numbers in a value are: YAML has infinity, too."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _kind_of(value: object) -> str:
    return WORDS.get(type(value).__name__, f"a {type(value).__name__}")


def _named(steps: Mapping[str, Any] | Sequence[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The steps with their names, which are checked."""
    listed = (
        list(steps.items()) if isinstance(steps, Mapping) else [(str(index), step) for index, step in enumerate(steps)]
    )
    taken: set[str] = set()
    for place, step in listed:
        if not isinstance(step, Mapping) or not all(isinstance(key, str) for key in step):
            raise wrong(f"A step must be an object whose names are strings, not {_kind_of(step)}.", "steps", str(place))
        name = place if isinstance(steps, Mapping) else step.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name) or name == MIX:
            raise wrong(
                f"A step needs a name of letters, digits, `_` and `-` that begins with a letter and is not `{MIX}`.",
                *("steps", place),
            )
        if name in taken:
            raise wrong(f"Two steps have the name `{name}`.", "steps", place)
        taken.add(name)
        yield name, step if isinstance(steps, Mapping) else {key: step[key] for key in step if key != "name"}


def _read_output(name: str, asked: object) -> RecipeOutput:
    if isinstance(asked, str):
        return RecipeOutput(source=asked)
    if isinstance(asked, Mapping):
        return typed(asked, RecipeOutput, "outputs", name)
    raise wrong(f"An output must be a string or an object, not {_kind_of(asked)}.", "outputs", name)


def _read_step(name: str, fields: Mapping[str, Any]) -> RecipeStep:
    place = ("steps", name)
    keys = [key for key in KEYS if key in fields]
    has_model = any(key in fields for key in NAMING_A_MODEL)
    if len(keys) + has_model != 1:
        found = [*(["model"] if has_model else []), *keys]
        message = f"The step `{name}` needs exactly one of `model`, {', '.join(f'`{key}`' for key in KEYS)}"
        raise wrong(f"{message}; it has {' and '.join(f'`{key}`' for key in found) or 'none'}.", *place)
    if has_model:
        own = {key: value for key, value in fields.items() if key in ("model", "input")}
        step = typed(own, ModelStep, *place)
        return msgspec.structs.replace(step, options={key: fields[key] for key in fields if key not in own})
    combining = typed(fields, KEYS[keys[0]], *place)
    if isinstance(combining, BandsStep):
        rising = all(low < high for low, high in zip(combining.at_hz, combining.at_hz[1:], strict=False))
        if len(combining.at_hz) != len(combining.bands) - 1 or not rising:
            raise wrong(
                f"`at_hz` must have one frequency less than there are `bands`, that is {len(combining.bands) - 1}, rising.",
                *place,
                "at_hz",
            )
    if isinstance(combining, PhaseFixStep) and combining.low_hz >= combining.high_hz:
        raise wrong("`low_hz` must be below `high_hz`.", *place, "low_hz")
    if isinstance(combining, EnsembleStep):
        _check_weights(combining, place)
    return combining


def _check_weights(step: EnsembleStep, place: tuple[str, ...]) -> None:
    weights = step.weights
    if weights is None:
        return
    if not step.algorithm.startswith("avg"):
        raise wrong(f"Only averages have `weights`; `{step.algorithm}` has none.", *place, "weights")
    for each in weights.values() if isinstance(weights, dict) else [weights]:
        if len(each) != len(step.ensemble) or sum(each) <= 0:
            count = len(step.ensemble)
            raise wrong(
                f"`weights` must have {count} numbers, one for each of `ensemble`, and at least one above 0.",
                *place,
                "weights",
            )


# Checking ---------------------------------------------------------------------------------------------------------


def _check_outputs(outputs: Mapping[str, RecipeOutput]) -> None:
    """Names that can be told apart on every file system."""
    taken: dict[str, str] = {}
    for name, output in outputs.items():
        if not name.strip():
            raise wrong("The name of an output is empty.", "outputs")
        if not name.isprintable():
            raise wrong(f"The name {name!r} has characters that cannot be shown.", "outputs")
        if output.format in JOINT_FORMATS:
            raise wrong(
                f"`{output.format}` holds all outputs in one file, so it is for the request to ask for.",
                *("outputs", name, "format"),
            )
        if name.casefold() == MIX_TITLE:
            raise wrong(f"`{name}` is what reports call the song. Choose another name.", "outputs", name)
        for text in {name, output.file or name}:
            other = taken.setdefault(text.casefold(), name)
            if other != name:
                raise wrong(f"The outputs `{other}` and `{name}` would have the same file.", "outputs", name)


def _require_step(text: str, steps: Mapping[str, RecipeStep], *place: str) -> None:
    """Raise if a reference is to no step of the recipe, or to a stem of one that has but one."""
    reference = Reference.of(text)
    if reference.step == MIX:
        if reference.stem is not None:
            raise wrong(f"`{text}`: the mix has no stems.", *place)
        return
    if reference.step not in steps:
        near = nearest(reference.step, [MIX, *steps])
        raise wrong(
            f"`{text}`: there is no step `{reference.step}`.{did_you_mean(near)}",
            *place,
            suggestions=near or [MIX, *steps],
        )
    if reference.stem == "":
        raise wrong(f"`{text}`: the name of the stem is missing.", *place)


def _in_order(steps: Mapping[str, RecipeStep]) -> list[str]:
    """The steps, each after those that it reads. Raises `InvalidRequest` for a circle."""
    ordered: dict[str, None] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " ← ".join(f"`{step}`" for step in (*above[above.index(name) :], name))
            field = next(field for field, text in steps[above[-1]].reads if Reference.of(text).step == name)
            raise wrong(f"These steps need each other: {circle}.", "steps", above[-1], field)
        if name == MIX or name in ordered:
            return
        for _, text in steps[name].reads:
            add(Reference.of(text).step, (*above, name))
        ordered[name] = None

    for name in steps:
        add(name, ())
    return list(ordered)


def _used(steps: Mapping[str, RecipeStep], outputs: Mapping[str, RecipeOutput]) -> set[str]:
    """The steps that an output needs."""
    used: set[str] = set()
    left = [Reference.of(output.source).step for output in outputs.values()]
    while left:
        name = left.pop()
        if name != MIX and name not in used:
            used.add(name)
            left += [Reference.of(text).step for _, text in steps[name].reads]
    return used


def _require_sum(recipe: Recipe) -> None:
    """Raise unless one output is the mix minus all others."""
    for name, output in recipe.outputs.items():
        step = recipe.steps.get(output.source)
        others = sorted(other.source.casefold() for key, other in recipe.outputs.items() if key != name)
        if isinstance(step, ResidualStep) and sorted(text.casefold() for text in step.residual) == others:
            return
    raise wrong(
        "With `sums_to_mix`, one output must be a step with the `residual` of exactly the other outputs.", "sums_to_mix"
    )
