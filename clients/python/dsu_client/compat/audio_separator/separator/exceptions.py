"""The errors that audio-separator raises for songs and files, and how those of a worker become them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping

from dsu_client.errors import InputError, ModelError, OutputError, RequestError


class InvalidAudioDataError(ValueError):
    """The song cannot be read, or holds nothing that could be separated."""


class AudioExportError(RuntimeError):
    """A stem cannot be written to `path`."""

    def __init__(self, message: str, *, path: str, backend: str) -> None:
        super().__init__(message)
        self.path = path
        self.backend = backend


class BatchSeparationError(RuntimeError):
    """Some songs of a list or folder failed: `failures` has them with their errors, `successful_files` what was written."""

    def __init__(
        self,
        successful_files: Iterable[str],
        failures: Mapping[str, Exception] | Iterable[tuple[str, Exception]],
    ) -> None:
        self.successful_files = list(successful_files)
        self.failures = list(failures.items() if isinstance(failures, Mapping) else failures)
        reasons = "; ".join(f"{path}: {error}" for path, error in self.failures)
        super().__init__(f"{len(self.failures)} songs could not be separated. {reasons}")


@contextlib.contextmanager
def translated(path: str = "") -> Iterator[None]:
    """Raise the errors of a worker as those that callers of audio-separator expect."""
    try:
        yield
    except InputError as error:
        kind = FileNotFoundError if error.code == "input_not_found" else InvalidAudioDataError
        raise kind(str(error)) from error
    except OutputError as error:
        raise AudioExportError(str(error), path=path, backend="dsu") from error
    except ModelError as error:
        if error.code == "unknown_model":
            raise ValueError(f"The model was not found in supported model files. {error}") from error
        raise RuntimeError(str(error)) from error
    except RequestError as error:
        if error.field == "format":
            raise AudioExportError(str(error), path=path, backend="dsu") from error
        raise ValueError(str(error)) from error
