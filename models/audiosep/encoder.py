"""RoBERTa's transformer, under the names that its checkpoints have for the tensors. For one text at a time: there is no
padding, so no mask either.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from torch import Tensor, nn

from models.audiosep.roberta import RobertaParams


class Roberta(nn.Module):
    """Tokens to what the pooler makes of the first one."""

    def __init__(self, params: RobertaParams) -> None:
        super().__init__()
        self.embeddings = Embeddings(params)
        self.encoder = Encoder(params)
        self.pooler = Pooler(params.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens) to (batch, values). All texts of a batch have the same number of tokens."""
        pooled: Tensor = self.pooler(self.encoder(self.embeddings(tokens)))
        return pooled


class Embeddings(nn.Module):
    """What each token is, plus where it stands. Places are counted from the one after the padding's number; somebody who
    writes the padding's token into a text gets tokens without a place, as in training.
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
        places = self.position_embeddings(counted.cumsum(dim=1) * counted + self.padding)
        normed: Tensor = self.LayerNorm(self.word_embeddings(tokens) + places + self.token_type_embeddings.weight[0])
        return normed


class Encoder(nn.Module):
    """The layers, one after the other."""

    def __init__(self, params: RobertaParams) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(params) for _ in range(params.num_hidden_layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x)
        return x


class Layer(nn.Module):
    """Tokens look at each other, then each is worked on by itself."""

    def __init__(self, params: RobertaParams) -> None:
        super().__init__()
        size, inner = params.hidden_size, params.intermediate_size
        self.attention = nn.ModuleDict(
            {"self": Attention(size, params.num_attention_heads), "output": Added(size, size, params.layer_norm_eps)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(size, inner)})
        self.output = Added(inner, size, params.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention["output"](self.attention["self"](x), x)
        return cast("Tensor", self.output(F.gelu(self.intermediate["dense"](x)), x))


class Attention(nn.Module):
    """Every token asks all of its text."""

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
    """A layer whose result is added to what went before, then normed."""

    def __init__(self, inputs: int, outputs: int, eps: float) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)
        self.LayerNorm = nn.LayerNorm(outputs, eps)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        normed: Tensor = self.LayerNorm(self.dense(x) + before)
        return normed


class Pooler(nn.Module):
    """The first token stands for the text."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.dense = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.dense(x[:, 0]))
