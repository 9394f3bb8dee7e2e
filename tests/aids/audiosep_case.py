"""The golden cases of ResUNet30 and small files of AudioSep, for the tests of these."""

import gzip
import importlib.util
import json

import golden
import numpy as np
import pytest
import torch

from utils.store.checkpoints import assign, read_checkpoint, unwrap_state


def golden_shapes(name):
    """Every key of a case's checkpoint with its shape."""
    packed = golden.FOLDER / name / "state_dict.json.gz"
    if packed.is_file():
        with gzip.open(packed, "rt", encoding="utf-8") as file:
            return {key: shape for key, (shape, _) in json.load(file).items()}
    return {key: list(tensor.shape) for key, tensor in golden_state(name).items()}


def golden_state(name):
    """A case's weights; those of the full-size one are made by its recipe."""
    folder = golden.FOLDER / name
    if (folder / "checkpoint.ckpt").is_file():
        return torch.load(folder / "checkpoint.ckpt", map_location="cpu", weights_only=True)
    spec = importlib.util.spec_from_file_location("weights_recipe", folder / "weights_recipe.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    shapes = golden_shapes(name)
    made = {key: torch.from_numpy(values) for key, values in recipe.weights(shapes).items()}
    return {key: made.get(key, torch.tensor(0)) for key in shapes}


def golden_forward(name):
    """A case's input, its condition, and what must come out."""
    arrays = np.load(golden.FOLDER / name / "forward.npz")
    return tuple(torch.from_numpy(arrays[key]) for key in ("chunk", "condition", "output"))


CASES = golden.case_names("audiosep_resunet30")
FULL_SIZE = [name for name in CASES if isinstance(name, str) and not name.endswith("tiny")] or [
    pytest.param("", id="absent", marks=pytest.mark.skip(reason=golden.ABSENT))
]


def fill(net, path):
    """Give a network, built without data, its tensors from a file, as the engine does."""
    content = read_checkpoint(path, allow=net.PICKLED_WITH)
    assign(net, net.complete_state(unwrap_state(content, path)), path=path)
