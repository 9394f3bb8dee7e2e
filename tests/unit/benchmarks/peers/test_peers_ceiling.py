"""The products of matrices in a network, as they are counted and timed."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers.ceiling import Product, flops_of, product_s, products_in, products_s


def run(net, *inputs):
    return lambda: net.eval()(*inputs)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Linear(6, 5), (3, 7, 6)),
        (nn.Conv1d(4, 8, 3, groups=2), (2, 4, 50)),
        (nn.Conv2d(2, 6, (3, 5), stride=(1, 2)), (1, 2, 20, 30)),
        (nn.ConvTranspose1d(8, 4, 4, stride=2), (2, 8, 20)),
    ],
)
def test_operations_are_as_many_as_torch_counts(net, shape):
    """As products, layers have the operations that torch's own formulas find in them."""
    inputs = torch.randn(shape)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net(inputs)
    assert flops_of(products_in(run(net, inputs))) == counter.get_total_flops() > 0


def test_recurrent_layers_count_each_step():
    """Their kernels are one operation to torch, which has no formula for them."""
    net = nn.LSTM(8, 16, batch_first=True)
    found = products_in(run(net, torch.randn(3, 20, 8)))
    assert found == {Product(1, 60, 8, 64): 1, Product(1, 3, 16, 64): 20}


def test_attention_is_two_products():
    """Queries by keys, and weights by values, in each head."""
    query, key = torch.randn(2, 4, 10, 8), torch.randn(2, 4, 12, 8)
    found = products_in(lambda: scaled_dot_product_attention(query, key, key))
    assert found == {Product(8, 10, 8, 12): 1, Product(8, 10, 12, 8): 1}


def test_the_same_product_is_counted_as_often_as_it_runs():
    """Two layers of one size are one entry."""
    net = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5))
    assert products_in(run(net, torch.randn(4, 5))) == {Product(1, 4, 5, 5): 2}


def test_time_is_that_of_all_runs(monkeypatch):
    """Each product counts as often as it runs; the smallest, which are not timed, count at the rate of the others."""
    monkeypatch.setattr("benchmarks.peers.ceiling.product_s", lambda product, _: product.flops * 1e-9)
    products = {Product(1, 100, 100, 100): 3, Product(1, 1, 1, 1): 5}
    assert products_s(products, torch.float32) == pytest.approx(flops_of(products) * 1e-9)


def test_a_busy_moment_does_not_count(monkeypatch):
    """Products are timed in turns, and the least time of each counts: none can take longer alone than in a network."""
    one, other = Product(1, 100, 100, 100), Product(1, 200, 100, 100)
    taken = iter([9.0, 9.0, 1.0, 9.0, 9.0, 2.0])
    timed = []
    monkeypatch.setattr("benchmarks.peers.ceiling.product_s", lambda product, _: timed.append(product) or next(taken))
    assert products_s({one: 1, other: 1}, torch.float32) == 2.0 + 1.0
    assert timed == [other, one] * 3


def test_thin_products_are_not_timed(monkeypatch):
    """Convolutions of single channels are slow as products and fast as what they are, so they count at the rate of the others."""
    monkeypatch.setattr("benchmarks.peers.ceiling.product_s", lambda product, _: product.flops * 1e-9)
    thick, thin = Product(1, 100, 100, 100), Product(100, 1000, 7, 1)
    assert products_s({thick: 1, thin: 1}, torch.float32) == pytest.approx((thick.flops + thin.flops) * 1e-9)
    monkeypatch.setattr("benchmarks.peers.ceiling.product_s", lambda product, _: float(product == thick))
    assert products_s({thick: 1, thin: 1}, torch.float32) == pytest.approx(1 + thin.flops / thick.flops)
    assert products_s({thin: 1}, torch.float32) == 0


def test_a_part_stands_for_a_large_product():
    """The time of a part is scaled to the whole, so twice the rows take about twice as long."""
    parts = [product_s(Product(1, 4096 * times, 8, 8), torch.float32) for times in (1, 64)]
    assert parts[1] > parts[0]
