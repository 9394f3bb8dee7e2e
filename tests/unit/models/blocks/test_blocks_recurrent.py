"""Recurrent layers over many sequences."""

import pytest
import torch
from torch import nn

from models.blocks.recurrent import CPU_GROUP_SEQUENCES, run_recurrent


@pytest.mark.parametrize("count", [1, CPU_GROUP_SEQUENCES, 2 * CPU_GROUP_SEQUENCES + 3])
def test_groups_of_sequences_give_what_all_give_at_once(count):
    """A layer is run for no more of them at a time than there are in a group."""
    torch.manual_seed(0)
    lstm = nn.LSTM(8, 16, bidirectional=True).eval()
    sequences = torch.randn(5, count, 8)
    taken = []
    lstm.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0].shape[1]))
    with torch.inference_mode():
        output = run_recurrent(lstm, sequences)
        assert max(taken) <= CPU_GROUP_SEQUENCES
        assert sum(taken) == count
        torch.testing.assert_close(output, lstm(sequences)[0])
