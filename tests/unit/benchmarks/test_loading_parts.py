"""The parts of the benchmark of loading, with a small network in place of the large one."""

import pytest
import torch
from networks import agreement_db

from benchmarks import loading
from models.architectures import network_class
from tools.fixtures.networks import write_network
from utils.engine.backends.torch import without_data


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("network"), loading.KIND)


def test_all_ways_load_the_same_network(files):
    """The ways that are compared differ in time and memory only, but for the rounding of half precision."""
    mix = torch.randn(1, 2, 8000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, plain, converted = (loading.WAYS[way](*files)(mix) for way in ("DSU", "plain", "DSU in bf16"))
    torch.testing.assert_close(ours, plain, atol=0, rtol=0)
    assert 25 < agreement_db(converted, plain) < 100


@pytest.mark.parametrize("way", loading.WAYS)
def test_a_load_is_measured_in_a_fresh_process(files, way):
    """The numbers come back from the process, and the first run comes after the load."""
    load = loading.measure_apart(way, *files)
    assert 0 < load.ready_s < load.first_s
    assert isinstance(load.first_bytes, int)


def test_medians_of_times_and_the_most_memory():
    """One slow load does not count, but one that needed more memory does."""
    loads = [loading.Load(1.0, 2.0, 10, 20), loading.Load(9.0, 9.0, 30, 40), loading.Load(1.5, 2.5, 10, 20)]
    assert loading.medians(loads) == loading.Load(1.5, 2.5, 30, 40)


def test_ratios_are_to_the_plain_way_and_to_the_file():
    """Time is judged by the plain way's, memory by the file's size."""
    plain, ours = loading.Load(2.0, 4.0, 1_000_000_000, 1_200_000_000), loading.Load(0.2, 2.0, 50_000_000, 600_000_000)
    text = loading.report({"plain": plain, "DSU": ours, "DSU in bf16": ours}, 500_000_000)
    assert "| DSU: until the network is ready, s | 2.000 | 0.200 | 0.100 |  | <= 0.15 of plain |" in text
    assert "| DSU: growth until ready, MB | 1000 | 50 | 0.050 | 0.100 | <= 1.2 of the file |" in text
    assert "| DSU in bf16: until the network is ready, s | 2.000 | 0.200 | 0.100 |  | <= 0.5 of plain |" in text
    assert "plain:" not in text


def test_the_network_has_the_promised_size():
    """The checkpoint in single precision would have about 500 MB."""
    with without_data():
        net = network_class(loading.KIND)(loading.large_params())
    assert 490e6 < 4 * sum(parameter.numel() for parameter in net.parameters()) < 520e6
