"""What one `separate` needs around its request: samples become a temporary file, and stems become samples again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from .audio import NamedSamples, read_wav, write_wav
from .errors import RequestError
from .protocol import Done

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from .audio import Samples, Sound

Pathname: TypeAlias = "str | PathLike[str]"


class Stems(NamedSamples):
    """The stems of a song by their names, as samples; `reply` is what the worker said."""

    def __init__(self, samples: Mapping[str, Samples], sample_rate: int, reply: Done) -> None:
        super().__init__(samples, sample_rate)
        self.reply = reply

    def __repr__(self) -> str:
        return f"<Stems {', '.join(self)} at {self.sample_rate} Hz>"


class SeparateJob:
    """The request for one song, and its result. Temporary files are gone when the block ends, whatever happens.

    Without `output` the stems are read back as samples; then nothing stays on the disk.
    """

    def __init__(
        self,
        song: Pathname | Sound,
        sample_rate: int | None,
        output: Pathname | None,
        options: Mapping[str, Any],
    ) -> None:
        self._song = song
        self._sample_rate = sample_rate
        self._output = output
        self._options = options
        self._folder: Path | None = None
        if is_path(song) and sample_rate is not None:
            raise RequestError("`sample_rate` is for samples; a file has its own.", field="sample_rate")
        if not is_path(song) and not (isinstance(sample_rate, int) and sample_rate > 0):
            raise RequestError("Samples need their `sample_rate` in Hz.", field="sample_rate")
        if output is None:
            for name, only in (("format", "wav"), ("pcm_type", "FLOAT"), ("subtype", "FLOAT")):
                if options.get(name, only) != only:
                    raise RequestError(f"`{name}` is for files: give `output`, the folder for them.", field=name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def request(self) -> dict[str, Any]:
        """Write what has to be written first, and say what to send."""
        request = dict(self._options)
        if is_path(self._song):
            request["input"] = str(Path(fspath(self._song)).expanduser().absolute())
        else:
            song = self._temporary() / "song.wav"
            write_wav(song, self._song, self._sample_rate or 0)
            request["input"] = song
        if self._output is None:
            request |= {"output_dir": self._temporary(), "format": "wav", "pcm_type": "FLOAT"}
            request.setdefault("clip", "none")
            request.pop("subtype", None)
        else:
            request["output_dir"] = str(Path(self._output).expanduser().absolute())
        return request

    def result(self, reply: Done) -> Done | Stems:
        """The reply itself where the stems stay files, else their samples."""
        if self._output is not None:
            return reply
        read = {name: read_wav(Path(path)) for name, path in reply["paths"].items()}
        return Stems({name: samples for name, (samples, _) in read.items()}, reply["sample_rate"], reply)

    def _temporary(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="dsu-client-"))
        return self._folder


def is_path(song: object) -> TypeIs[Pathname]:
    """Whether this names a file, rather than being its samples."""
    return isinstance(song, str | PathLike)
