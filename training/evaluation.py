"""Evaluation on held-out synthetic songs and a real excerpt, against the untrained baselines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from tools import metrics
from tools.metrics import Signal
from training import baselines
from training.composing import STEMS
from training.excerpt import excerpt_path, read_excerpt
from training.loop import build_net
from training.mixing import Bank, Mixer
from training.separating import separate
from utils.store.network_config import read_config

SONGS, SONG_SAMPLES, SONG_SEED = 24, 8 * 44100, 2025
FRAME = 44100

Separator = Callable[[Signal], Signal]


class ExampleSong(NamedTuple):
    """A mix (channels, samples) and its stems (stems, channels, samples)."""

    mix: Signal
    stems: Signal


def evaluate(config_path: Path, weights: Mapping[str, torch.Tensor], bank: Path) -> dict[str, Any]:
    """The scores of the trained network and of the baselines on each data set, and the speed."""
    config = read_config(config_path)
    trained, fresh = build_net(config_path, seed=1), build_net(config_path, seed=2)
    trained.load_state_dict(dict(weights))
    separators: dict[str, Separator] = {
        "dsu_mini": lambda mix: separate(trained, config, mix),
        "without learning": baselines.without_learning,
        "random weights": lambda mix: separate(fresh, config, mix),
        "the mixture": baselines.mixture,
    }
    sets = {"held_out": held_out_songs(bank), "excerpt": real_songs()}
    report: dict[str, Any] = {
        name: {separator: _scores(songs, separators[separator]) for separator in separators}
        for name, songs in sets.items()
        if songs
    }
    report["times_realtime"] = round(speed(trained, config), 2)
    report["threads"] = torch.get_num_threads()
    return report


def held_out_songs(bank: Path) -> list[ExampleSong]:
    """Mixtures of sounds that training never used, always the same. Panning gives no hint of the stem."""
    mixer = Mixer(Bank(bank / "held_out"), SONG_SAMPLES, SONG_SEED, places=False)
    drawn = [mixer.draw() for _ in range(SONGS)]
    return [ExampleSong(example.mix.numpy(), example.stems.numpy()) for example in drawn]


def real_songs() -> list[ExampleSong]:
    path = excerpt_path()
    return [ExampleSong(*read_excerpt(path))] if path else []


def _scores(songs: list[ExampleSong], separator: Separator) -> dict[str, list[float]]:
    """SDR, SI-SDR and median frame SDR of each stem, averaged over the songs in which the stem is not silent."""
    measures: dict[str, Callable[[Signal, Signal], float]] = {
        "sdr": metrics.sdr,
        "si_sdr": metrics.si_sdr,
        "frame_sdr": lambda truth, estimate: metrics.frame_sdr(truth, estimate, FRAME),
    }
    values: dict[str, list[list[float]]] = {name: [[] for _ in STEMS] for name in measures}
    for song in songs:
        estimates = separator(song.mix)
        for stem, (truth, estimate) in enumerate(zip(song.stems, estimates, strict=True)):
            if metrics.energy(truth) > 0:
                for name, measure in measures.items():
                    values[name][stem].append(measure(truth, estimate))
    return {name: [round(float(np.mean(stem)), 2) for stem in stems] for name, stems in values.items()}


def speed(net: nn.Module, config: Mapping[str, Any], duration_s: float = 30.0) -> float:
    """Seconds of music that are separated per second."""
    noise = np.random.default_rng(0).standard_normal((2, round(duration_s * 44100))).astype(np.float32) * np.float32(
        0.1
    )
    separate(net, config, noise[:, : config["audio"]["chunk_size"]])
    started = time.perf_counter()
    separate(net, config, noise)
    return duration_s / (time.perf_counter() - started)


def write_report(report: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def as_table(report: Mapping[str, Any]) -> str:
    """The report as Markdown: a table per data set of SDR (SI-SDR; median frame SDR)."""
    parts = []
    for name, title in (("held_out", "Held-out synthetic songs"), ("excerpt", "Real excerpt")):
        if name in report:
            head = f"| {title} | {' | '.join(STEMS)} | mean |\n|---|{'---|' * (len(STEMS) + 1)}\n"
            parts.append(head + "\n".join(_row(separator, scores) for separator, scores in report[name].items()))
    parts.append(f"Speed: {report['times_realtime']} times realtime with {report['threads']} threads.")
    return "\n\n".join(parts) + "\n"


def _row(separator: str, scores: Mapping[str, list[float]]) -> str:
    cells = [
        f"{sdr:.2f} ({si_sdr:.2f}; {frames:.2f})"
        for sdr, si_sdr, frames in zip(scores["sdr"], scores["si_sdr"], scores["frame_sdr"], strict=True)
    ]
    return f"| {separator} | {' | '.join(cells)} | {np.mean(scores['sdr']):.2f} |"
