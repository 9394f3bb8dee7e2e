"""Which networks a request of dsu-bsroformer asks for: one by name, one by its files, or several.

What contradicts itself is refused before anything is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from utils.core.errors import InvalidRequest
from utils.core.requests import NetworkLoad, NetworkMember, NetworkSeparate


@dataclass(frozen=True)
class OwnFiles:
    """A network by its files."""

    model_path: str
    config_path: str
    model_type: str | None


Choice = str | OwnFiles | None  # None is the worker's default


def check_choice(request: NetworkLoad | NetworkSeparate) -> None:
    """Raise what is wrong with the choice in a request."""
    choice_of(request)
    if isinstance(request, NetworkSeparate):
        choices_of(request)
        weights_of(request)


def choices_of(request: NetworkSeparate) -> list[Choice]:
    """All networks of a job."""
    if request.ensemble is None:
        return [choice_of(request)]
    if request.model or request.model_path:
        other = "model" if request.model else "model_path"
        raise InvalidRequest(f"Give either `ensemble` or `{other}`, not both.", field="ensemble")
    return [_member(member) for member in request.ensemble]


def choice_of(request: NetworkLoad | NetworkSeparate) -> Choice:
    """The network that is named, or None."""
    if request.model_path:
        if request.model:
            raise InvalidRequest(
                "Give either `model` or `model_path` with `config_path`, not both.", field="model_path"
            )
        if not request.config_path:
            raise InvalidRequest("`model_path` needs the network's YAML file in `config_path`.", field="config_path")
        return OwnFiles(request.model_path, request.config_path, request.model_type)
    for field in ("config_path", "model_type"):
        if getattr(request, field):
            raise InvalidRequest(
                f"`{field}` belongs to a network of your own; its checkpoint goes into `model_path`.", field=field
            )
    return request.model or None


def weights_of(request: NetworkSeparate) -> list[float] | None:
    """What the members count in an average, summing to one; None if there is no ensemble."""
    given = request.ensemble_weights
    if request.ensemble is None:
        if given is not None:
            raise InvalidRequest("`ensemble_weights` needs the members in `ensemble`.", field="ensemble_weights")
        return None
    count = len(request.ensemble)
    if given is None:
        return [1 / count] * count
    if not request.ensemble_type.startswith("avg"):
        raise InvalidRequest(
            f"`ensemble_weights` counts in averages; `{request.ensemble_type}` has none.", field="ensemble_weights"
        )
    if len(given) != count or sum(given) <= 0:
        raise InvalidRequest(
            f"`ensemble_weights` must have {count} numbers, one for each member, not all of them 0.",
            field="ensemble_weights",
        )
    return [weight / sum(given) for weight in given]


def _member(member: str | NetworkMember) -> Choice:
    if isinstance(member, str):
        return member
    return OwnFiles(member.model_path, member.config_path, member.model_type)
