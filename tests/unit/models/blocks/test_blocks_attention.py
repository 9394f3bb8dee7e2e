"""Norm, rotary positions and the two attentions, against their formulas written out."""

import math

import torch

from models.blocks.norms import RMSNorm
from models.blocks.rotary import RotaryEmbedding, rotate
from models.blocks.transformer import Attention, Heads, LinearAttention, RotaryPositions

HEADS = Heads(dim=6, count=2, dim_head=4)


def random(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def randomised(module):
    with torch.no_grad():
        for seed, parameter in enumerate(module.parameters()):
            parameter.add_(0.5 * random(*parameter.shape, seed=seed))
    return module


def test_the_norm_divides_by_the_length():
    """Every vector gets the length sqrt(size), times gamma."""
    norm = randomised(RMSNorm(6))
    x = random(3, 6)
    torch.testing.assert_close(norm(x), x / x.norm(dim=-1, keepdim=True) * math.sqrt(6) * norm.gamma)


def test_the_norm_of_nothing_is_nothing():
    """Zeros stay zeros, and faint vectors are still brought to length."""
    norm = RMSNorm(4)
    assert not norm(torch.zeros(2, 4)).any()
    torch.testing.assert_close(norm(torch.full((4,), 1e-9)), torch.ones(4))


def test_rotated_products_depend_on_the_distance_alone():
    """A query and a key that are three positions apart have one product wherever they stand."""
    table = RotaryEmbedding(8)(20)
    q, k = rotate(random(8, seed=1).expand(20, 8), table), rotate(random(8, seed=2).expand(20, 8), table)
    products = (q[3:] * k[:-3]).sum(dim=-1)
    torch.testing.assert_close(products, products[:1].expand(17))
    assert float((q[0] * k[0]).sum() - products[0]) != 0


def test_rotation_turns_neighbouring_values():
    """At position 1 the first pair turns by one radian."""
    x = torch.tensor([1.0, 0.0, 0.0, 1.0])
    turned = rotate(x.expand(2, 4), RotaryEmbedding(4)(2))
    torch.testing.assert_close(turned[0], x)
    torch.testing.assert_close(turned[1, :2], torch.tensor([math.cos(1), math.sin(1)]))
    torch.testing.assert_close(turned[1, 2:], torch.tensor([-math.sin(0.01), math.cos(0.01)]))


def test_attention_is_gated_softmax_attention():
    """The whole attention, head by head."""
    attention = randomised(Attention(HEADS, RotaryPositions(4)))
    x = random(2, 5, 6)
    normed = attention.norm(x)
    table = attention.rotary_embed(5)
    projected = attention.to_qkv(normed).chunk(3, dim=-1)
    heads = []
    for head in range(2):
        q, k, v = (part[..., 4 * head : 4 * head + 4] for part in projected)
        weights = (rotate(q, table) @ rotate(k, table).transpose(1, 2) / 2).softmax(dim=-1)
        heads.append(weights @ v * attention.to_gates(normed)[..., head : head + 1].sigmoid())
    torch.testing.assert_close(attention(x), torch.cat(heads, dim=-1) @ attention.to_out[0].weight.T)


def test_linear_attention_mixes_the_values_of_a_head():
    """The whole linear attention, head by head: values attend to values, whatever the order of the tokens."""
    attention = randomised(LinearAttention(HEADS))
    x = random(1, 7, 6)
    projected = attention.to_qkv[0](attention.norm(x))[0].chunk(3, dim=-1)
    heads = []
    for head in range(2):
        q, k, v = (part[:, 4 * head : 4 * head + 4].T for part in projected)
        q = q / q.norm(dim=1, keepdim=True) * attention.temperature[head].exp()
        k = k / k.norm(dim=1, keepdim=True)
        heads.append(((8 * q @ k.T).softmax(dim=-1) @ v).T)
    expected = torch.cat(heads, dim=-1) @ attention.to_out[1].weight.T
    torch.testing.assert_close(attention(x)[0], expected)
    order = torch.tensor([6, 2, 0, 1, 5, 3, 4])
    torch.testing.assert_close(attention(x[:, order])[0], expected[order])
