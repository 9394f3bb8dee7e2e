"""The golden reference data: where it lies, and its cases and full-size models as values for tests.

It is not part of the repository. `DSU_GOLDEN` names its folder; without it, `shared/golden` beside the repository is
looked at. Tests over cases that are not there are skipped with that reason.
"""

import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("DSU_GOLDEN", REPOSITORY.parent / "shared" / "golden"))
ABSENT = f"the golden reference data is not in {FOLDER}; set DSU_GOLDEN to its folder"
TOLERANCE = 1e-4


class _Loader(yaml.SafeLoader):
    """A safe loader that also knows the one Python tag that public configurations use."""


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", lambda loader, node: tuple(loader.construct_sequence(node)))


@dataclass(frozen=True)
class Case:
    """A small instance of a network: its configuration, weights, one input and what must come out of it."""

    config: Mapping[str, Any]
    state: dict[str, Tensor]
    chunk: Tensor
    output: Tensor


def read_config(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


def read_case(name: str) -> Case:
    folder = FOLDER / name
    arrays = np.load(folder / "forward.npz")
    return Case(
        config=read_config(folder / "config.yaml"),
        state=torch.load(folder / "checkpoint.ckpt", map_location="cpu", weights_only=True),
        chunk=torch.from_numpy(arrays["chunk"]),
        output=torch.from_numpy(arrays["output"]),
    )


def case_names(model_type: str) -> list[Any]:
    """The cases of a network, to parametrise a test over; one skipped entry where the data is absent."""
    metas = sorted(FOLDER.glob("*/meta.json"))
    names = [meta.parent.name for meta in metas if _json(meta)["model_type"] == model_type]
    return names or [pytest.param("", id="absent", marks=pytest.mark.skip(reason=ABSENT))]


def full_size_names(model_type: str) -> list[Any]:
    """The public models of a network, to parametrise a test over; one skipped entry where the data is absent."""
    index = FOLDER / "full_size" / "index.json"
    models = _json(index)["models"] if index.is_file() else {}
    names = [name for name, model in models.items() if model["model_type"] == model_type]
    return names or [pytest.param("", id="absent", marks=pytest.mark.skip(reason=ABSENT))]


def full_size_config(name: str) -> dict[str, Any]:
    return read_config(FOLDER / "full_size" / f"{name}.yaml")


def full_size_shapes(name: str) -> dict[str, list[int]]:
    """Every key of a public checkpoint with its shape."""
    with gzip.open(FOLDER / "full_size" / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        return {key: shape for key, (shape, _) in json.load(file)["state_dict"].items()}


def full_size_value_count(name: str) -> int:
    """The number of a public model's values, tensors that several layers share counted once."""
    with gzip.open(FOLDER / "full_size" / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)["n_params"]


def shapes(net: nn.Module) -> dict[str, list[int]]:
    return {key: list(tensor.shape) for key, tensor in net.state_dict().items()}


def largest_difference(ours: Tensor, reference: Tensor) -> float:
    """The largest absolute difference; a reference without an axis for its only stem is given one."""
    return float((ours - reference.reshape(ours.shape)).abs().max())


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
