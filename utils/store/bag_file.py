"""The demucs package's bag files: YAML that lists the signatures of networks, their weights, and a segment."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from utils.core.errors import ConfigInvalid
from utils.core.requests import SHORTEST_S
from utils.core.typed import convert
from utils.store.plain_files import open_file

LARGEST_BYTES = 16 << 10  # far more than any bag needs, too little to exhaust memory


class BagFile(msgspec.Struct, frozen=True):
    """What a bag file says. How many stems a row of weights must have is only known once a network has been read."""

    models: Annotated[tuple[str, ...], Meta(min_length=1)]
    weights: tuple[tuple[float, ...], ...] | None = None
    segment: Annotated[float, Meta(ge=SHORTEST_S)] | None = None


def read_bag(path: Path) -> BagFile:
    """Read and check a bag file. Raises `ConfigInvalid`, which says what is wrong in it."""
    import yaml

    try:
        with open_file(path) as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigInvalid(f"The bag `{path.name}` cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_BYTES:
        raise ConfigInvalid(f"`{path.name}` is too large for a bag; the limit is {LARGEST_BYTES} bytes.")
    try:
        bag = convert(yaml.safe_load(content), BagFile)
    except msgspec.ValidationError as error:
        raise ConfigInvalid(
            f"The bag `{path.name}` is malformed: {error}.",
            hint="It needs `models: ['SIGNATURE', ...]`, and may have `weights: [[...], ...]` and `segment: SECONDS`.",
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigInvalid(f"The bag `{path.name}` is not valid YAML: {reason}.") from error
    problem = None
    if bag.segment is not None and not math.isfinite(bag.segment):
        problem = "`segment` must be a finite number of seconds"
    elif bag.weights is not None:
        problem = _problem(bag.weights, len(bag.models))
    if problem is not None:
        raise ConfigInvalid(f"The bag `{path.name}` is malformed: {problem}.")
    return bag


def _problem(weights: tuple[tuple[float, ...], ...], rows: int) -> str | None:
    if len(weights) != rows:
        return f"`weights` has {len(weights)} rows for {rows} models"
    if len({len(row) for row in weights}) != 1 or not weights[0]:
        return "each row of `weights` must have one number per stem"
    if not all(math.isfinite(weight) and weight >= 0 for row in weights for weight in row):
        return "`weights` must be numbers of 0 or more"
    if not all(sum(column) > 0 for column in zip(*weights, strict=True)):
        return "each stem (column of `weights`) needs a weight above 0"
    return None
