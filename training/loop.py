"""The training loop: seeded, resumable and limited by time, on the CPU or a GPU.

The learning rate follows the time used, so that its decay ends with the run. The moving average of the weights (EMA)
is what gets evaluated and exported.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from models.mask_unet import MaskUnet, MaskUnetParams
from training.composing import STEMS
from training.loss import energies, loss_of, without_parts
from training.mixing import Bank, Examples, Mixer
from utils.store.network_config import read_config

LONGEST_STEP_S = 30.0  # more was a pause, such as a computer that slept, and does not count
VALIDATION_EXAMPLES, VALIDATION_SAMPLES = 36, 130048  # with 12 examples the SDR was noisy by half a decibel
VALIDATION_BATCH = 4
VALIDATION_SEED = 99
WARM_UP_STEPS = 60
LOUDNESS_DB = 4.0  # standard deviation of the examples' loudness, since it varies within songs too
OTHER = STEMS.index("other")
USES = 2  # of each batch: as drawn, then with its stems exchanged between its examples


@dataclass(frozen=True)
class TrainingRun:
    """The settings of a training run."""

    config: Path  # of the network
    bank: Path
    folder: Path
    minutes: float
    batch_size: int = 8
    segment_samples: int = 130048  # 128 frames
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    ema: float = 0.997
    clip: float = 5.0
    seed: int = 1
    threads: int = 2  # parts of a batch that are computed in parallel
    loaders: int = 1  # processes that draw examples
    save_every_s: float = 180.0


@dataclass
class State:
    """How far a run is."""

    step: int = 0
    used_s: float = 0.0


def build_net(config_path: Path, seed: int) -> MaskUnet:
    """The network of a configuration with random weights."""
    torch.manual_seed(seed)
    return MaskUnet(MaskUnetParams.from_config(read_config(config_path)))


def train(run: TrainingRun) -> Path:
    """Train until the time is used up. An interrupted run resumes from its last checkpoint."""
    _set_up_thread()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run.folder.mkdir(parents=True, exist_ok=True)
    net = build_net(run.config, run.seed).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = build_net(run.config, run.seed).to(device).eval()
    optimiser = torch.optim.AdamW(net.parameters(), run.learning_rate, betas=(0.9, 0.99), weight_decay=run.weight_decay)
    state = _resume(run, net, average, optimiser)
    batches = _batches(run, state)
    held_out = validation_set(run)
    saved = before = time.monotonic()
    losses: list[tuple[float, float]] = []
    with ThreadPoolExecutor(run.threads, initializer=_set_up_thread) as pool:
        while state.used_s < run.minutes * 60:
            for group in optimiser.param_groups:
                group["lr"] = run.learning_rate * schedule(state.step, state.used_s / (run.minutes * 60))
            stems, merged = next(batches)
            losses.append(_step(run, net, optimiser, stems.to(device), merged.to(device), pool))
            state.step += 1
            _follow(average, net, min(run.ema, (1 + state.step) / (10 + state.step)))
            now = time.monotonic()
            state.used_s += min(now - before, LONGEST_STEP_S)
            before = now
            if now - saved > run.save_every_s:
                _save(run, net, average, optimiser, state)
                _log(run, state, losses, validate(average, held_out, device))
                saved, losses = time.monotonic(), []
    _save(run, net, average, optimiser, state)
    _log(run, state, losses, validate(average, held_out, device))
    return run.folder


def schedule(step: int, used: float) -> float:
    """The factor of the learning rate: warm-up, then cosine decay to a fiftieth. `used` is the fraction of time used."""
    return min(1.0, (step + 1) / WARM_UP_STEPS) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, used))))


def _step(
    run: TrainingRun,
    net: MaskUnet,
    optimiser: torch.optim.Optimizer,
    stems: Tensor,
    merged: Tensor,
    pool: ThreadPoolExecutor,
) -> tuple[float, float]:
    """One update; its loss and gradient norm. Each thread does forward and backward for its part of the batch, so they
    wait for each other once per step and not in every operation, which is many times slower on busy cores.
    """
    optimiser.zero_grad(set_to_none=False)
    parts = min(run.threads, len(stems)) if stems.device.type == "cpu" else 1

    def backward(part: int) -> float:
        loss = _loss(net, stems[part::parts], merged[part::parts]) / parts
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        return float(loss.detach())

    losses = list(pool.map(backward, range(parts)))
    norm = float(nn.utils.clip_grad_norm_(net.parameters(), run.clip))
    optimiser.step()
    return sum(losses), norm


def _loss(net: MaskUnet, stems: Tensor, merged: Tensor) -> Tensor:
    """The loss of examples given by their stems, (batch, stems, channels, samples)."""
    with torch.no_grad():
        mix = net.stft(stems.sum(dim=1))
        wanted = energies(net, mix, net.stft(without_parts(stems, merged, dim=1)))
    return loss_of(without_parts(net.shares(mix), merged, dim=3), wanted)


def _set_up_thread() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


@torch.no_grad()
def _follow(average: nn.Module, net: nn.Module, keep: float) -> None:
    for mean, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, 1 - keep)


def _batches(run: TrainingRun, state: State) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of stems, and which examples are merged. A resumed run draws new examples."""
    examples = Examples(run.bank / "train", run.segment_samples, run.batch_size, run.seed * 100_000 + state.step)
    loader = DataLoader(examples, batch_size=None, num_workers=run.loaders, prefetch_factor=4 if run.loaders else None)
    chance = torch.Generator().manual_seed(run.seed * 100_000 + state.step)
    for stems, merged in loader:
        for use in range(USES):
            if use > 0:
                stems, merged = exchanged(stems, merged, chance)  # noqa: PLW2901 - each use exchanges again
            yield levelled(stems, chance), merged


def exchanged(stems: Tensor, merged: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """New examples from the stems of a batch: each kind of stem is permuted over the examples.

    Music without separate stems is `other`, so whether an example is merged moves with that stem.
    """
    count, kinds = stems.shape[:2]
    orders = [torch.randperm(count, generator=chance) for _ in range(kinds)]
    return torch.stack([stems[order, kind] for kind, order in enumerate(orders)], dim=1), merged[orders[OTHER]]


def levelled(stems: Tensor, chance: torch.Generator) -> Tensor:
    """Normalised to a standard deviation of about one, as the engine does, with some random variation."""
    loudness = stems.sum(dim=1).std(dim=(1, 2)).clamp_min(1e-4)
    wanted = 10 ** (torch.randn(len(stems), generator=chance) * LOUDNESS_DB / 20)
    return stems * (wanted / loudness)[:, None, None, None]


# Validation ---------------------------------------------------------------------------------------------------------


def validation_set(run: TrainingRun) -> tuple[Tensor, Tensor]:
    """Mixes of held-out sounds and their stems, always the same."""
    mixer = Mixer(Bank(run.bank / "held_out"), VALIDATION_SAMPLES, VALIDATION_SEED)
    drawn = torch.stack([mixer.draw().stems for _ in range(VALIDATION_EXAMPLES)])
    stems = drawn / drawn.sum(dim=1).std(dim=(1, 2))[:, None, None, None]
    return stems.sum(dim=1), stems


@torch.inference_mode()
def validate(net: MaskUnet, held_out: tuple[Tensor, Tensor], device: torch.device) -> dict[str, Any]:
    """The loss, and the SDR of each stem over all examples."""
    mixes, stems = held_out
    parts = [slice(start, start + VALIDATION_BATCH) for start in range(0, len(mixes), VALIDATION_BATCH)]
    estimates = torch.cat([net(mixes[part].to(device)).cpu() for part in parts])
    wanted = stems.square().sum(dim=(0, 2, 3))
    missed = (stems - estimates).square().sum(dim=(0, 2, 3))
    values = (10 * torch.log10(wanted / missed)).tolist()
    known = torch.zeros(VALIDATION_BATCH, dtype=torch.bool, device=device)
    loss = float(np.mean([float(_loss(net, stems[part].to(device), known)) for part in parts]))
    return {"held_out_loss": round(loss, 5), "held_out_sdr": [round(value, 2) for value in values]}


# Checkpoints --------------------------------------------------------------------------------------------------------


def checkpoint_path(folder: Path) -> Path:
    return folder / "checkpoint.pt"


def _save(run: TrainingRun, net: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, state: State) -> None:
    content = {
        "net": net.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
        "state": vars(state),
    }
    part = run.folder / "checkpoint.part"
    torch.save(content, part)
    part.replace(checkpoint_path(run.folder))


def _resume(run: TrainingRun, net: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> State:
    if not checkpoint_path(run.folder).exists():
        return State()
    content = torch.load(checkpoint_path(run.folder), weights_only=True, map_location="cpu")
    net.load_state_dict(content["net"])
    average.load_state_dict(content["average"])
    optimiser.load_state_dict(content["optimiser"])
    return State(**content["state"])


def _log(run: TrainingRun, state: State, losses: list[tuple[float, float]], held_out: dict[str, Any]) -> None:
    line = {
        "step": state.step,
        "minutes": round(state.used_s / 60, 2),
        "loss": round(sum(loss for loss, _ in losses) / max(1, len(losses)), 5),
        "gradient_norm": round(sum(norm for _, norm in losses) / max(1, len(losses)), 5),
        **held_out,
    }
    with (run.folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
