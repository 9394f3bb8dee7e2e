"""An engine and small networks for the tests of this folder."""

import pytest
from network_case import Case

from tools.fixtures.networks import write_network


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


@pytest.fixture
def files(tmp_path):
    """The fastest network, with the stems vocals and other."""
    return write_network(tmp_path / "nets", "mdx23c")


@pytest.fixture
def trio(tmp_path):
    """Three networks; the second has its stems in reverse order and another chunk size, the third has one stem more."""
    return [
        write_network(tmp_path, "mdx23c", name="one", seed=1),
        write_network(tmp_path, "scnet", name="two", seed=2, stems=["other", "Vocals"], chunk_seconds=0.7),
        write_network(tmp_path, "mel_band_roformer", name="three", seed=3, stems=["vocals", "drums", "other"]),
    ]
