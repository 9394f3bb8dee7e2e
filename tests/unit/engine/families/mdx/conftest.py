"""Small networks are slower on several threads than on one."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    """Small networks are slower on several threads than on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
