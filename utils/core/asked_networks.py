"""Which networks a request to dsu-bsroformer names: one by its name or by its files, or an ensemble of both kinds.

Requests that contradict themselves are refused before any file is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from utils.core.errors import InvalidRequest
from utils.core.requests import NetworkLoad, NetworkSeparate


@dataclass(frozen=True)
class OwnFiles:
    """A network given by its files."""

    model_path: str
    config_path: str
    model_type: str | None


Choice = str | OwnFiles | None  # None is the worker's default


def check_choice(request: NetworkLoad | NetworkSeparate) -> None:
    """Raise `InvalidRequest` if the fields that choose networks contradict each other."""
    choice_of(request)
    if isinstance(request, NetworkSeparate):
        choices_of(request)
        weights_of(request)


def choices_of(request: NetworkSeparate) -> list[Choice]:
    """All networks of a separation."""
    if request.ensemble is None:
        return [choice_of(request)]
    if request.model or request.model_path:
        other = "model" if request.model else "model_path"
        raise InvalidRequest(f"Give either `ensemble` or `{other}`, not both.", field="ensemble")
    return [
        member if isinstance(member, str) else OwnFiles(member.model_path, member.config_path, member.model_type)
        for member in request.ensemble
    ]


def choice_of(request: NetworkLoad | NetworkSeparate) -> Choice:
    """The one network of a request."""
    if request.model_path:
        if request.model:
            raise InvalidRequest(
                "Give either `model` or `model_path` with `config_path`, not both.", field="model_path"
            )
        if not request.config_path:
            raise InvalidRequest(
                "`model_path` needs the network's YAML configuration in `config_path`.", field="config_path"
            )
        return OwnFiles(request.model_path, request.config_path, request.model_type)
    for field in ("config_path", "model_type"):
        if getattr(request, field):
            raise InvalidRequest(
                f"`{field}` is only for your own network; give its checkpoint in `model_path`.", field=field
            )
    return request.model or None


def weights_of(request: NetworkSeparate) -> list[float] | None:
    """The weights of an ensemble's members, normalized to a sum of 1; None without an ensemble."""
    given = request.ensemble_weights
    if request.ensemble is None:
        if given is not None:
            raise InvalidRequest("`ensemble_weights` needs an `ensemble`.", field="ensemble_weights")
        return None
    count = len(request.ensemble)
    if given is None:
        return [1 / count] * count
    if not request.ensemble_type.startswith("avg"):
        raise InvalidRequest(
            f"`ensemble_weights` applies to averages only; `{request.ensemble_type}` has no weights.",
            field="ensemble_weights",
        )
    if len(given) != count or sum(given) <= 0:
        raise InvalidRequest(
            f"`ensemble_weights` must have {count} numbers, one for each member, and at least one above 0.",
            field="ensemble_weights",
        )
    return [weight / sum(given) for weight in given]
