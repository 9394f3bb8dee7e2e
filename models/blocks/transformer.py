"""The transformers of the band-split networks: attention along one axis of (batch, sequences, length, dim).

Sequences do not see each other, so they are processed in blocks: on a CPU a block stays in the cache, on a GPU it
bounds the memory. The keys of the state dict are those of the public checkpoints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.blocks.attention import attend
from models.blocks.norms import RMSNorm
from models.blocks.rotary import RotaryEmbedding, rotate

# Tokens in a block. On CPUs larger ones fall out of the cache; on GPUs smaller ones leave units idle.
CPU_BLOCK_TOKENS_PER_THREAD = 1024
GPU_BLOCK_TOKENS = 131072

FEED_FORWARD_FACTOR = 4
LINEAR_ATTENTION_SCALE = 8.0


def in_blocks(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Run what treats the sequences of (batch, sequences, length, dim) alike and apart, block by block, on all of them."""
    out = torch.empty_like(x)
    on_cpu = x.device.type == "cpu"
    tokens = CPU_BLOCK_TOKENS_PER_THREAD * torch.get_num_threads() if on_cpu else GPU_BLOCK_TOKENS
    step = max(1, tokens // (x.shape[0] * x.shape[2]))
    for start in range(0, x.shape[1], step):
        out[:, start : start + step] = run(x[:, start : start + step])
    return out


@dataclass(frozen=True)
class Heads:
    """The sizes of an attention layer: tokens of `dim` values, `count` heads of `dim_head` values."""

    dim: int
    count: int
    dim_head: int

    @property
    def inner(self) -> int:
        return self.count * self.dim_head


class Positions(nn.Module, ABC):
    """Tells queries and keys where they are. `KEY` is its name in the attention layers of checkpoints."""

    KEY: ClassVar[str]

    @abstractmethod
    def place(self, queries_and_keys: Tensor) -> tuple[Tensor, Tensor]:
        """(sequences, length, 2, heads, dim_head) to queries and keys of (sequences, heads, length, any width)."""


class RotaryPositions(RotaryEmbedding, Positions):
    """Queries and keys are rotated."""

    KEY = "rotary_embed"

    def place(self, queries_and_keys: Tensor) -> tuple[Tensor, Tensor]:
        table = self(queries_and_keys.shape[1])
        q, k = rotate(queries_and_keys, table[:, None, None]).permute(2, 0, 3, 1, 4)
        return q, k


class Attention(nn.Module):
    """Gated softmax attention with positions."""

    def __init__(
        self, heads: Heads, positions: Positions, shared_biases: tuple[nn.Parameter, nn.Parameter] | None = None
    ) -> None:
        super().__init__()
        self.heads = heads
        self.norm = RMSNorm(heads.dim)
        self.positions_key = positions.KEY
        self.add_module(positions.KEY, positions)
        self.to_qkv = nn.Linear(heads.dim, 3 * heads.inner, bias=False)
        self.to_gates = nn.Linear(heads.dim, heads.count)
        self.to_out = nn.Sequential(nn.Linear(heads.inner, heads.dim, bias=False))
        if shared_biases is not None:
            self.to_qkv.bias, self.to_out[0].bias = shared_biases

    def forward(self, x: Tensor) -> Tensor:
        """(sequences, length, dim) to the same."""
        normed = self.norm(x)
        qkv = torch.unflatten(self.to_qkv(normed), -1, (3, self.heads.count, self.heads.dim_head))
        q, k = cast("Positions", getattr(self, self.positions_key)).place(qkv[:, :, :2])
        v = qkv[:, :, 2].transpose(1, 2)
        mixed = attend(q, k, v).transpose(1, 2)
        gated = mixed * self.to_gates(normed).sigmoid()[..., None]
        out: Tensor = self.to_out(gated.flatten(-2))
        return out


class LinearAttention(nn.Module):
    """Attention between the values of a head instead of between tokens: its cost grows linearly with the length."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads
        self.norm = RMSNorm(heads.dim)
        self.to_qkv = nn.Sequential(nn.Linear(heads.dim, 3 * heads.inner, bias=False))
        self.temperature = nn.Parameter(torch.zeros(heads.count, 1, 1))
        # The output projection has index 1 in checkpoints.
        self.to_out = nn.Sequential(nn.Identity(), nn.Linear(heads.inner, heads.dim, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """(sequences, length, dim) to the same."""
        qkv = torch.unflatten(self.to_qkv(self.norm(x)), -1, (3, self.heads.count, self.heads.dim_head))
        q, k, v = qkv.permute(2, 0, 3, 4, 1)
        # Sums over all tokens would overflow in half precision.
        with torch.autocast(x.device.type, enabled=False):
            q, k = F.normalize(q.float(), dim=-1), F.normalize(k.float(), dim=-1)
            products = (q * self.temperature.exp()) @ k.transpose(-1, -2)
            weights = (LINEAR_ATTENTION_SCALE * products).softmax(dim=-1)
        mixed = weights.type_as(v) @ v
        out: Tensor = self.to_out(mixed.permute(0, 3, 1, 2).flatten(-2))
        return out


class FeedForward(nn.Module):
    """Norm, linear layer, GELU, linear layer. The identities are in place of the dropout of training."""

    def __init__(self, dim: int, factor: int = FEED_FORWARD_FACTOR) -> None:
        super().__init__()
        hidden = dim * factor
        self.net = nn.Sequential(
            RMSNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, dim), nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class InBlocks(nn.Module, ABC):
    """Something that treats each sequence by itself, in blocks of as many as a device works best on."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, sequences, length, dim) to the same, with the same strides."""
        return in_blocks(lambda block: self._transform(block.flatten(0, 1)).view(block.shape), x)

    @abstractmethod
    def _transform(self, x: Tensor) -> Tensor:
        """(sequences, length, dim) to the same."""


class Transformer(InBlocks):
    """`depth` times attention and feed-forward, each added to its input; then a norm, if the network has one here."""

    def __init__(self, dim: int, depth: int, make_attention: Callable[[], nn.Module], *, norm_output: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleList((make_attention(), FeedForward(dim))) for _ in range(depth))
        self.norm = RMSNorm(dim) if norm_output else nn.Identity()

    def _transform(self, x: Tensor) -> Tensor:
        for attention, feed_forward in cast(Iterable[tuple[nn.Module, nn.Module]], self.layers):
            x = x + attention(x)
            x = x + feed_forward(x)
        normed: Tensor = self.norm(x)
        return normed
