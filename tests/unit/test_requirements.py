"""The requirements files agree with each other."""

import re
from pathlib import Path

import pytest

import run

ROOT = Path(__file__).resolve().parents[2]
INCLUDED = "-r requirements-common.txt"
NEVER = {"torchaudio", "torchvision"}


def pins(name):
    """Packages and their versions; a line that is not an exact pin is an error."""
    lines = (ROOT / f"requirements-{name}.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.strip() for line in lines if line.strip() and line[0] != "#" and line != INCLUDED]
    found = [re.fullmatch(r"([\w.-]+)==([\w.+]+)", line) for line in wanted]
    assert all(found), name
    return {pin[1].lower(): pin[2] for pin in found}


@pytest.mark.parametrize("flavor", run.FLAVORS)
def test_flavors_differ_only_in_torch_and_onnxruntime(flavor):
    """What they have in common is in a file of its own, and each has one torch and one onnxruntime."""
    assert INCLUDED in (ROOT / f"requirements-{flavor}.txt").read_text(encoding="utf-8").splitlines()
    torch, onnx = sorted(pins(flavor).items(), key=lambda pin: pin[0] != "torch")
    assert torch == ("torch", pins("cpu")["torch"])
    assert onnx == ("onnxruntime-gpu" if flavor == "cuda" else "onnxruntime", pins("cpu")["onnxruntime"])


@pytest.mark.parametrize(
    "name", [*run.FLAVORS, "common", "alone", "studio", "docs", "batch", "build", "dev", "dev-alone", "peers", "fuzzer"]
)
def test_packages_that_break_installations_stay_out(name):
    """torchaudio and torchvision must match torch's build exactly, and DSU does not need them."""
    assert not NEVER & pins(name).keys()


def test_every_package_is_pinned_in_one_place():
    """It is needed for running, for the server, for documents, for batches, for building, or for development."""
    files = [
        pins(name).keys() for name in ("common", "cpu", "alone", "studio", "docs", "batch", "build", "dev", "dev-alone")
    ]
    assert len(set().union(*files)) == sum(len(names) for names in files)


@pytest.mark.parametrize("flavor", [name for name, each in run.FLAVORS.items() if each.torch_index])
def test_each_file_says_where_its_torch_comes_from(flavor):
    """For those who install by hand."""
    text = (ROOT / f"requirements-{flavor}.txt").read_text(encoding="utf-8")
    assert f"pip install torch=={pins(flavor)['torch']} --index-url {run.FLAVORS[flavor].torch_index}\n" in text


def test_one_torch_suits_cards_from_turing_to_blackwell():
    """The builds for CUDA 12.6 end before Blackwell, those for CUDA 13 begin with Turing, as does their onnxruntime."""
    assert run.FLAVORS["cuda"].torch_index.endswith("/cu130")
    assert run.FLAVORS["cuda"].onnx_lock == run.ONNX_GPU_LOCK
