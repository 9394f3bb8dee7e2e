"""Checkpoints of the demucs package whose arguments cannot be believed: each is one error, before anything is built."""

from __future__ import annotations

import pickle
import zipfile
from fractions import Fraction

import pytest
import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs

from models.blocks.demucs_layers import LongConvTranspose1d
from utils.core.errors import CheckpointInvalid, CheckpointMismatch, ModelError
from utils.engine.families.demucs.package import load_net


class EndlessFraction:
    """Pickled as the fraction of a text."""

    def __init__(self, text):
        self._text = text

    def __reduce__(self):
        return Fraction, (self._text,)


def load(path, *, klass=HDemucs, args=(["drums", "vocals"],), kwargs=None, state=None, zipped=True):
    package = {"klass": klass, "args": args, "kwargs": {} if kwargs is None else kwargs, "state": state or {}}
    torch.save(package, path, _use_new_zipfile_serialization=zipped)
    return load_net(path, mapped=True, allow_unsafe=False)


@pytest.mark.parametrize("text", ["1e1000000000000", "9" * 100_000, "1/0", "nan", ""])
def test_fractions_are_never_computed_from_what_a_file_says(tmp_path, text):
    """A fraction that would take for ever, or is none, is an argument that does not fit."""
    with pytest.raises(CheckpointMismatch, match="one is not a fraction"):
        load(tmp_path / "a.th", kwargs={"segment": EndlessFraction(text)})


@pytest.mark.parametrize(
    "kwargs",
    [
        {"channels": 4096},
        {"depth": 100_000},
        {"dconv_depth": 100_000, "channels": 4},
        {"channels": 1 << 60},
        {"samplerate": 10**9},
        {"samplerate": 0},
        {"segment": 10**9},
        {"segment": float("nan")},
        {"nfft": -1},
        {"nfft": [[[[[1]]]]]},
        {"audio_channels": "two"},
        {"context": {"a": 1}},
    ],
)
@pytest.mark.parametrize("klass", [HDemucs, Demucs])
def test_arguments_beyond_those_of_any_network(tmp_path, klass, kwargs):
    """They are an error before a network of that size is built; those that a class does not know, it does not get."""
    with pytest.raises(ModelError, match=r"a\.th"):
        load(tmp_path / "a.th", klass=klass, kwargs=kwargs)


@pytest.mark.parametrize(
    "parts",
    [{"kwargs": ["channels"]}, {"args": {"sources": 1}}, {"state": ["weight"]}, {"args": ()}, {"args": ("drums",)}],
)
def test_parts_of_other_types(tmp_path, parts):
    """Lists and names in the wrong places are said to be wrong."""
    with pytest.raises((CheckpointInvalid, CheckpointMismatch), match=r"a\.th"):
        load(tmp_path / "a.th", **parts)


def test_file_of_some_hundred_bytes(tmp_path):
    """Nothing is reserved for what a bare pickle in an archive claims."""
    path = tmp_path / "a.th"
    package = {"klass": HDemucs, "args": (["a"],), "kwargs": {"segment": EndlessFraction("1e9999999")}, "state": {}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(package, protocol=2))
    with pytest.raises(CheckpointMismatch):
        load_net(path, mapped=True, allow_unsafe=False)


@pytest.mark.parametrize("zipped", [True, False])
def test_usual_package(tmp_path, zipped):
    """A package as the demucs package saves it becomes its network, with its fraction; also in torch's old format, which has
    the source code of the network's class.
    """
    kwargs = {"channels": 4, "depth": 2, "nfft": 64, "segment": Fraction(39, 5)}
    net = HDemucs(["drums", "vocals"], **kwargs)
    loaded = load(tmp_path / "a.th", kwargs=kwargs, state=torch.nn.Module.state_dict(net), zipped=zipped)
    assert loaded.segment_s == Fraction(39, 5)
    assert loaded.stems == ("drums", "vocals")


def test_the_longest_layers_compute_part_by_part(tmp_path):
    """So that a job can be cancelled in them."""
    kwargs = {"channels": 4, "depth": 2, "nfft": 64}
    state = torch.nn.Module.state_dict(HDemucs(["drums", "vocals"], **kwargs))
    layers = load(tmp_path / "a.th", kwargs=kwargs, state=state).backend._net.modules()
    assert any(isinstance(layer, LongConvTranspose1d) for layer in layers)
