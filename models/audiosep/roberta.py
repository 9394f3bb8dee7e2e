"""RoBERTa's folder: the sizes of the transformer, and its tokens. Rule: a missing file is an error that names it.

`config.json` is needed, and either `vocab.json` with `merges.txt`, as in the original, or `tokenizer.json`, which holds
both. Weights in the folder are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import RobertaProcessing

from models.blocks.sections import Section

CONFIG, VOCABULARY, MERGES, TOKENIZER = "config.json", "vocab.json", "merges.txt", "tokenizer.json"
KIND = "roberta"
ACTIVATION = "gelu"
START, PADDING, END, UNKNOWN, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
LEAST_TOKENS = 3  # the start, one of the text, and the end


@dataclass(frozen=True)
class RobertaParams:
    """The sizes, with their names in the configuration. The defaults are those of RoBERTa base."""

    vocab_size: int = 50265
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 514
    type_vocab_size: int = 1
    pad_token_id: int = 1
    layer_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"`{KIND}.num_attention_heads` must divide `hidden_size`, which is {self.hidden_size}.")
        if self.most_tokens < LEAST_TOKENS:
            raise ValueError(f"`{KIND}.max_position_embeddings` leaves no room for a text.")

    @classmethod
    def tiny(cls) -> RobertaParams:
        """Small enough for a test: two narrow layers."""
        return cls(
            vocab_size=300,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=66,
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> RobertaParams:
        """The parameters that a `config.json` describes."""
        if config.get("model_type") != KIND or config.get("hidden_act", ACTIVATION) != ACTIVATION:
            raise ValueError(f"A configuration with `model_type` {KIND} and `hidden_act` {ACTIVATION} is needed.")
        section = Section({KIND: config}, KIND)
        return cls(
            vocab_size=section.integer("vocab_size"),
            hidden_size=section.integer("hidden_size"),
            num_hidden_layers=section.integer("num_hidden_layers"),
            num_attention_heads=section.integer("num_attention_heads"),
            intermediate_size=section.integer("intermediate_size"),
            max_position_embeddings=section.integer("max_position_embeddings"),
            type_vocab_size=section.integer("type_vocab_size"),
            pad_token_id=section.integer("pad_token_id"),
            layer_norm_eps=section.number("layer_norm_eps", cls.layer_norm_eps),
        )

    @property
    def most_tokens(self) -> int:
        """The longest text. Positions start after the index of the padding token."""
        return self.max_position_embeddings - self.pad_token_id - 1


def read_params(folder: Path) -> RobertaParams:
    """The sizes of the transformer. Raises `FileNotFoundError` or `ValueError`."""
    return RobertaParams.from_config(_read_json(folder / CONFIG))


def read_tokenizer(folder: Path, params: RobertaParams) -> Tokenizer:
    """Splits texts into at most as many tokens as the transformer takes. Raises `FileNotFoundError` or `ValueError`."""
    if (folder / VOCABULARY).is_file() and (folder / MERGES).is_file():
        tokenizer = _assembled(folder / VOCABULARY, folder / MERGES)
    else:
        tokenizer = _ready_made(folder / TOKENIZER)
    if tokenizer.get_vocab_size() > params.vocab_size:
        raise ValueError(f"The tokenizer in `{folder}` has more tokens than `{CONFIG}` says in `vocab_size`.")
    tokenizer.enable_truncation(params.most_tokens)
    tokenizer.no_padding()
    return tokenizer


def _assembled(vocabulary: Path, merges: Path) -> Tokenizer:
    """A tokenizer with byte pair encoding, which adds the tokens for the start and the end."""
    known = _read_json(vocabulary)
    for token in (START, END, PADDING, UNKNOWN):
        if token not in known:
            raise ValueError(f"`{vocabulary}` is not a vocabulary of RoBERTa: it lacks `{token}`.")
    try:
        tokenizer = Tokenizer(BPE.from_file(str(vocabulary), str(merges)))
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"`{merges}` does not fit `{vocabulary.name}`: {error}.") from error
    tokenizer.add_special_tokens([START, PADDING, END, UNKNOWN, AddedToken(MASK, lstrip=True)])
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = RobertaProcessing(
        (END, known[END]), (START, known[START]), trim_offsets=True, add_prefix_space=False
    )
    return tokenizer


def _ready_made(path: Path) -> Tokenizer:
    if not path.is_file():
        raise FileNotFoundError(
            f"`{path.parent}` holds no tokenizer; put `{VOCABULARY}` and `{MERGES}` of RoBERTa there."
        )
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"`{path}` is not a tokenizer: {error}.") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"`{path.name}` of RoBERTa is not in `{path.parent}`; put it there.") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{path}` is damaged: it is not JSON.") from error
    if not isinstance(content, dict):
        raise ValueError(f"`{path}` must hold one object.")  # noqa: TRY004 - one error for all of it
    return content
