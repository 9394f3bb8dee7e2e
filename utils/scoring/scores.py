"""The scores of one stem, from two files that are read twice, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import msgspec
import numpy as np

from utils.audio.paths import shown
from utils.audio.reading import open_audio, probe
from utils.core.errors import InvalidRequest
from utils.scoring.energies import PairEnergies, SecondBySecond, Signal
from utils.scoring.pairs import Pair
from utils.scoring.spectra import Differences, MelFrames, Spectrogram, mel_filters


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """Those of one stem; None where there is none, as of silence."""

    stem: str
    reference: str
    estimate: str
    sample_rate: int
    samples: int  # that were compared
    sdr: float | None
    si_sdr: float | None
    sdr_median: float | None  # over seconds
    seconds: int  # in which neither is silent
    bleedless: float | None
    fullness: float | None


METRICS = ("sdr", "si_sdr", "sdr_median", "bleedless", "fullness")


def score(pair: Pair, *, trim: bool = False) -> Scores:
    """Raises `InvalidRequest` where the files cannot be compared. With `trim`, what one has more than the other is left out."""
    info, other = probe(pair.reference), probe(pair.estimate)
    for what, own, found in (
        ("Hz", info.sample_rate, other.sample_rate),
        ("channels", info.channels, other.channels),
    ):
        if own != found:
            raise InvalidRequest(
                f"'{shown(pair.reference)}' has {own} {what} and '{shown(pair.estimate)}' has {found}.",
                hint="Only files of the same form can be compared. `dsu separate` keeps the rate of the song.",
            )
    filters = mel_filters(info.sample_rate)
    energies, frames, samples = PairEnergies(), SecondBySecond(info.sample_rate), 0
    spectra = [MelFrames(filters, info.channels) for _ in range(2)]
    loudest = [0.0, 0.0]

    def listen(number: int, found: Iterator[Spectrogram]) -> None:
        loudest[number] = max(loudest[number], *(float(one.max()) for one in found), 0.0)

    for blocks in _in_step(pair, trim=trim):
        energies.add(*blocks)
        frames.add(*blocks)
        samples += blocks[0].shape[1]
        for number, block in enumerate(blocks):
            listen(number, spectra[number].push(block))
    for number in range(2):
        listen(number, spectra[number].finish())
    differences = Differences(*loudest) if energies.truth else None
    if differences is not None:
        for truth, estimate in _spectra_in_step(pair, [MelFrames(filters, info.channels) for _ in range(2)], trim=trim):
            differences.add(truth, estimate)
    return Scores(
        stem=pair.name,
        reference=str(pair.reference),
        estimate=str(pair.estimate),
        sample_rate=info.sample_rate,
        samples=samples,
        sdr=_rounded(energies.sdr),
        si_sdr=_rounded(energies.si_sdr),
        sdr_median=_rounded(frames.median),
        seconds=len(frames.values),
        bleedless=_rounded(differences.bleedless if differences else None),
        fullness=_rounded(differences.fullness if differences else None),
    )


def mean(scores: list[Scores]) -> dict[str, float | None]:
    """Of each metric, over the stems that have it."""
    found = {name: [value for one in scores if (value := getattr(one, name)) is not None] for name in METRICS}
    return {name: _rounded(float(np.mean(values))) if values else None for name, values in found.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _in_step(pair: Pair, *, trim: bool) -> Iterator[tuple[Signal, Signal]]:
    """Blocks of both files, of the same samples. Raises `InvalidRequest` where one is longer, unless it is to be trimmed."""
    with ExitStack() as stack:
        readers: list[Iterator[Signal]] = []
        for path in (pair.reference, pair.estimate):
            info = probe(path)
            audio = stack.enter_context(open_audio(path, sample_rate=info.sample_rate, channels=info.channels))
            readers.append(iter(audio))
        waiting: list[Signal | None] = [next(reader, None) for reader in readers]
        done = 0
        while (first := waiting[0]) is not None and (second := waiting[1]) is not None:
            count = min(first.shape[1], second.shape[1])
            yield first[:, :count], second[:, :count]
            done += count
            for number, (block, reader) in enumerate(zip((first, second), readers, strict=True)):
                rest = block[:, count:]
                waiting[number] = rest if rest.shape[1] else next(reader, None)
        if trim or all(block is None for block in waiting):
            return
        lengths = [done + _left(block, reader) for block, reader in zip(waiting, readers, strict=True)]
    raise InvalidRequest(
        f"'{shown(pair.reference)}' has {lengths[0]} samples and '{shown(pair.estimate)}' has {lengths[1]}.",
        hint="Stems of a song are as long as the song. With --trim, only what both have is compared, from the start.",
    )


def _left(block: Signal | None, reader: Iterator[Signal]) -> int:
    return 0 if block is None else block.shape[1] + sum(one.shape[1] for one in reader)


def _spectra_in_step(pair: Pair, spectra: list[MelFrames], *, trim: bool) -> Iterator[tuple[Spectrogram, Spectrogram]]:
    """Both spectrograms: blocks of both signals have the same length, so they complete the same frames."""
    for blocks in _in_step(pair, trim=trim):
        yield from zip(*(one.push(block) for one, block in zip(spectra, blocks, strict=True)), strict=True)
    yield from zip(*(one.finish() for one in spectra), strict=True)
