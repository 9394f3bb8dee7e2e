"""RoBERTa's transformer, with the keys of its checkpoints. For one text at a time: there is no padding, and so no mask."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.audiosep.roberta import RobertaParams


class Roberta(nn.Module):
    """Tokens to one pooled vector per text."""

    def __init__(self, params: RobertaParams) -> None:
        super().__init__()
        self.embeddings = Embeddings(params)
        self.encoder = RobertaEncoder(params)
        self.pooler = Pooler(params.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens) to (batch, values). All texts of a batch have the same number of tokens."""
        pooled: Tensor = self.pooler(self.encoder(self.embeddings(tokens)))
        return pooled


class Embeddings(nn.Module):
    """The embedding of each token, plus that of its position. Positions start after the index of the padding token; if a
    text contains the padding token itself, it has no position, as in training.
    """

    def __init__(self, params: RobertaParams) -> None:
        super().__init__()
        self.padding = params.pad_token_id
        self.word_embeddings = nn.Embedding(params.vocab_size, params.hidden_size)
        self.position_embeddings = nn.Embedding(params.max_position_embeddings, params.hidden_size)
        self.token_type_embeddings = nn.Embedding(params.type_vocab_size, params.hidden_size)
        self.LayerNorm = nn.LayerNorm(params.hidden_size, params.layer_norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        counted = tokens != self.padding
        positions = self.position_embeddings(counted.cumsum(dim=1) * counted + self.padding)
        normed: Tensor = self.LayerNorm(self.word_embeddings(tokens) + positions + self.token_type_embeddings.weight[0])
        return normed


class RobertaEncoder(nn.Module):
    """The layers, one after another."""

    def __init__(self, params: RobertaParams) -> None:
        super().__init__()
        self.layer = nn.ModuleList(RobertaLayer(params) for _ in range(params.num_hidden_layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x)
        return x


class RobertaLayer(nn.Module):
    """Self-attention, then a feed-forward network for each token."""

    def __init__(self, params: RobertaParams) -> None:
        super().__init__()
        size, inner = params.hidden_size, params.intermediate_size
        self.attention = nn.ModuleDict(
            {
                "self": SelfAttention(size, params.num_attention_heads),
                "output": Added(size, size, params.layer_norm_eps),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(size, inner)})
        self.output = Added(inner, size, params.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention["output"](self.attention["self"](x), x)
        return cast("Tensor", self.output(F.gelu(self.intermediate["dense"](x)), x))


class SelfAttention(nn.Module):
    """Attention of each token to all tokens of its text."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            torch.unflatten(layer(x), -1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class Added(nn.Module):
    """A linear layer, added to the input before it and then normalised."""

    def __init__(self, inputs: int, outputs: int, eps: float) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)
        self.LayerNorm = nn.LayerNorm(outputs, eps)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        normed: Tensor = self.LayerNorm(self.dense(x) + before)
        return normed


class Pooler(nn.Module):
    """The first token represents the whole text."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.dense(x[:, 0]))
