"""The outputs of a job, each a weighted sum of the model's stems and the mix. Pure numbers.

A plain stem has weight one; `no_vocals` is the mix minus the vocals, or the sum of the other stems. Stems that no
output needs are not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.core.errors import InvalidRequest, did_you_mean, nearest
from utils.engine.pipeline.song import Samples


@dataclass(frozen=True)
class Output:
    """One file: `sum(stems * weights) + mix * mix_weight`."""

    name: str
    weights: tuple[float, ...]  # one per stem of the model
    mix_weight: float = 0.0

    def render(self, stems: Samples, mix: Samples) -> Samples:
        """The output's samples. `stems` is (stems, channels, n), `mix` (channels, n)."""
        used = [(weight, stems[i]) for i, weight in enumerate(self.weights) if weight]
        if self.mix_weight:
            used.append((self.mix_weight, mix))
        if len(used) == 1 and used[0][0] == 1.0:
            only: Samples = used[0][1]
            return only
        total = np.zeros_like(mix)
        for weight, samples in used:
            total += weight * samples
        return total


@dataclass(frozen=True)
class Selection:
    """The outputs of a job, and the model's stems that they need."""

    outputs: tuple[Output, ...]
    needed: tuple[int, ...]  # indices of the model's stems, in order

    @property
    def names(self) -> list[str]:
        return [output.name for output in self.outputs]

    def narrowed(self) -> Selection:
        """The same outputs in terms of the needed stems only, for networks that compute just those."""
        outputs = tuple(
            Output(output.name, tuple(output.weights[i] for i in self.needed), output.mix_weight)
            for output in self.outputs
        )
        return Selection(outputs, tuple(range(len(self.needed))))


@dataclass(frozen=True)
class Complement:
    """An additional output of a model: the mix minus some of its stems or, if `reversed`, those stems minus the mix."""

    name: str
    without: tuple[int, ...]  # the stems to subtract
    reversed: bool = False

    def output(self, count: int) -> Output:
        sign = -1.0 if self.reversed else 1.0
        return Output(self.name, tuple(-sign * (i in self.without) for i in range(count)), mix_weight=sign)


@dataclass(frozen=True)
class Offer:
    """The stems that a model can produce for a request."""

    stems: tuple[str, ...]
    complement: Complement | None = None
    with_complement: bool = False  # the request wants it in addition to the stems
    other_method: str = "minus"  # how to make the rest for `two_stems`
    rest_name: str | None = None  # what to call it; None is `no_STEM`

    def index_of(self, stem: str) -> int | None:
        """The index of a stem, ignoring case; None if the model does not have it."""
        return next((index for index, own in enumerate(self.stems) if own.lower() == stem.lower()), None)

    def select(self, *, stems: Sequence[str] | None, two_stems: str | None) -> Selection:
        """The outputs of a request. Raises `InvalidRequest` for stems that the model does not have."""
        return select(
            self.stems,
            stems=stems,
            two_stems=two_stems,
            other_method=self.other_method,
            rest_name=self.rest_name,
            complement=self.complement,
            with_complement=self.with_complement,
        )


def select(
    model_stems: Sequence[str],
    *,
    stems: Sequence[str] | None,
    two_stems: str | None,
    other_method: str = "minus",
    rest_name: str | None = None,
    complement: Complement | None = None,
    with_complement: bool = False,
) -> Selection:
    """Determine the outputs of a request.

    Args:
        model_stems: the stems of the model, in its order.
        stems: names of stems to write, or None for all.
        two_stems: write this stem, and the rest.
        other_method: the rest is `minus` (mix minus the stem), `add` (sum of the others) or `none` (not written).
        rest_name: what the rest is called; None is `no_STEM`.
        complement: an output that `stems` may name besides the model's own stems.
        with_complement: write the complement in any case. It replaces a stem of the same name.
    """
    if stems is not None and two_stems is not None:
        raise InvalidRequest("Use either `stems` or `two_stems`, not both.", field="two_stems")
    if complement is not None and stems is not None:
        name = complement.name.casefold()
        if name in {stem.casefold() for stem in stems} - {stem.casefold() for stem in model_stems}:
            with_complement = True
            stems = [stem for stem in stems if stem.casefold() != name]
    if two_stems is not None:
        index = _find(two_stems, model_stems, "two_stems")
        outputs = _stem_and_rest(model_stems, index, other_method, rest_name or f"no_{model_stems[index]}")
    elif stems == [] and with_complement:
        outputs = []
    elif stems is None:
        outputs = [Output(stem, _unit(i, len(model_stems))) for i, stem in enumerate(model_stems)]
    elif not stems:
        raise InvalidRequest("`stems` is empty; leave it out to get all stems.", field="stems")
    else:
        indices = sorted({_find(stem, model_stems, "stems") for stem in stems})
        outputs = [Output(model_stems[i], _unit(i, len(model_stems))) for i in indices]
    if complement is not None and with_complement:
        outputs = [output for output in outputs if output.name.casefold() != complement.name.casefold()]
        outputs.append(complement.output(len(model_stems)))
    needed = tuple(i for i in range(len(model_stems)) if any(output.weights[i] for output in outputs))
    return Selection(tuple(outputs), needed)


def _stem_and_rest(model_stems: Sequence[str], index: int, method: str, name: str) -> list[Output]:
    count = len(model_stems)
    own = Output(model_stems[index], _unit(index, count))
    if method == "none":
        return [own]
    if method == "add":
        return [own, Output(name, tuple(float(i != index) for i in range(count)))]
    return [own, Output(name, tuple(-float(i == index) for i in range(count)), mix_weight=1.0)]


def _unit(index: int, count: int) -> tuple[float, ...]:
    return tuple(float(i == index) for i in range(count))


def _find(name: str, model_stems: Sequence[str], field: str) -> int:
    by_lower = {stem.lower(): i for i, stem in enumerate(model_stems)}
    if name.lower() not in by_lower:
        near = nearest(name, model_stems)
        raise InvalidRequest(
            f"This model has no stem `{name}`; it has {', '.join(model_stems)}.{did_you_mean(near)}",
            suggestions=near or list(model_stems),
            field=field,
        )
    return by_lower[name.lower()]
