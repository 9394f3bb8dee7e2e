"""MDX networks in the runtime."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch

from tests.aids import harm
from tests.aids.onnx_writer import end, model, node, untyped
from utils.core import isolation
from utils.core.errors import CheckpointInvalid, CheckpointMismatch, DeviceLost, InvalidRequest
from utils.core.job import Job, JobCancelled, working_on
from utils.engine.backends import onnx_session
from utils.engine.backends.onnx import OnnxBackend
from utils.engine.backends.onnx_session import raise_for_device
from utils.store import known_hashes, onnx_wire
from utils.store.onnx_wire import fields, packed, varint


def session(path, *, bins=512, frames=32, own_frames=32):
    backend = OnnxBackend(path, bins=bins, frames=frames, own_frames=own_frames, device="cpu", threads=1)

    def run(spectra):
        return backend(torch.from_numpy(spectra)).numpy()

    run.backend = backend
    return run


def noise(frames, batch=1):
    return np.random.default_rng(0).standard_normal((batch, 4, 512, frames)).astype(np.float32)


def test_any_number_of_frames(mdx):
    """Given twice as many frames, the network returns the same output for the first ones."""
    spectra = noise(64)
    short, long = session(mdx.checkpoint)(spectra[..., :32]), session(mdx.checkpoint, frames=64)(spectra)
    np.testing.assert_allclose(long[..., :31], short[..., :31], atol=1e-5)
    assert long.shape == spectra.shape


def test_batches(mdx):
    """A batch of spectra gives the same output as the spectra one by one."""
    run, spectra = session(mdx.checkpoint), noise(32, batch=3)
    alone = np.concatenate([run(spectra[index : index + 1]) for index in range(3)])
    np.testing.assert_allclose(run(spectra), alone, atol=1e-5)


def test_files_that_take_one_spectrum_at_a_time(mdx, tmp_path):
    """If the file allows no batches, spectra run one by one."""
    path = tmp_path / "single.onnx"
    batch = packed(1, packed(2, b"batch_size"))
    single = packed(1, varint(1 << 3) + varint(1))
    shrunk = len(batch) - len(single)
    path.write_bytes(_replaced_shapes(mdx.checkpoint.read_bytes(), batch, single + b"" * shrunk))
    assert session(path)(noise(32, batch=2)).shape == (2, 4, 512, 32)


def _replaced_shapes(model, old, new):
    """The model with one dimension encoded differently, and the lengths around it updated."""

    def change(shape):
        assert old in shape
        return shape.replace(old, new)

    def end(field):
        return onnx_wire._within(field, onnx_wire.SHAPE_OF_END, change)

    def graph(field):
        inner = (end(each) if each.number in onnx_wire.ENDS else each.raw for each in fields(field.content))
        return packed(field.number, b"".join(inner))

    return b"".join(graph(field) if field.number == onnx_wire.GRAPH else field.raw for field in fields(model))


def test_parameters_of_another_model(mdx):
    """The shape in the file must agree with the parameters of the model."""
    with pytest.raises(CheckpointMismatch, match=r"takes spectra of \[512, 32\] bins and frames, not of \[256, 32\]"):
        session(mdx.checkpoint, bins=256)


@pytest.mark.parametrize("content", [b"", b"no network", b"<!doctype html>"])
def test_files_that_are_not_networks(content, tmp_path):
    """They are an invalid checkpoint for any number of frames."""
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointInvalid):
        session(path)
    with pytest.raises(CheckpointInvalid):
        session(path, frames=64)


def test_a_network_that_cannot_process_that_many_frames(mdx):
    """An error of the runtime becomes an error of the request if the request chose the number of frames."""
    run = session(mdx.checkpoint, frames=64)
    wrong = noise(64)[:, :, :100]
    with pytest.raises(InvalidRequest, match="cannot process 64 frames") as caught:
        run(wrong)
    assert caught.value.field == "mdx_segment_size"
    with pytest.raises(CheckpointInvalid, match="cannot be run"):
        session(mdx.checkpoint)(wrong)


def test_running_out_of_memory_is_a_memory_error(mdx):
    """The chunk loop can then retry with a smaller batch."""
    run = session(mdx.checkpoint)
    run.backend._session = Failing()
    with pytest.raises(MemoryError):
        run(noise(32))


class Failing:
    def get_inputs(self):
        return [SimpleNamespace(name="input", shape=["batch", 4, 512, 32])]

    def run(self, *_):
        raise RuntimeError("Failed to allocate memory for requested buffer of size 99")


def test_cancelling_ends_the_run_of_a_network(mdx):
    """The runtime ends it before its next operation, in the thread that runs it."""
    job, run = Job(), session(mdx.checkpoint)
    real = run.backend._session

    class Cancelled:
        def get_inputs(self):
            return real.get_inputs()

        def run(self, names, inputs, options):
            job.cancel()
            return real.run(names, inputs, options)

    run.backend._session = Cancelled()
    with working_on(job), pytest.raises(JobCancelled):
        run(noise(32))
    run.backend._session = real
    assert run(noise(32)).shape == (1, 4, 512, 32)


def test_cancelling_ends_the_reading_of_a_network(mdx, monkeypatch):
    """The runtime optimises a network while it reads it, which may take long."""
    job, real = Job(), onnxruntime.InferenceSession

    def cancelled(*args, **options):
        job.cancel()
        return real(*args, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", cancelled)
    with working_on(job), pytest.raises(JobCancelled):
        session(mdx.checkpoint)


def test_a_moved_network_is_read_again(mdx, monkeypatch):
    """It is read on its new device, and only when it is needed."""
    run, spectra = session(mdx.checkpoint), noise(32)
    before, opened = run(spectra), []
    real = onnx_session._session
    monkeypatch.setattr(onnx_session, "_session", lambda *args, **how: opened.append(args[2]) or real(*args, **how))
    run.backend.move("mps")
    assert opened == []
    np.testing.assert_array_equal(run(spectra), before)
    run(spectra)
    assert opened == ["mps"]


def test_providers():
    """The runtime uses the GPU if it supports it, and the CPU otherwise."""
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert onnx_session._providers("cpu", both) == ["CPUExecutionProvider"]
    assert onnx_session._providers("cuda:1", both)[0] == ("CUDAExecutionProvider", {"device_id": "1"})
    assert onnx_session._providers("cuda", both)[0] == ("CUDAExecutionProvider", {})
    assert onnx_session._providers("mps", ["CoreMLExecutionProvider"])[0][0] == "CoreMLExecutionProvider"
    assert onnx_session._providers("mps", both) == ["CPUExecutionProvider"]


# Hostile files ------------------------------------------------------------------------------------------------------


def hostile(tmp_path, content):
    path = tmp_path / "hostile.onnx"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (model([node("Loop", ["count"])]), "was refused.*`Loop`"),
        (model([node("ConstantOfShape", ["s"])], s=np.array([1 << 31])), "was refused.*`ConstantOfShape` makes"),
        (
            model([node("Relu", ["x"])], inputs=[end("x", (1, 4, 512, 32), "bool")], outputs=[untyped("out")]),
            "cannot read",
        ),
    ],
)
def test_files_that_would_take_all_time_or_memory(content, said, tmp_path):
    """They are refused, for the reason, before the runtime opens them here."""
    with pytest.raises(CheckpointInvalid, match=rf"`hostile\.onnx`.*{said}|{said}.*`hostile\.onnx`"):
        session(hostile(tmp_path, content))


@pytest.mark.parametrize("frames", [32, 64])
def test_a_file_is_tried_in_a_child_once(mdx, monkeypatch, frames):
    """For each way in which it is opened, and not at all if it is known."""
    calls = []
    real = isolation.Call
    monkeypatch.setattr(onnx_session, "_opened_before", set())
    monkeypatch.setattr(isolation, "Call", lambda *args, **options: calls.append(args) or real(*args, **options))
    for _ in range(2):
        session(mdx.checkpoint, frames=frames)
    assert [call[1:] for call in calls] == [(str(mdx.checkpoint), [1, 4, 512, frames], frames != 32)]
    monkeypatch.setattr(onnx_session, "_opened_before", set())
    monkeypatch.setattr(known_hashes, "is_vouched", lambda _: True)
    session(mdx.checkpoint, frames=frames)
    assert len(calls) == 1


@pytest.mark.parametrize(("does", "said"), [(harm.crash, "crashed"), (harm.end, "ended")])
def test_harm_is_an_error_of_the_file(mdx, monkeypatch, does, said):
    """The worker goes on."""
    with monkeypatch.context() as patch:
        patch.setattr(onnx_session, "_opened_before", set())
        patch.setattr(onnx_session, "try_network", does)
        with pytest.raises(CheckpointInvalid, match=said) as caught:
            session(mdx.checkpoint)
    assert caught.value.hint
    session(mdx.checkpoint)


def test_cancelling_does_not_wait_for_the_file(mdx, monkeypatch):
    """The job ends while the child is still reading."""
    monkeypatch.setattr(onnx_session, "_opened_before", set())
    monkeypatch.setattr(onnx_session, "try_network", harm.wait)
    job = Job()
    job.cancel()
    with working_on(job), pytest.raises(JobCancelled):
        OnnxBackend(mdx.checkpoint, bins=512, frames=32, own_frames=32, device="cpu", threads=1)


def test_a_child_imports_little():
    """It should be there soon."""
    code = "import sys, utils.engine.backends.onnx_session; assert not {'torch', 'onnxruntime', 'msgspec'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], check=True)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Failed to allocate memory for requested buffer of size 12", MemoryError),
        ("CUDA failure 2: out of memory ; GPU=0", MemoryError),
        ("CUDA failure 719: unspecified launch failure ; GPU=0", DeviceLost),
    ],
)
def test_what_a_card_cannot_do_is_not_the_fault_of_the_file(text, error):
    """The runtime has one class for all errors; those of the device are told apart by their words."""
    with pytest.raises(error, match=text.partition(":")[0]):
        raise_for_device(Exception(text))
    raise_for_device(Exception("Non-zero status code returned while running Conv"))
