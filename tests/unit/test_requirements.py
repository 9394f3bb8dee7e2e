"""The requirements files agree with each other."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAVORS = ("cpu", "cuda", "mac-mps")
NEVER = {"torchaudio", "torchvision"}


def pins(name):
    """Packages and their versions; a line that is not an exact pin is an error."""
    lines = (ROOT / f"requirements-{name}.txt").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"([\w.-]+)==([\w.+]+)", line.strip()) for line in lines if line.strip() and line[0] != "#"]
    assert all(found), name
    return {pin[1].lower(): pin[2] for pin in found}


@pytest.mark.parametrize("flavor", FLAVORS)
def test_flavors_differ_only_in_torch(flavor):
    """Apart from torch the three files pin the same versions of the same packages."""
    ours, others = pins(flavor), pins("cpu")
    assert ours.pop("torch").partition("+")[0] == others.pop("torch").partition("+")[0]
    assert ours == others


@pytest.mark.parametrize("name", [*FLAVORS, "alone", "build", "dev", "dev-alone", "peers"])
def test_packages_that_break_installations_stay_out(name):
    """torchaudio and torchvision must match torch's build exactly, and DSU does not need them."""
    assert not NEVER & pins(name).keys()


def test_every_package_is_pinned_in_one_place():
    """It is needed for running, for building, or for development."""
    files = [pins(name).keys() for name in ("cpu", "alone", "build", "dev", "dev-alone")]
    assert len(set().union(*files)) == sum(len(names) for names in files)


def test_cuda_says_where_its_torch_comes_from():
    """The file for NVIDIA GPUs names the build and its index."""
    text = (ROOT / "requirements-cuda.txt").read_text(encoding="utf-8")
    assert f"{pins('cuda')['torch']}+cu126" in text
    assert "https://download.pytorch.org/whl/cu126" in text
