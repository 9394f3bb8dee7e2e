"""An architecture as somebody would add it: one file, and one row in the table. It multiplies the mix by a gain per stem."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import yaml

from models.architectures import OWN, Architecture

NAME = "toy_gains"
STEMS = ("vocals", "other")
GAINS = (0.25, 0.75)
ROW = Architecture("toy_gains:ToyGains", options=("gain_per_stem",), tensors=("gain_per_stem",))
SOURCE = '''
"""ToyGains: each stem is the mix times a gain."""

from dataclasses import dataclass

import torch
from torch import nn

from models.blocks.sections import Section, output_names


@dataclass(frozen=True)
class ToyGainsParams:
    outputs: int
    channels = 2

    @classmethod
    def tiny(cls):
        return cls(outputs=2)

    @classmethod
    def from_config(cls, config):
        Section(config, "model").reject_unknown(("gain_per_stem",))
        return cls(outputs=len(output_names(config)))


class ToyGains(nn.Module):
    def __init__(self, params):
        super().__init__()
        self.params = params
        self.gain_per_stem = nn.Parameter(torch.zeros(params.outputs, 1, 1))

    def forward(self, mix, stems=None):
        gains = self.gain_per_stem if stems is None else self.gain_per_stem[stems]
        return mix[:, None] * gains
'''


def add_architecture(folder: Path, monkeypatch) -> None:
    """Write the file into `folder`, and put the row into the table until the test is over."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    monkeypatch.setitem(OWN, NAME, ROW)


def write_toy_model(folder: Path) -> tuple[Path, Path]:
    """Write a checkpoint and its configuration; their paths. Its stems are the mix times `GAINS`."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, config = folder / "toy.ckpt", folder / "toy.yaml"
    torch.save({"gain_per_stem": torch.tensor(GAINS)[:, None, None]}, checkpoint)
    sections = {
        "audio": {"sample_rate": 44100, "num_channels": 2, "chunk_size": 44100},
        "model": {"gain_per_stem": True},
        "training": {"instruments": list(STEMS), "target_instrument": None},
        "inference": {"batch_size": 1, "num_overlap": 2},
    }
    config.write_text(yaml.safe_dump(sections), encoding="utf-8")
    return checkpoint, config
