"""Reading checkpoints: nothing runs, nothing is guessed, and what is wrong is said."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest
import torch
from demucs.demucs import Demucs
from demucs.hdemucs import HDemucs
from safetensors.torch import save_file
from torch import nn

from utils.core.errors import CheckpointInvalid, CheckpointMismatch, CheckpointUnsafe, ModelNotInstalled
from utils.core.job import Job, JobCancelled, working_on
from utils.store.checkpoints import assign, read_checkpoint, size_bytes, unwrap_state
from utils.store.pickles import Named

ROOT = Path(__file__).parents[3]
STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


class Runs:
    """A pickle of this runs a function when it is read carelessly."""

    def __init__(self, function, *args):
        self._call = (function, args)

    def __reduce__(self):
        return self._call


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


def kept_safe(path, content):
    save_file(content, path)
    return path


def same(state, other):
    return state.keys() == other.keys() and all(torch.equal(state[key], other[key]) for key in state)


# Reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_state_of_either_format(tmp_path, zipped, mapped):
    """The present and the old format of torch are read, mapped or not."""
    path = saved(tmp_path / "a.th", STATE, _use_new_zipfile_serialization=zipped)
    assert same(read_checkpoint(path, mapped=mapped), STATE)


@pytest.mark.parametrize("write", [saved, partial(saved, _use_new_zipfile_serialization=False), kept_safe])
def test_cancelling_ends_the_reading_of_a_file(tmp_path, write):
    """One that is not mapped is read tensor by tensor, which may take long."""
    path, job = write(tmp_path / ("a.safetensors" if write is kept_safe else "a.th"), STATE), Job()
    job.cancel()
    with working_on(job), pytest.raises(JobCancelled):
        read_checkpoint(path, mapped=False)
    assert same(read_checkpoint(path, mapped=False), STATE)


def test_cancelling_ends_the_conversion_of_weights(tmp_path):
    """Files in half precision are converted when the network gets them."""
    job = Job()
    job.cancel()
    with working_on(job), pytest.raises(JobCancelled):
        assign(
            nn.Linear(3, 2, device="meta"), {key: tensor.half() for key, tensor in STATE.items()}, path=tmp_path / "a"
        )


def test_mapped_tensors_leave_the_file_alone(tmp_path):
    """Writing to a mapped tensor does not change the checkpoint."""
    path = saved(tmp_path / "a.th", STATE)
    before = path.read_bytes()
    read_checkpoint(path)["weight"].zero_()
    assert path.read_bytes() == before


@pytest.mark.parametrize("mapped", [True, False])
def test_safetensors(tmp_path, mapped):
    """A .safetensors file is read, mapped or not."""
    save_file(STATE, tmp_path / "a.safetensors")
    assert same(read_checkpoint(tmp_path / "a.safetensors", mapped=mapped), STATE)


def test_missing_checkpoint(tmp_path):
    """A file that is not there is not installed, rather than broken."""
    with pytest.raises(ModelNotInstalled, match=r"a\.th"):
        read_checkpoint(tmp_path / "a.th")


def test_folder_is_no_checkpoint(tmp_path):
    """A folder in place of a file is said to be unreadable."""
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["a.th", "a.safetensors"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b"<html><body>404", "web page"),
    ],
)
def test_what_is_saved_in_place_of_checkpoints_is_recognised(tmp_path, name, content, said):
    """Empty files, pointers and error pages are called what they are."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointInvalid, match=said):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize("name", ["a.th", "a.safetensors"])
@pytest.mark.parametrize(
    "content", [b"garbage", b"\x80\x02}q\x00", bytes(1000), b"PK\x03\x04" + bytes(100), b"\x80\x99"]
)
def test_bytes_that_are_no_checkpoint(tmp_path, name, content):
    """Whatever else the bytes are, the error is about the file and one line long."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointInvalid, match=name) as caught:
        read_checkpoint(tmp_path / name)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_truncated_checkpoint(tmp_path, zipped, mapped, share):
    """A checkpoint that was cut off is damaged, wherever the cut is."""
    path = saved(tmp_path / "a.th", {"weight": torch.ones(100, 100)}, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(path, mapped=mapped)


def test_truncated_safetensors(tmp_path):
    """A cut-off .safetensors file is damaged."""
    path = tmp_path / "a.safetensors"
    save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(path)


# Refusing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_system_call_is_refused_and_not_run(tmp_path, zipped, nested):
    """A checkpoint that asks for os.system is refused by that name, and nothing is run."""
    marker = tmp_path / "ran"
    attack = Runs(os.system, f"echo > {marker}")
    content = {"state": {**STATE, "extra": attack}} if nested else attack
    path = saved(tmp_path / "a.th", content, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointUnsafe, match=rf"`{os.name if os.name == 'nt' else 'posix'}\.system`") as caught:
        read_checkpoint(path)
    assert "--allow-unsafe-checkpoints" in caught.value.hint
    assert not marker.exists()


@pytest.mark.parametrize("function", [eval, exec, getattr, __import__])
def test_builtins_are_refused(tmp_path, function):
    """Functions of Python itself are no exception."""
    marker = tmp_path / "ran"
    path = saved(tmp_path / "a.th", Runs(function, f"open({str(marker)!r}, 'w')"))
    with pytest.raises(CheckpointUnsafe, match=function.__name__):
        read_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_plain_pickles_are_refused(tmp_path, protocol):
    """A bare pickle that wants to run something is refused by name in every protocol."""
    marker = tmp_path / "ran"
    path = tmp_path / "a.th"
    path.write_bytes(pickle.dumps({"a": [1, "b"], "c": Runs(eval, f"open({str(marker)!r}, 'w')")}, protocol=protocol))
    with pytest.raises(CheckpointUnsafe, match="eval"):
        read_checkpoint(path)
    assert not marker.exists()


def test_newer_protocol_inside_a_checkpoint(tmp_path):
    """A zipped checkpoint whose pickle is of a newer protocol is refused by name as well."""
    path = saved(tmp_path / "a.th", {"state": Runs(eval, "1")}, pickle_protocol=4)
    with pytest.raises(CheckpointUnsafe, match="eval"):
        read_checkpoint(path)


def test_code_before_the_content_of_the_old_format(tmp_path):
    """The old format's leading pickles are read as carefully as its content."""
    marker = tmp_path / "ran"
    path = tmp_path / "a.th"
    path.write_bytes(pickle.dumps(Runs(eval, f"open({str(marker)!r}, 'w')"), protocol=2) * 4)
    with pytest.raises(CheckpointUnsafe, match="eval"):
        read_checkpoint(path)
    assert not marker.exists()


def test_allowed_classes_are_allowed_for_one_reading_only(tmp_path):
    """A class named in `allow` is kept as a name, with its arguments, and refused again the next time without it."""
    path = saved(tmp_path / "a.th", {"segment": Fraction(39, 5)})
    made = read_checkpoint(path, allow=["fractions.Fraction"])["segment"]
    assert made.maker.name == "fractions.Fraction"
    assert Fraction(*made.arguments) == Fraction(39, 5)
    with pytest.raises(CheckpointUnsafe, match=r"fractions\.Fraction"):
        read_checkpoint(path)


def test_unsafe_reading_only_when_the_person_allows_it(tmp_path):
    """With `allow_unsafe` the checkpoint's code runs, as the person at the keyboard said it may."""
    path = saved(tmp_path / "a.th", {"value": Runs(eval, "6 * 7")})
    assert read_checkpoint(path, allow_unsafe=True) == {"value": 42}


def test_failing_code_of_an_allowed_checkpoint(tmp_path):
    """What an unsafe checkpoint raises is an error about the file."""
    path = saved(tmp_path / "a.th", {"value": Runs(eval, "1 / 0")})
    with pytest.raises(CheckpointInvalid, match="division by zero"):
        read_checkpoint(path, allow_unsafe=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused(tmp_path):
    """A TorchScript archive is a program, and is refused as one."""
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), tmp_path / "a.th")
    with pytest.raises(CheckpointUnsafe, match="TorchScript"):
        read_checkpoint(tmp_path / "a.th")


def test_zip_that_is_no_checkpoint(tmp_path):
    """Another program's zip file is not a checkpoint."""
    with zipfile.ZipFile(tmp_path / "a.th", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointInvalid):
        read_checkpoint(tmp_path / "a.th")


def test_nothing_is_printed(tmp_path, capfd):
    """Neither good nor bad checkpoints write to the terminal (that they do not warn, pytest's settings see to)."""
    read_checkpoint(saved(tmp_path / "a.th", STATE))
    bad = saved(tmp_path / "b.th", Runs(os.system, "echo ran"))
    with pytest.raises(CheckpointUnsafe):
        read_checkpoint(bad)
    assert capfd.readouterr() == ("", "")


def test_importing_does_not_import_torch():
    """The module is importable where torch must not be loaded yet."""
    code = "import sys, utils.store.checkpoints, utils.store.demucs_models, utils.store.download; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Unwrapping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state": STATE, "epoch": 3},
        {"state_dict": STATE},
        {"model_state_dict": STATE, "optimizer": {}},
        {"state": {"state_dict": STATE}},
        {f"module.{key}": tensor for key, tensor in STATE.items()},
        {"state_dict": {f"model.{key}": tensor for key, tensor in STATE.items()}},
        {f"module.audio_model.{key}": tensor for key, tensor in STATE.items()},
        {
            "state_dict": {
                **{f"audio_model.{key}": tensor for key, tensor in STATE.items()},
                "judge.bias": torch.ones(1),
            }
        },
        (Named("demucs.tasnet.ConvTasNet"), (), {"sources": 4}, STATE),
        (Named("demucs.model.Demucs"), (), {"channels": 100}, STATE),
    ],
)
def test_usual_wrappings_are_taken_off(content):
    """The tensors come out under the names of the network, whatever they were wrapped in."""
    assert same(unwrap_state(content, Path("a.th")), STATE)


def test_prefix_of_some_keys_only_stays():
    """A prefix that not every key has belongs to the network."""
    content = {"model.weight": torch.ones(1), "bias": torch.ones(1)}
    assert unwrap_state(content, Path("a.th")).keys() == content.keys()


@pytest.mark.parametrize("content", [None, [], {}, {"state": {}}, {"state": 1}, {"weight": 1.0}, {1: torch.ones(1)}])
def test_content_without_tensors(content):
    """A file that holds no named tensors is not the weights of a network."""
    with pytest.raises(CheckpointInvalid, match=r"a\.th"):
        unwrap_state(content, Path("a.th"))


# Assigning ---------------------------------------------------------------------------------------------------------


def on_meta(make):
    with torch.device("meta"):
        return make()


def test_mapped_tensors_are_assigned_without_a_copy(tmp_path):
    """The network's parameters are the tensors that were read."""
    tensors = read_checkpoint(saved(tmp_path / "a.th", STATE))
    net = on_meta(lambda: nn.Linear(3, 2))
    assign(net, tensors, path=tmp_path / "a.th")
    assert net.weight.data_ptr() == tensors["weight"].data_ptr()
    assert torch.equal(net(torch.ones(1, 3)), torch.tensor([[4.0, 13.0]]))


def test_half_precision_is_cast():
    """Half-precision weights become single precision; whole numbers stay what they are."""
    net = on_meta(lambda: nn.BatchNorm1d(2))
    ones = torch.ones(2, dtype=torch.float16)
    tensors = {"weight": ones, "bias": ones, "running_mean": ones, "running_var": ones}
    assign(net, {**tensors, "num_batches_tracked": torch.tensor(7)}, path=Path("a.th"))
    assert {net.weight.dtype, net.running_mean.dtype} == {torch.float32}
    assert net.num_batches_tracked.dtype == torch.int64


def test_cast_to_another_precision():
    """The precision can be chosen."""
    net = on_meta(lambda: nn.Linear(3, 2))
    assign(net, STATE, path=Path("a.th"), dtype=torch.bfloat16)
    assert net.weight.dtype == torch.bfloat16


def test_wrong_keys_are_named():
    """Missing and superfluous names are listed, five of each at most."""
    net = on_meta(lambda: nn.Sequential(*(nn.Linear(1, 1) for _ in range(4))))
    with pytest.raises(CheckpointMismatch) as caught:
        assign(net, {"0.weight": torch.ones(1, 1), "odd": torch.ones(1)}, path=Path("a.th"))
    message = caught.value.message
    assert "missing keys `0.bias`, `1.weight`, `1.bias`, `2.weight`, `2.bias` and 2 more" in message
    assert "unexpected keys `odd`" in message
    assert "3.bias" not in message


def test_wrong_shapes_are_named():
    """A shape that does not fit is said beside the one that is needed."""
    net = on_meta(lambda: nn.Linear(3, 2))
    with pytest.raises(CheckpointMismatch, match=r"`weight` is \[2,4\], the network needs \[2,3\]"):
        assign(net, {**STATE, "weight": torch.ones(2, 4)}, path=Path("a.th"))
    with pytest.raises(CheckpointMismatch, match="a int"):
        assign(net, {**STATE, "weight": 5}, path=Path("a.th"))


def test_tensor_that_no_checkpoint_gives():
    """A network with a buffer that is not in checkpoints does not end half empty."""

    class WithWindow(nn.Linear):
        def __init__(self):
            super().__init__(3, 2)
            self.register_buffer("window", torch.ones(4), persistent=False)

    with pytest.raises(CheckpointInvalid, match="window"):
        assign(on_meta(WithWindow), STATE, path=Path("a.th"))


def test_size_counts_shared_memory_once():
    """The size is what parameters and buffers take, tied ones counted once."""
    net = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2))
    separate = size_bytes(net)
    assert separate == 2 * 6 * 4 + 4 * 2 * 4 + 8
    net[1].weight = net[0].weight
    assert size_bytes(net) == separate - 6 * 4


# The demucs package ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("klass", "kwargs"),
    [
        (HDemucs, {"channels": 4, "depth": 2, "nfft": 64, "segment": Fraction(39, 5)}),
        (Demucs, {"channels": 4, "depth": 2, "lstm_layers": 0, "segment": Fraction(11)}),
    ],
)
@pytest.mark.parametrize("half", [True, False])
def test_package_of_demucs(tmp_path, klass, kwargs, half):
    """A package with its class and a fraction among its arguments is read, built on meta and runs as saved."""
    net = klass(sources=["drums", "vocals"], **kwargs).eval()
    if half:
        net.half().float()
    state = {key: value.half() if half else value for key, value in nn.Module.state_dict(net).items()}
    package = {"klass": klass, "args": (["drums", "vocals"],), "kwargs": kwargs, "state": state}
    path = saved(tmp_path / "a.th", package)
    read = read_checkpoint(path, allow=["fractions.Fraction", f"{klass.__module__}.{klass.__name__}"])
    again = on_meta(lambda: klass(*read["args"], **kwargs)).eval()
    assign(again, unwrap_state(read, path), path=path)
    mix = torch.randn(1, 2, 4096, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(again(mix), net(mix))


def test_package_of_another_class_is_refused(tmp_path):
    """A class that was not allowed is refused by its name."""
    path = saved(tmp_path / "a.th", {"klass": HDemucs, "state": STATE})
    with pytest.raises(CheckpointUnsafe, match=r"demucs\.hdemucs\.HDemucs"):
        read_checkpoint(path, allow=["demucs.demucs.Demucs"])
