"""Texts as embeddings, computed by the text half of CLAP. They tell AudioSep what to separate.

The transformer is RoBERTa with the weights of the CLAP checkpoint, where it was trained further. Nothing is ever
downloaded: files are given as paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody uses
from tokenizers import Tokenizer
from torch import Tensor, nn

from models.audiosep.checkpoints import NUMBERS, below
from models.audiosep.encoder import Roberta
from models.audiosep.roberta import RobertaParams, read_params, read_tokenizer

EMBEDDING_SIZE = 512
KEPT_AT_MOST = 1024
PARTS = ("text_branch.", "text_projection.")

# Small tables of the transformer that only older files contain.
TABLES = ("position_ids", "token_type_ids")


class ClapText(nn.Module):
    """RoBERTa with its pooler, and the projection to the space that texts and sounds share."""

    PICKLED_WITH = NUMBERS

    def __init__(self, params: RobertaParams) -> None:
        super().__init__()
        self.text_branch = Roberta(params)
        self.text_projection = nn.Sequential(
            nn.Linear(params.hidden_size, EMBEDDING_SIZE), nn.ReLU(), nn.Linear(EMBEDDING_SIZE, EMBEDDING_SIZE)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens) to (batch, 512), each row of length 1. All texts of a batch have the same number of tokens."""
        return F.normalize(self.text_projection(self.text_branch(tokens)), dim=-1)

    def complete_state(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The text half of a CLAP checkpoint. AudioSep's has the same below `query_encoder.`."""
        own = {key: tensor for part in PARTS for key, tensor in below(part, tensors).items()}
        return {key: tensor for key, tensor in own.items() if not key.endswith(TABLES)}


def _on_meta() -> AbstractContextManager[object]:
    return torch.device("meta")


class TextEncoder:
    """Texts to embeddings, on the CPU. Each text is run once, and alone, so that no other text changes its embedding."""

    def __init__(self, net: ClapText, tokenizer: Tokenizer) -> None:
        self.net = net.eval().requires_grad_(requires_grad=False)
        self._tokenizer = tokenizer
        self._embedding = lru_cache(KEPT_AT_MOST)(self._embed)

    @classmethod
    def from_files(
        cls,
        clap_checkpoint: Path,
        roberta_dir: Path,
        *,
        fill: Callable[[ClapText, Path], object],
        without_data: Callable[[], AbstractContextManager[object]] = _on_meta,
    ) -> TextEncoder:
        """`fill` gives the network, built `without_data`, its tensors from the checkpoint.

        `FileNotFoundError` and `ValueError` say what is wrong with the files of `roberta_dir`.
        """
        params = read_params(roberta_dir)
        tokenizer = read_tokenizer(roberta_dir, params)
        with without_data():
            net = ClapText(params)
        fill(net, clap_checkpoint)
        return cls(net, tokenizer)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """(texts, 512), each row of length 1."""
        return torch.stack([self._embedding(text) for text in texts])

    def _embed(self, text: str) -> Tensor:
        tokens = torch.tensor([self._tokenizer.encode(text).ids])
        # Not in inference mode: cached embeddings are used outside of it.
        with torch.inference_mode(mode=False), torch.no_grad(), torch.autocast("cpu", enabled=False):
            embedding: Tensor = self.net(tokens)[0]
        return embedding
