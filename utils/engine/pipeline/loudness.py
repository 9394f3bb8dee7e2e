"""The gain by which a job's files are as loud as the request says: measured while they are written, the same for all."""

from __future__ import annotations

from collections.abc import Sequence

from utils.audio.loudness import LoudnessMeter
from utils.core.job import Job
from utils.core.peaks import Loudness
from utils.engine.pipeline.song import Samples


class JobLoudness:
    """Listens to the song and, where that is what counts, to the sum of its stems."""

    def __init__(self, asked: Loudness | None, sample_rate: int, channels: int) -> None:
        self._asked = asked
        self._song = self._stems = None
        if asked is not None and asked.lufs is not None:
            self._song = LoudnessMeter(sample_rate, channels)
        if asked is not None and asked.lufs == "input":
            self._stems = LoudnessMeter(sample_rate, channels)
        self.settings: dict[str, object] = {}  # what was measured, for `done`

    def add(self, song: Samples, stems: Sequence[Samples]) -> None:
        if self._song is not None:
            self._song.add(song)
        if self._stems is not None:
            self._stems.add(sum(stems[1:], start=stems[0]))

    def gain(self, job: Job) -> float:
        """What all files are multiplied by; 1 if nothing was asked for. Call it once, at the end."""
        if self._asked is None or self._song is None:
            return 1.0
        song, stems = self._song.finish(), self._stems.finish() if self._stems is not None else None
        measured = {"song_lufs": song, "stems_lufs": stems}
        self.settings = {name: round(value, 2) for name, value in measured.items() if value is not None}
        gain = self._asked.gain(song, stems)
        if gain is None:
            job.warn("What is silent, or shorter than 0.4 s, has no loudness, so it was left at its level.")
        return 1.0 if gain is None else gain
