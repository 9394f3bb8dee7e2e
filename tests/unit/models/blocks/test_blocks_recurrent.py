"""Recurrent layers over many sequences."""

import pytest
import torch
from torch import nn

from models.blocks import recurrent
from models.blocks.recurrent import FEWEST_SEQUENCES, MOST_SEQUENCES, run_recurrent


@pytest.mark.parametrize("count", [1, MOST_SEQUENCES, 2 * MOST_SEQUENCES + 3])
def test_groups_of_sequences_give_what_all_give_at_once(count):
    """A layer is run for no more of them at a time than there are in a group."""
    torch.manual_seed(0)
    lstm = nn.LSTM(8, 16, bidirectional=True).eval()
    sequences = torch.randn(5, count, 8)
    taken = []
    lstm.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0].shape[1]))
    with torch.inference_mode():
        output = run_recurrent(lstm, sequences)
        assert max(taken) <= MOST_SEQUENCES
        assert sum(taken) == count
        torch.testing.assert_close(output, lstm(sequences)[0])


def test_long_sequences_are_fewer_in_a_group(monkeypatch):
    """So that a group takes no longer than others; and never so few that products are too small."""
    lstm = nn.LSTM(8, 16, bidirectional=True).eval()
    weights = sum(weight.numel() for weight in lstm.parameters())
    taken = []
    lstm.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0].shape[1]))
    with torch.inference_mode():
        for count, expected in ((50, 50), (3, FEWEST_SEQUENCES), (10_000, MOST_SEQUENCES)):
            monkeypatch.setattr(recurrent, "MOST_WORK", 2 * weights * 5 * count)
            run_recurrent(lstm, torch.randn(5, 100, 8))
            assert taken[0] == expected
            taken.clear()
