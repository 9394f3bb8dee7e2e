"""Small files that would take all time or memory if they were believed: each is one error, at once."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import pytest
import torch

from utils.core.errors import CheckpointInvalid, CheckpointUnsafe
from utils.store.checkpoints import read_checkpoint, unwrap_state
from utils.store.pickles import LARGEST_BYTES, Made, read_pickle


class Makes:
    """Pickled as a call."""

    def __init__(self, function, *args):
        self._call = (function, args)

    def __reduce__(self):
        return self._call


def packed(path, content, **options):
    """A checkpoint with this pickle, and nothing else."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3")
    return path


def test_nothing_is_made_of_what_is_harmless(tmp_path):
    """A class that checkpoints may name is not called: eight gigabytes are a number, as long as nobody asks for them."""
    path = packed(tmp_path / "a.th", pickle.dumps({"buffer": Makes(bytearray, 8 << 30)}, protocol=2))
    made = read_checkpoint(path)["buffer"]
    assert isinstance(made, Made)
    assert made.arguments == (8 << 30,)


def test_pickle_that_grows_when_it_is_read(tmp_path):
    """A compressed pickle is read up to a limit, whatever size it states."""
    content = pickle.dumps(b"") + bytes(LARGEST_BYTES)
    path = packed(tmp_path / "a.th", content, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointInvalid, match="too large"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",  # a byte array of a terabyte
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".",  # bytes
        b"\x80\x02\x8b" + struct.pack("<i", 1 << 30) + b".",  # a number
        b"L" + b"9" * 1000 + b"L\n.",
        b"\x80\x02}" + b")" + b"\x86\x86" * 40 + b"K\x01s.",  # not enough on the stack
        b"\x80\x02})" + b"2\x86" * 60 + b"K\x01s.",  # a key whose hash takes 2^60 steps
        b"\x80\x02K\x01)R.",  # calls a number
        b"\x80\x02]K\x01K\x02s.",  # sets an item of a list
        b"\x82\x01.",  # an extension
    ],
)
def test_pickles_that_claim_more_than_they_are(content, tmp_path):
    """Sizes are not believed, keys are plain, and only names are called."""
    with pytest.raises(CheckpointInvalid, match=r"a\.th"):
        read_checkpoint(packed(tmp_path / "a.th", content))


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("shape", "strides"), [((1 << 40,), (0,)), ((4, 4), (1 << 30, 1)), ((-1,), (1,)), ((3,), (1,))]
)
def test_tensors_that_are_larger_than_their_data(tmp_path, shape, strides, zipped, mapped):
    """A shape beyond the bytes of the file is damage, also one that repeats its only number."""

    class Larger:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (torch.ones(2)._typed_storage(), 0, shape, strides, False, {})

    path = tmp_path / "a.th"
    torch.save({"weight": Larger()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointInvalid, match=r"tensor|size"):
        read_checkpoint(path, mapped=mapped)


def test_other_tensors_are_read(tmp_path):
    """Parameters, views, scalars, empty and shared tensors, in all usual types, are what was saved."""
    base = torch.arange(12.0)
    state = {
        "parameter": torch.nn.Parameter(base.clone()),
        "view": base.reshape(3, 4).T[1:],
        "expanded": torch.ones(1).expand(5),
        "scalar": torch.tensor(7),
        "empty": torch.empty(0, 3),
        **{
            str(kind): base.to(kind)
            for kind in (torch.float16, torch.bfloat16, torch.float64, torch.bool, torch.uint16)
        },
    }
    for zipped in (True, False):
        path = tmp_path / f"{zipped}.th"
        torch.save(state, path, _use_new_zipfile_serialization=zipped)
        for mapped in (True, False):
            read = read_checkpoint(path, mapped=mapped)
            assert read.keys() == state.keys()
            assert all(torch.equal(read[key], value) and read[key].dtype == value.dtype for key, value in state.items())


def test_content_without_end(tmp_path):
    """A dictionary that contains itself, and prefixes without end, are no weights."""
    content = {}
    content["state_dict"] = content
    with pytest.raises(CheckpointInvalid, match="no named tensors"):
        unwrap_state(content, tmp_path / "a.th")
    weight = torch.ones(1)
    (key,) = unwrap_state({"module." * 1000 + "weight": weight}, tmp_path / "a.th")
    assert key.endswith("weight")


def test_names_are_refused_also_where_makers_are(tmp_path):
    """Neither a name that is only mentioned nor one in an instance of the oldest protocol is let through."""
    for content in (b"cos\nsystem\n.", b"(S'true'\nios\nsystem\n.", b"\x80\x02cos\nsystem\n)\x81."):
        with pytest.raises(CheckpointUnsafe, match=r"os\.system"):
            read_checkpoint(packed(tmp_path / "a.th", content))


def test_plain_values():
    """Containers of every protocol are read as they were written."""
    content = {"a": [1, -2.5, None, True, 1 << 200], "b": ({1, 2}, frozenset("x"), b"raw"), ("k", 1): "text"}
    for protocol in (3, 4, 5):
        allowed = {"builtins.set", "builtins.frozenset"}.__contains__
        made = read_pickle(io.BytesIO(pickle.dumps(content, protocol=protocol)), allowed=allowed)
        assert made["a"] == content["a"]
        assert made["k", 1] == "text"
