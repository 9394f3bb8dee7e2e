"""Make the files of AudioSep with seeded random weights, in the formats and with the names of layers that public ones have.

Small ones stand in for trained models wherever the whole path from text and file to stem must run in seconds; full-size
ones show how fast it is. What comes out of them is not what the text says.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor

from models.audiosep.resunet import ResUNet30, ResUNet30Params
from models.audiosep.roberta import ACTIVATION, END, KIND, MASK, PADDING, START, UNKNOWN, RobertaParams
from models.audiosep.text import ClapText
from tools.make_vr_mdx import random_weights

WIDTHS = (4, 4, 6, 8, 12, 16, 16, 16)

# Pairs that are joined, first ones first; `Ġ` is a space.
JOINED = ("a n", "an d", "Ġ s", "i n", "in g", "e r", "Ġ d", "Ġ v", "o c", "Ġv oc", "a l", "Ġvoc al", "r u", "m s")

# By how much layers are stronger than fresh ones: texts and masks that are all alike would hide mistakes.
CONDITION_GAIN = 8.0
MASK_GAIN = 3.0


class AudioSepFiles(NamedTuple):
    """What `load_model` names in `config_path`, `checkpoint_path`, `clap_checkpoint_path` and `roberta_dir`."""

    config: Path
    checkpoint: Path
    clap_checkpoint: Path
    roberta_dir: Path


def write_audiosep(folder: Path, *, seed: int = 0, full_size: bool = False) -> AudioSepFiles:
    """Write `audiosep.yaml`, `audiosep.ckpt`, `clap.pt` and the folder `roberta`."""
    files = AudioSepFiles(folder / "audiosep.yaml", folder / "audiosep.ckpt", folder / "clap.pt", folder / "roberta")
    files.roberta_dir.mkdir(parents=True, exist_ok=True)
    roberta = RobertaParams() if full_size else RobertaParams.tiny()
    write_roberta(files.roberta_dir, roberta)
    clap = clap_weights(roberta, seed + 1)
    config = audiosep_config(None if full_size else WIDTHS)
    files.config.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    torch.save(lightning_content(resunet_weights(config, seed), clap), files.checkpoint)
    save_as_older_numpy(clap_content(clap), files.clap_checkpoint)
    return files


# The separator ------------------------------------------------------------------------------------------------------


def audiosep_config(widths: tuple[int, ...] | None) -> dict[str, Any]:
    """The public configuration; without `widths` the network has its full size."""
    model: dict[str, Any] = {
        "query_net": "CLAP",
        "condition_size": 512,
        "model_type": "ResUNet30",
        "input_channels": 1,
        "output_channels": 1,
        "resume_checkpoint": "",
        "use_text_ratio": 1.0,
    }
    if widths is not None:
        model["widths"] = list(widths)
    return {
        "task_name": "AudioSep",
        "data": {"sampling_rate": 32000, "segment_seconds": 5},
        "model": model,
        "train": {"optimizer": {"optimizer_type": "AdamW", "learning_rate": 1e-3}, "random_seed": 1234},
    }


def resunet_weights(config: Mapping[str, Any], seed: int) -> dict[str, Tensor]:
    """Weights that let each condition show in the output."""
    with torch.device("meta"):
        net = ResUNet30(ResUNet30Params.from_config(config))
    gains = {"film": CONDITION_GAIN, "base.after_conv": MASK_GAIN}
    return {
        key: tensor * next((gain for start, gain in gains.items() if key.startswith(start)), 1)
        for key, tensor in random_weights(net, seed).items()
    }


def lightning_content(resunet: Mapping[str, Tensor], clap: Mapping[str, Tensor]) -> dict[str, Any]:
    """A checkpoint of the trainer: the separator, its transforms as matrices (here cut short), and CLAP once more."""
    transforms = {
        f"base.{name}": torch.ones(1, 1, 1)
        for name in ("stft.conv_real.weight", "stft.conv_imag.weight", "istft.conv_real.weight", "istft.ola_window")
    }
    return {
        "epoch": 0,
        "global_step": 4_000_000,
        "pytorch-lightning_version": "1.8.6",
        "state_dict": {
            **{f"ss_model.{key}": tensor for key, tensor in {**resunet, **transforms}.items()},
            **{f"query_encoder.model.{key}": tensor for key, tensor in clap.items()},
        },
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 1e-3, "params": [0]}]}],
        "lr_schedulers": [{"last_epoch": 4_000_000, "lr_lambdas": [None]}],
    }


# CLAP -----------------------------------------------------------------------------------------------------------------


def clap_weights(roberta: RobertaParams, seed: int) -> dict[str, Tensor]:
    """All of CLAP by its layers' names: the text half, and of what is not needed a little."""
    with torch.device("meta"):
        text = ClapText(roberta)
    positions = torch.arange(roberta.max_position_embeddings)[None]
    return {
        "logit_scale_a": torch.tensor(2.6),
        "logit_scale_t": torch.tensor(2.6),
        "audio_branch.bn0.weight": torch.ones(64),
        "audio_branch.patch_embed.proj.weight": torch.ones(8, 1, 4, 4),
        "text_branch.embeddings.position_ids": positions,
        **random_weights(text, seed),
        "text_transform.sequential.0.weight": torch.ones(8, 8),
        "audio_projection.0.weight": torch.ones(8, 8),
    }


def clap_content(clap: Mapping[str, Tensor]) -> dict[str, Any]:
    """A checkpoint as CLAP's trainer writes it: from several cards, with a learning rate that is a number of NumPy."""
    return {
        "epoch": 15,
        "name": "music_speech_audioset",
        "state_dict": {f"module.{key}": tensor for key, tensor in clap.items()},
        "optimizer": {"state": {}, "param_groups": [{"lr": np.float64(1e-4), "params": [0]}]},
    }


def save_as_older_numpy(content: Mapping[str, Any], path: Path) -> None:
    """Save as with NumPy 1, under whose names public checkpoints hold numbers."""
    torch.save(dict(content), path, pickle_module=SimpleNamespace(__name__=__name__, Pickler=_OlderNumpy))


_Pickler: Any = pickle._Pickler  # noqa: SLF001 - the only one that can be told how to name a function


class _OlderNumpy(_Pickler):  # type: ignore[misc]  # a base that the type checker does not know
    def save_global(self, obj: Any, name: str | None = None) -> None:
        if getattr(obj, "__module__", "") == "numpy._core.multiarray":
            self.write(pickle.GLOBAL + f"numpy.core.multiarray\n{obj.__name__}\n".encode())
            self.memoize(obj)
        else:
            super().save_global(obj, name)


# RoBERTa --------------------------------------------------------------------------------------------------------------


def write_roberta(folder: Path, params: RobertaParams) -> None:
    """Write `config.json`, `vocab.json` and `merges.txt`."""
    tokens = {token: number for number, token in enumerate(vocabulary_of(params.vocab_size))}
    config = {
        "architectures": ["RobertaForMaskedLM"],
        "model_type": KIND,
        "hidden_act": ACTIVATION,
        **asdict(params),
        "bos_token_id": tokens[START],
        "eos_token_id": tokens[END],
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    (folder / "vocab.json").write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *JOINED, ""]), encoding="utf-8", newline="\n")


def vocabulary_of(size: int) -> list[str]:
    """Marks, single bytes and joined pairs, filled up with tokens that no text has."""
    tokens = [START, PADDING, END, UNKNOWN, *sorted(ByteLevel.alphabet()), *(pair.replace(" ", "") for pair in JOINED)]
    return [*tokens, *(f"unused{number}" for number in range(size - len(tokens) - 1)), MASK]
