"""Carries out a recipe: reads its models, divides them into passes, and runs each pass as a graph of streams.

Stems that a later pass needs are recorded. The last pass writes the files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

import msgspec

from utils.audio.naming import safe_name
from utils.audio.scanning import AudioStats
from utils.core import replies
from utils.core.errors import ModelError, ModelNotInstalled, OutOfMemory
from utils.core.job import Job
from utils.core.recipe_checks import CheckedRecipe, common_stems, resolve_stem
from utils.core.recipes import (
    MIX,
    REST,
    BandsStep,
    EnsembleStep,
    GainStep,
    ModelStep,
    PhaseFixStep,
    RecipeOutput,
    RecipeStep,
    Reference,
    ResidualStep,
    SubtractStep,
    SumStep,
    wrong,
)
from utils.core.requests import JOINT_FORMATS, DsuSeparate, Separate
from utils.engine.cache import Lease, ModelCache
from utils.engine.family import Asked, Family, Host, Model, ModelSource
from utils.engine.pipeline.arrangement import Arrangement
from utils.engine.pipeline.blending import (
    BANDS_FRAME,
    FRAME,
    Blend,
    SpectrumBlend,
    Sum,
    combined,
    crossover,
    with_phases,
)
from utils.engine.pipeline.demix import Compute
from utils.engine.pipeline.files import ModelLoad, write_stems
from utils.engine.pipeline.graph import (
    SONG,
    GraphArrangement,
    GraphStep,
    GraphStream,
    Mixing,
    Recording,
    Separation,
    SilentStem,
    Tap,
    in_step,
)
from utils.engine.pipeline.outputs import Complement, Offer, Output, Selection
from utils.engine.pipeline.recording import Recorder, recorded_track
from utils.engine.pipeline.track import STEREO, Track
from utils.engine.recipe_passes import StepFacts, plan_passes, size_of
from utils.engine.resume import Halfway

SHORTEST_CHUNK_S = 1.0


class Workshop(Protocol):
    """What a recipe needs of the engine."""

    host: Host
    cache: ModelCache

    def family(self, name: str) -> Family: ...

    def resolve(self, request: Asked, job: Job) -> Sequence[ModelSource]: ...

    def load(
        self, source: ModelSource, request: Asked, lease: Lease, job: Job, *, announced: bool = False
    ) -> Model: ...


@dataclass(frozen=True)
class Mixed:
    """A stem that a step combines of others."""

    step: RecipeStep
    stem: str
    inputs: tuple[Reference, ...]


class Wiring:
    """Which stems are needed of which steps, with ensembles of whole steps taken apart: one `Mixed` for each of their stems."""

    def __init__(self, checked: CheckedRecipe) -> None:
        self._checked = checked
        self.wanted: dict[str, dict[Reference, None]] = {}  # of steps with a model, in their order
        self.inputs: dict[str, Reference] = {}
        self.mixed: dict[str, Mixed] = {}
        self.order: list[str] = []  # of all of them, each after those that it is made of
        self._models: dict[str, frozenset[str]] = {}  # that each of these is made of
        self.results = {
            name: self._want(Reference.of(output.source)) for name, output in checked.recipe.outputs.items()
        }

    def _want(self, reference: Reference) -> Reference:
        if reference.step == MIX:
            return reference
        step = self._checked.recipe.steps[reference.step]
        if isinstance(step, ModelStep):
            if reference.step not in self.wanted:
                self.inputs[reference.step] = self._want(Reference.of(step.input))
                self.order.append(reference.step)
            self.wanted.setdefault(reference.step, {})[reference] = None
            return reference
        references = [Reference.of(text) for _, text in step.reads]
        if isinstance(step, ResidualStep):
            references.insert(0, Reference(MIX))
        name, stem = reference.step, reference.step
        if isinstance(step, EnsembleStep) and (common := common_stems(self._checked, step)):
            stem = resolve_stem(reference, common)
            name = f"{reference.step}.{stem}"
            references = [Reference(member.step, stem) for member in references]
        if name not in self.mixed:
            mixed = Mixed(step, stem, tuple(self._want(each) for each in references))
            self.mixed[name] = mixed
            self.order.append(name)
            self._models[name] = frozenset().union(*map(self.models_before, mixed.inputs))
        return Reference(name)

    def models_before(self, reference: Reference) -> frozenset[str]:
        """The steps with a model whose stems a reference is made of."""
        if reference.step in self.mixed:
            return self._models[reference.step]
        return frozenset() if reference.step == MIX else frozenset({reference.step})


def blend_of(mixed: Mixed) -> Callable[[int], Blend]:
    """What makes one stem of several, for a sample rate."""
    step, count = mixed.step, len(mixed.inputs)
    match step:
        case SumStep():
            return lambda _: Sum([1.0] * count)
        case SubtractStep() | ResidualStep():
            return lambda _: Sum([1.0] + [-1.0] * (count - 1))
        case GainStep():
            return lambda _: Sum([10 ** (step.db / 20)])
        case BandsStep():
            return lambda rate: SpectrumBlend(count, crossover(step.at_hz, rate, BANDS_FRAME), BANDS_FRAME)
        case PhaseFixStep():
            return lambda rate: SpectrumBlend(2, with_phases(step.low_hz, step.high_hz, rate, FRAME))
        case EnsembleStep():
            weights = step.weights
            if isinstance(weights, dict):
                weights = next(
                    (each for stem, each in weights.items() if stem.casefold() == mixed.stem.casefold()), None
                )
            return partial(combined, step.algorithm, weights or [1.0] * count)
    raise TypeError(f"no rule to combine a {type(step).__name__}")


def _written(request: DsuSeparate, output: RecipeOutput) -> DsuSeparate:
    """The request for one output. One that has a format of its own has the usual samples of that, unless it says so."""
    changes: dict[str, object] = {}
    if output.format is not None:
        changes |= {"format": output.format, "pcm_type": None, "subtype": None, "bitrate": None}
    if output.pcm_type is not None:
        changes |= {"pcm_type": output.pcm_type, "subtype": None}
    if output.bitrate is not None:
        changes["bitrate"] = output.bitrate
    if output.file is not None:
        folder = PurePosixPath(request.template_of(None)).parent
        changes["name_template"] = str(folder / safe_name(output.file).replace("{", "{{").replace("}", "}}"))
    return msgspec.structs.replace(request, **changes)


class PassPlan:
    """Where each stem is made and needed, for steps in passes."""

    def __init__(self, wiring: Wiring, passes: Sequence[Sequence[str]]) -> None:
        self._place = {step: number for number, steps in enumerate(passes) for step in steps}
        for name in wiring.order:
            if name in wiring.mixed:
                self._place[name] = max(self.made_in(each) for each in wiring.mixed[name].inputs)
        self._needed: dict[Reference, set[int]] = {}
        for step, heard in wiring.inputs.items():
            self._needed.setdefault(heard, set()).add(self._place[step])
        for name, mixed in wiring.mixed.items():
            for each in mixed.inputs:
                self._needed.setdefault(each, set()).add(self.made_in(Reference(name)))
        for each in wiring.results.values():
            self._needed.setdefault(each, set()).add(len(passes) - 1)

    def made_in(self, reference: Reference) -> int:
        return self._place.get(reference.step, 0)

    def recorded_in(self, number: int) -> list[Reference]:
        """The stems of a pass that a later one needs."""
        return [
            each
            for each, needed in self._needed.items()
            if each.step != MIX and self.made_in(each) == number and max(needed) > number
        ]

    def played_in(self, number: int) -> list[Reference]:
        """The stems of earlier passes that a pass needs."""
        return [
            each
            for each, needed in self._needed.items()
            if each.step != MIX and self.made_in(each) < number and number in needed
        ]


def _named(tap: Tap) -> str:
    return f"{tap.step}.{tap.stem}"


class RecipeRun:
    """One song through a recipe."""

    def __init__(
        self, workshop: Workshop, checked: CheckedRecipe, request: DsuSeparate, track: Track, job: Job
    ) -> None:
        self._workshop = workshop
        self._checked = checked
        self._request = request
        self._track = track
        self._job = job
        own = next((name for name, each in checked.recipe.outputs.items() if each.format or each.file), None)
        if request.audio_format in JOINT_FORMATS and own is not None:
            raise wrong(
                f"`{request.audio_format}` holds all outputs in one file, so `{own}` cannot have one of its own.",
                *("outputs", own),
            )
        self._wiring = Wiring(checked)
        self.sources = self._resolved()
        self._facts: dict[str, StepFacts] = {}
        self._stems: dict[Reference, str] = {}  # of steps with a model, as those spell them
        self._listening: set[str] = set()  # steps that have to hear all of a stem, because it may be silent
        self._longest_chunk_s: dict[str, float] = {}
        self._budget_bytes = workshop.cache.max_bytes
        self._from_cache = True
        self._load_s = 0.0
        self._begun = False
        self._settings: dict[str, object] = {}
        self._chunks_s: dict[str, float] = {}
        self._scans: dict[tuple[int, int], AudioStats] = {}

    def _resolved(self) -> dict[str, ModelSource]:
        """The models of the steps, with their files present. All that are missing are one error."""
        found: dict[str, ModelSource] = {}
        missing: list[ModelNotInstalled] = []
        for step in self._wiring.wanted:
            try:
                with in_step(step):
                    (found[step],) = self._workshop.resolve(self._asked(step), self._job)
            except ModelError as error:
                error.field = f"recipe.steps.{step}.{error.field or 'model'}"
                if not isinstance(error, ModelNotInstalled):
                    raise
                missing.append(error)
        if len(missing) > 1:
            names = ", ".join(f"`{self._checked.uses[error.step or ''].name}`" for error in missing)
            raise ModelNotInstalled(
                f"The recipe needs models that are not installed: {names}.",
                hint='Fetch each with {"cmd":"download_model","model":NAME}.',
                field=missing[0].field,
            ) from missing[0]
        if missing:
            raise missing[0]
        return found

    @property
    def document(self) -> dict[str, object]:
        return self._checked.recipe.document

    def _asked(self, step: str) -> Separate:
        """The request of a step, with what the request for the recipe says for all of them."""
        own, whole = self._checked.uses[step].request, self._request
        return msgspec.structs.replace(
            own,
            batch_size=own.batch_size or whole.batch_size,
            precision=whole.precision if own.precision == "auto" else own.precision,
            seed=own.seed or whole.seed,
        )

    # Running --------------------------------------------------------------------------------------------------------

    def separate(self, halfway: Halfway | None = None) -> replies.Done:
        """Write the files of the recipe. With `halfway`, an earlier try's finished passes are not run again."""
        with halfway or nullcontext() as kept:
            return self._separate_until_it_works(kept)

    def _separate_until_it_works(self, halfway: Halfway | None) -> replies.Done:
        for step in self._checked.recipe.unused:
            self._job.warn(f"No output needs the step `{step}`, so it was left out.")
        while True:
            try:
                with self._workshop.cache.lease() as lease:
                    return self._separate(lease, halfway)
            except SilentStem as silent:
                self._listening.add(silent.step)
            except OutOfMemory as error:
                self._make_room(error)

    def _make_room(self, error: OutOfMemory) -> None:
        """Prepare for another try with less memory, or raise the error."""
        if self._budget_bytes and len({fact.model for fact in self._facts.values()}) > 1:
            self._budget_bytes = 0
            self._job.warn("Memory ran out; the models of the recipe run one after another.")
            return
        chunk_s = self._chunks_s.get(error.step or "")
        if chunk_s is None or chunk_s / 2 < SHORTEST_CHUNK_S:
            raise error
        self._longest_chunk_s[error.step or ""] = chunk_s / 2
        self._job.warn("Memory ran out; the separation restarted with chunks half as long.")

    def _separate(self, lease: Lease, halfway: Halfway | None) -> replies.Done:
        self._measure(lease)
        hears = {
            step: None if heard.step == MIX else self._wiring.models_before(heard)
            for step, heard in self._wiring.inputs.items()
        }
        facts = {
            step: replace(fact, listens_first=fact.listens_first or step in self._listening)
            for step, fact in self._facts.items()
        }
        passes = plan_passes(facts, hears, self._budget_bytes)
        plan = PassPlan(self._wiring, passes)
        self._job.announce(replies.Separating(input=self._track.path.name))
        self._begun = False
        keep = None if halfway is None else lambda tap, part: halfway.keep(_named(tap), part)
        with Recorder(Path(self._request.folder).expanduser().absolute(), keep) as recorder:
            recorded: dict[Reference, Track] = {}
            for number in range(len(passes) - 1):
                kept = {self._tap(each): each for each in plan.recorded_in(number)}
                found = {tap: halfway.find(_named(tap)) for tap in kept} if halfway is not None else {}
                left = {kept[tap]: recorded_track(path) for tap, path in found.items() if path is not None}
                if left and len(left) == len(kept):
                    recorded |= left
                    continue
                stream = GraphStream(self._graph(plan, passes, number, lease, recorded), self._track, self._job)
                recorded |= {kept[tap]: track for tap, track in recorder.record(stream, kept).items()}
                del stream  # which holds the models
            arrangement = self._graph(plan, passes, len(passes) - 1, lease, recorded)
            loaded = ModelLoad(self._load_s, from_cache=self._from_cache)
            return write_stems(self._request, arrangement, self._track, loaded, self._job)

    # Models ---------------------------------------------------------------------------------------------------------

    def _measure(self, lease: Lease) -> None:
        """Read each model once, for what has to be known of all before any runs. As long as they fit they stay loaded."""
        for step in self._wiring.wanted:
            if step in self._facts:
                continue
            if size_of(self._facts, self._facts) > self._budget_bytes:
                lease.release()
            try:
                arrangement = self._arranged(step, lease)
            except OutOfMemory:
                if not lease.models:
                    raise
                lease.release()
                self._budget_bytes = 0
                arrangement = self._arranged(step, lease)
            file_rate = arrangement.file_rate
            self._facts[step] = StepFacts(
                self.sources[step].identifier,
                lease.models[self.sources[step].identifier].size_bytes(),
                arrangement.listens_first,
                arrangement.stem_rate,
                arrangement.channels,
                file_rate if isinstance(file_rate, int) else None,
            )

    def _arranged(self, step: str, lease: Lease) -> Arrangement:
        """The model of a step, at work on what the step hears."""
        started = time.perf_counter()
        with in_step(step):
            arrangement = self._arrange(step, lease)
        self._load_s += time.perf_counter() - started
        return arrangement

    def _arrange(self, step: str, lease: Lease) -> Arrangement:
        request, source = self._asked(step), self.sources[step]
        model = lease.get(source)
        if model is None:
            self._from_cache = False
            model = self._workshop.load(source, request, lease, self._job, announced=True)
        family = self._workshop.family(source.family)
        selection = self._select(step, family.offer(model, request))
        arrangement = family.arrange(
            model,
            request,
            selection,
            self._track_of(step),
            self._job,
            longest_chunk_s=self._longest_chunk_s.get(step),
        )
        self._settings[step] = {"model": arrangement.model, **arrangement.settings}
        if arrangement.chunk_s is not None:
            self._chunks_s[step] = arrangement.chunk_s
        return replace(arrangement, free_memory=lease.release_others)

    def _select(self, step: str, offer: Offer) -> Selection:
        """The stems that others need of a step. Raises `InvalidRequest` for those that its model does not have."""
        count = len(offer.stems)
        made = {
            complement.name: complement
            for complement in (Complement(REST, tuple(range(count))), offer.complement)
            if complement
        }
        stems = (*offer.stems, *(name for name in reversed(made) if offer.index_of(name) is None))
        outputs: dict[str, Output] = {}
        for reference in self._wiring.wanted[step]:
            stem = self._stems[reference] = resolve_stem(reference, stems, "steps", step)
            index = offer.index_of(stem)
            unit = tuple(float(place == index) for place in range(count))
            outputs[stem] = Output(stem, unit) if index is not None else made[stem].output(count)
        needed = tuple(index for index in range(count) if any(output.weights[index] for output in outputs.values()))
        return Selection(tuple(outputs.values()), needed)

    def _track_of(self, step: str) -> Track:
        """The song as a model's family sees it: with the form of what the step hears."""
        heard = self._wiring.inputs[step]
        if heard.step == MIX:
            return self._track
        before = [self._facts[each] for each in self._wiring.models_before(heard)]
        info = replace(
            self._track.info,
            sample_rate=max((fact.sample_rate for fact in before), default=self._track.info.sample_rate),
            channels=max((fact.channels for fact in before), default=min(self._track.info.channels, STEREO)),
        )
        return replace(self._track, info=info)

    # Graphs ---------------------------------------------------------------------------------------------------------

    def _tap(self, reference: Reference) -> Tap:
        if reference.step == MIX:
            return SONG
        return Tap(reference.step, self._stems.get(reference, reference.step))

    def _graph(
        self,
        plan: PassPlan,
        passes: Sequence[Sequence[str]],
        number: int,
        lease: Lease,
        recorded: Mapping[Reference, Track],
    ) -> GraphArrangement:
        """One pass as an arrangement, with its models loaded."""
        if size_of(self._facts, self._facts) > self._budget_bytes:
            lease.release()
        facts = self._facts.values()
        rate = max((fact.sample_rate for fact in facts), default=self._track.info.sample_rate)
        steps: dict[str, GraphStep] = {}
        for reference in plan.played_in(number):
            track, tap = recorded[reference], self._tap(reference)
            before = steps.get(tap.step)
            stems = {**(before.stems if isinstance(before, Recording) else {}), tap.stem: track}
            steps[tap.step] = Recording(stems, track.info.sample_rate, track.info.channels)
        arrangements: list[Arrangement] = []
        for name in self._wiring.order:
            if name in self._wiring.mixed:
                if plan.made_in(Reference(name)) == number:
                    mixed = self._wiring.mixed[name]
                    steps[name] = Mixing(tuple(map(self._tap, mixed.inputs)), blend_of(mixed))
            elif name in passes[number]:
                arrangements.append(self._arranged(name, lease))
                steps[name] = Separation(arrangements[-1], self._tap(self._wiring.inputs[name]), self._work([name]))
        self._workshop.cache.trim()  # a model that is read in parts may have grown
        recipe = self._checked.recipe
        host = self._workshop.host
        file_rate = max((fact.file_rate or 0 for fact in facts), default=0)
        begins, self._begun = not self._begun, True
        return GraphArrangement(
            begins=begins,
            model=recipe.name,
            sample_rate=rate,
            channels=max((fact.channels for fact in facts), default=min(self._track.info.channels, STEREO)),
            selection=Selection(tuple(Output(name, ()) for name in recipe.outputs), ()),
            lanes=lambda _: [],
            compute=arrangements[0].compute if arrangements else Compute(host.device, host.threads),
            settings={"recipe": recipe.name, "passes": [list(each) for each in passes], "steps": dict(self._settings)},
            file_rate=file_rate if file_rate > rate else None,
            steps=steps,
            requests={name: _written(self._request, output) for name, output in recipe.outputs.items()},
            results={name: self._tap(each) for name, each in self._wiring.results.items()},
            earlier_work=sum(self._work(each) for each in passes[:number]),
            later_work=sum(self._work(each) for each in passes[number + 1 :]),
            scans=self._scans,
        )

    def _work(self, steps: Iterable[str]) -> float:
        """How much of the whole these steps are."""
        return float(sum(max(self._facts[step].size_bytes, 1) for step in steps))
