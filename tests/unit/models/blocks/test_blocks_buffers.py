"""Tensors that are worked out on first use."""

import copy

import pytest
import torch
from torch import nn

from models.blocks.buffers import KEPT_AT_MOST, Derived


class Doubled(nn.Module):
    """A weight, and twice that weight, which counts how often it is made."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.twice = Derived(self._make)
        self.times_made = 0

    def _make(self, factor=2):
        self.times_made += 1
        return factor * self.weight


@pytest.fixture
def module():
    return Doubled()


def test_a_thing_is_made_once_for_the_same_arguments(module):
    """The second use gets what the first one made; other arguments get their own."""
    assert module.twice.get() is module.twice.get()
    assert float(module.twice.get(3)[0]) == 3.0
    assert module.times_made == 2


def test_moving_forgets(module):
    """After the network moved or changed its type, things are made anew."""
    module.twice.get()
    module.to(torch.float64)
    assert module.twice.get().dtype == torch.float64


@pytest.mark.parametrize("assign", [False, True])
def test_loading_weights_forgets(module, assign):
    """After new weights were loaded, things are made from those."""
    module.twice.get()
    module.load_state_dict({"weight": torch.full((2,), 5.0)}, assign=assign)
    assert module.twice.get().tolist() == [10.0, 10.0]


def test_a_copy_of_a_network_makes_its_own(module):
    """A deep copy works from its own weights."""
    module.twice.get()
    other = copy.deepcopy(module)
    other.load_state_dict({"weight": torch.zeros(2)})
    assert other.twice.get().tolist() == [0.0, 0.0]
    assert module.twice.get().tolist() == [2.0, 2.0]


def test_what_is_made_in_inference_mode_is_usable_outside(module):
    """A tensor first needed in inference mode is an ordinary tensor."""
    with torch.inference_mode():
        made = module.twice.get()
    assert not made.is_inference()
    assert not made.requires_grad


def test_nothing_is_kept_without_bound(module):
    """Many different arguments do not fill the memory."""
    for factor in range(3 * KEPT_AT_MOST):
        module.twice.get(factor)
    assert len(module.twice._made) <= KEPT_AT_MOST


def test_checkpoints_do_not_hold_it(module):
    """Neither keys nor parameters are added to the network."""
    module.twice.get()
    assert list(module.state_dict()) == ["weight"]
