"""Stems on their way between two passes of a recipe: float WAV files near the results, which are read like any song."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from utils.audio import temporary
from utils.audio.disk import check_disk_space, output_error
from utils.audio.encoders import Encoder, open_encoder
from utils.audio.formats import OutputFormat
from utils.audio.reading import probe
from utils.core.cleanup import undone_on_exit
from utils.engine.pipeline.background import WriteBehind
from utils.engine.pipeline.graph import GraphStream, Sound, Tap
from utils.engine.pipeline.song import Samples
from utils.engine.pipeline.track import Track

Keep = Callable[[Tap, temporary.HeldFile], Path]  # where the file of a stem stays


def recorded_track(path: Path) -> Track:
    """A recorded stem as the song of a later pass."""
    return Track(path, probe(path), path.stem)


class Recorder:
    """Records stems. Leaving it removes what it has recorded, unless somebody keeps it elsewhere."""

    def __init__(self, folder: Path, keep: Keep | None = None) -> None:
        self._folder = folder
        self._keep = keep or (lambda _, part: part.path)
        self._parts: list[temporary.HeldFile] = []
        self._registered = ExitStack()

    def __enter__(self) -> Self:
        self._registered.enter_context(undone_on_exit(self._discard))
        temporary.remove_stale_parts([temporary.part_folder(self._folder / "stem")])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()
        self._registered.close()

    def _discard(self) -> None:
        for part in list(self._parts):
            part.discard()

    def record(self, stream: GraphStream, taps: Iterable[Tap]) -> dict[Tap, Track]:
        """Run a graph to its end and keep these of its stems."""
        sounds = {tap: stream.wells[tap.step].sounds[tap.stem] for tap in taps}
        formats = {tap: OutputFormat("wav", "FLOAT", None, sound.sample_rate, "none") for tap, sound in sounds.items()}
        needed = (formats[tap].size_bytes(sound.frames, sound.channels) for tap, sound in sounds.items())
        check_disk_space(self._folder, sum(needed))
        with ExitStack() as stack:
            files = {tap: self._open(sound, formats[tap]) for tap, sound in sounds.items()}
            for _, encoder in files.values():
                stack.callback(encoder.abandon)
            with (
                WriteBehind[tuple[Tap, Samples]](lambda item: _write(files, *item)) as writer,
                closing(stream.recorded(sounds)) as blocks,
            ):
                for block in blocks:
                    writer.put(block)
            for _, encoder in files.values():
                encoder.close()
            stack.pop_all()
        kept = {tap: self._keep(tap, part) for tap, (part, _) in files.items()}
        return {tap: recorded_track(path) for tap, path in kept.items()}

    def _open(self, sound: Sound, form: OutputFormat) -> tuple[temporary.HeldFile, Encoder]:
        target = self._folder / "stem.wav"
        try:
            part = temporary.HeldFile(target)
        except OSError as error:
            raise output_error(error, target) from error
        self._parts.append(part)
        return part, open_encoder(part.path, form, channels=sound.channels, frames=sound.frames)


def _write(files: Mapping[Tap, tuple[temporary.HeldFile, Encoder]], tap: Tap, samples: Samples) -> None:
    files[tap][1].write(np.ascontiguousarray(samples.T))
