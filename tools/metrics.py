"""Separation quality in dB. Arrays are (channels, samples)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float32]

LEAST = 1e-10
LOWEST_DB, HIGHEST_DB = -60.0, 100.0


def ratio_db(wanted: float, unwanted: float) -> float:
    return float(np.clip(10 * np.log10((wanted + LEAST) / (unwanted + LEAST)), LOWEST_DB, HIGHEST_DB))


def sdr(truth: Signal, estimate: Signal) -> float:
    """Signal-to-distortion ratio: energy of the truth over energy of the difference, over all channels."""
    return ratio_db(energy(truth), energy(truth - estimate))


def si_sdr(truth: Signal, estimate: Signal) -> float:
    """Scale-invariant SDR: the truth is scaled to fit the estimate."""
    scale = float(np.vdot(truth, estimate)) / (energy(truth) + LEAST)
    scaled = truth * scale
    return ratio_db(energy(scaled), energy(estimate - scaled))


def frame_sdr(truth: Signal, estimate: Signal, frame: int) -> float:
    """The median SDR over frames in which the stem is not silent, without museval's distortion filters."""
    starts = range(0, truth.shape[1] - frame + 1, frame)
    pairs = [(truth[:, i : i + frame], estimate[:, i : i + frame]) for i in starts]
    loudest = max((energy(wanted) for wanted, _ in pairs), default=0.0)
    values = [sdr(wanted, given) for wanted, given in pairs if energy(wanted) > loudest * 1e-4]
    return float(np.median(values)) if values else float("nan")


def energy(signal: Signal) -> float:
    return float(np.square(signal, dtype=np.float64).sum())
