"""Small VR and MDX networks in the real formats."""

import json

import pytest
import torch

from tools.make_vr_mdx import make_mdx, make_vr
from utils.store.audio_separator_models import own_audio_separator


def test_networks_can_be_made_again(tmp_path):
    """The same seed gives the same network, another seed another one."""
    first, again, other = (make_vr(tmp_path / str(n), "net", seed=seed) for n, seed in enumerate((1, 1, 2)))
    states = [torch.load(files.checkpoint) for files in (first, again, other)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not all(torch.equal(states[0][key], states[2][key]) for key in states[0])
    one, two = make_mdx(tmp_path / "a", "net"), make_mdx(tmp_path / "b", "net")
    assert one.checkpoint.read_bytes() == two.checkpoint.read_bytes()


@pytest.mark.parametrize("make", [make_vr, make_mdx])
def test_the_numbers_lie_beside(make, tmp_path):
    """What is made can be loaded as it is."""
    files = make(tmp_path, "net", primary_stem="Bass")
    assert json.loads(files.numbers.read_text())["primary_stem"] == "Bass"
    assert own_audio_separator(files.checkpoint).stems == ("Bass", "No Bass")
