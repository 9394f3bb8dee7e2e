"""How fast a network could be: the products of matrices in it, and how fast this machine computes products of their sizes.

Convolutions count as the products that they amount to. The time that all products of a network take alone is the least
that the network can take; all that it takes beyond goes into reading and writing memory, transforms and element-wise work.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

Shape = Sequence[int]

COVERED = 0.99  # of the operations; the rest are taken to run at the average rate, and so are those of thin matrices
THIN = 16  # such as convolutions of single channels, which are no work for units that multiply matrices
MOST_ROWS = 4096  # the rate of products grows no more beyond
MOST_NUMBERS = 1 << 24  # in one operand
SHORTEST_S = 0.02
FEWEST_RUNS = 3
ROUNDS = 3


class Product(NamedTuple):
    """`batch` products of a (rows, inner) by an (inner, columns) matrix."""

    batch: int
    rows: int
    inner: int
    columns: int

    @property
    def flops(self) -> int:
        return 2 * self.batch * self.rows * self.inner * self.columns


Products = Mapping[Product, int]


def products_in(run: Callable[[], object]) -> Products:
    """The products that are computed while this runs, with how often."""
    found: Counter[Product] = Counter()

    def noted(*products: Product, times: int = 1) -> int:
        for product in products:
            found[product] += times
        return times * sum(product.flops for product in products)

    def mm(a: Shape, b: Shape, *_: Any, **__: Any) -> int:
        return noted(Product(1, a[0], a[1], b[1]))

    def bmm(a: Shape, b: Shape, *_: Any, **__: Any) -> int:
        return noted(Product(a[0], a[1], a[2], b[2]))

    def attention(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
        batch = math.prod(query[:-2])
        return noted(Product(batch, query[-2], query[-1], key[-2]), Product(batch, query[-2], key[-2], value[-1]))

    def convolution(
        x: Shape, w: Shape, _b: Any, _s: Any, _p: Any, _d: Any, transposed: bool, _o: Any, groups: int,
        *_: Any, out_shape: Shape, **__: Any,
    ) -> int:  # fmt: skip
        taps = math.prod(w[2:])
        if transposed:
            return noted(Product(groups, x[0] * math.prod(x[2:]), w[0] // groups, w[1] * taps))
        return noted(Product(groups, out_shape[0] * math.prod(out_shape[2:]), w[1] * taps, w[0] // groups))

    def recurrent(x: Shape, of_input: Shape, of_state: Shape, *_: Any, **__: Any) -> int:
        steps, batch, inner = x
        first = noted(Product(1, steps * batch, inner, of_input[0]))
        return first + noted(Product(1, batch, of_state[1], of_state[0]), times=steps)

    aten = torch.ops.aten
    formulas = {
        aten.mm: mm,
        aten.addmm: lambda _, *operands, **rest: mm(*operands, **rest),
        aten.bmm: bmm,
        aten.baddbmm: lambda _, *operands, **rest: bmm(*operands, **rest),
        aten.convolution: convolution,
        aten._convolution: convolution,  # noqa: SLF001  what torch calls its operations
        aten._scaled_dot_product_flash_attention_for_cpu: attention,  # noqa: SLF001
        aten.mkldnn_rnn_layer: recurrent,
    }
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=formulas):
        run()
    return found


def flops_of(products: Products) -> int:
    return sum(product.flops * times for product, times in products.items())


def products_s(products: Products, dtype: torch.dtype) -> float:
    """The time that these products take alone on this machine in a precision."""
    thick = {product: times for product, times in products.items() if min(product[1:]) >= THIN} or products
    timed: dict[Product, int] = {}
    for product, times in sorted(thick.items(), key=lambda each: -each[0].flops * each[1]):
        if flops_of(timed) >= COVERED * flops_of(thick):
            break
        timed[product] = times
    # In turns: what else the machine does for a while then slows down one round of all, and not all rounds of one.
    rounds = [{product: product_s(product, dtype) for product in timed} for _ in range(ROUNDS)]
    seconds = sum(times * min(taken[product] for taken in rounds) for product, times in timed.items())
    return seconds * flops_of(products) / flops_of(timed)


def product_s(product: Product, dtype: torch.dtype) -> float:
    """The least time of several runs of one product; of a large one, of a part that is as fast."""
    rows = min(product.rows, MOST_ROWS)
    largest = max(rows * product.inner, product.inner * product.columns, rows * product.columns)
    batch = min(product.batch, max(1, MOST_NUMBERS // largest))
    # As layers have them: the weights of an output lie together.
    a = torch.rand(batch, rows, product.inner).to(dtype)
    b = torch.rand(batch, product.columns, product.inner).to(dtype).transpose(1, 2)

    def run() -> torch.Tensor:
        return torch.bmm(a, b) if batch > 1 else torch.mm(a[0], b[0])

    with torch.inference_mode():
        run()
        taken: list[float] = []
        while len(taken) < FEWEST_RUNS or sum(taken) < SHORTEST_S:
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
    return min(taken) * product.batch * product.rows / (batch * rows)
