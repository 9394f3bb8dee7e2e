"""`DSU` and `AsyncDSU`: a worker for programs that wait, and one for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, Unpack, cast, overload

from .connection import Connection, Item, Limits, Pending
from .errors import DSUError, RequestError
from .job import Pathname, SeparateJob, Stems
from .live import LiveSegment, Receiver
from .locate import find_program
from .methods import AsyncCommands, Commands, OnProgress
from .protocol import Done, FileDone, ManyDone, SeparateOptions
from .signals import signals_raised

if TYPE_CHECKING:
    from .audio import Sound

T = TypeVar("T")
OnFile: TypeAlias = Callable[[FileDone], object]
OnLine: TypeAlias = Callable[[dict[str, Any]], object]
# A wait that a signal cannot interrupt, as on Windows, must not be long: Ctrl+C counts when it ends.
INTERRUPTIBLE_S = 0.2


class _Client:
    """How a worker is found and started, the same for both kinds of programs."""

    def __init__(
        self,
        kind: str = "dsu",
        *,
        directory: Pathname | None = None,
        python: Pathname | None = None,
        command: Sequence[str] | None = None,
        device: str | None = None,
        models_dir: Pathname | None = None,
        threads: int | None = None,
        max_cached_models: int | None = None,
        offline: bool = False,
        strict: bool = False,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: Pathname | None = None,
        limits: Limits | None = None,
    ) -> None:
        program = list(command) if command is not None else find_program(kind, directory, python)
        values = {
            "--device": device,
            "--models-dir": models_dir,
            "--threads": threads,
            "--max-cached-models": max_cached_models,
        }
        words = [word for flag, value in values.items() if value is not None for word in (flag, str(value))]
        switches = [flag for flag, on in (("--offline", offline), ("--strict", strict)) if on]
        self._connection = Connection(
            [*program, "--worker", *words, *switches, *args],
            env=env,
            cwd=None if cwd is None else fspath(cwd),
            limits=limits or Limits(),
        )

    @property
    def command(self) -> list[str]:
        """What starts the worker."""
        return self._connection.command

    @property
    def pid(self) -> int | None:
        """The id of the worker's process, once it was started."""
        return self._connection.pid

    def cancel(self) -> None:
        """Ask for the end of all requests; whoever waits for them gets `JobCancelled`. For any thread."""
        self._connection.cancel_all()


def _listener(on_progress: OnProgress | None, on_file: OnFile | None = None, on_line: OnLine | None = None) -> OnLine:
    """One function for each line, which calls those that want it."""

    def hear(line: dict[str, Any]) -> None:
        if on_line:
            on_line(line)
        if on_progress and line["status"] in {"progress", "downloading"}:
            on_progress(cast("Any", line))
        if on_file and line["status"] == "file_done":
            on_file(cast("FileDone", line))

    return hear


def _many(inputs: Iterable[Pathname], output: Pathname, options: Mapping[str, Any]) -> dict[str, Any]:
    """The request for many files and folders."""
    if isinstance(inputs, str | PathLike):
        raise RequestError("`inputs` is a list of files and folders.", field="inputs")
    paths = [str(Path(path).expanduser().absolute()) for path in inputs]
    return {**options, "cmd": "separate", "inputs": paths, "output_dir": str(Path(output).expanduser().absolute())}


class DSU(_Client, Commands):
    """A worker. It starts with its first request, and ends with the block or with `close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker. What it was doing is cancelled."""
        self._connection.close()

    def send(self, request: Mapping[str, Any], *, on_line: OnLine | None = None) -> dict[str, Any]:
        """Send a request and wait for the line that ends it; an exception meanwhile, Ctrl+C too, cancels it first."""
        items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        pending = self._connection.send(request, items.put)
        try:
            while True:
                item = _next(items)
                if isinstance(item, DSUError):
                    raise item  # noqa: TRY301  in both faces the error came from elsewhere
                if on_line:
                    on_line(item)
                if pending.is_last(item):
                    return item
        except DSUError:
            raise
        except BaseException:
            self._connection.cancel(pending)
            while not (isinstance(item := _next(items), DSUError) or pending.is_last(item)):
                continue
            raise

    def _command(self, cmd: str, options: Mapping[str, Any], on_progress: OnProgress | None) -> Any:
        return self.send({**options, "cmd": cmd}, on_line=_listener(on_progress))

    @overload
    def separate(
        self,
        song: Pathname | Sound,
        *,
        sample_rate: int | None = None,
        output: None = None,
        on_progress: OnProgress | None = None,
        on_line: OnLine | None = None,
        **options: Unpack[SeparateOptions],
    ) -> Stems: ...

    @overload
    def separate(
        self,
        song: Pathname | Sound,
        *,
        sample_rate: int | None = None,
        output: Pathname,
        on_progress: OnProgress | None = None,
        on_line: OnLine | None = None,
        **options: Unpack[SeparateOptions],
    ) -> Done: ...

    def separate(
        self,
        song: Pathname | Sound,
        *,
        sample_rate: int | None = None,
        output: Pathname | None = None,
        on_progress: OnProgress | None = None,
        on_line: OnLine | None = None,
        **options: Unpack[SeparateOptions],
    ) -> Done | Stems:
        """Separate a file, or samples with their rate: into the folder `output`, or else into samples."""
        hear = _listener(on_progress, None, on_line)
        with signals_raised(), SeparateJob(song, sample_rate, output, options) as job:
            reply = self.send({**job.request(), "cmd": "separate"}, on_line=hear)
            return job.result(cast("Done", reply))

    def separate_files(
        self,
        inputs: Iterable[Pathname],
        output: Pathname,
        *,
        on_progress: OnProgress | None = None,
        on_file: OnFile | None = None,
        **options: Unpack[SeparateOptions],
    ) -> ManyDone:
        """Separate many files and folders; one that fails does not stop the rest."""
        reply = self.send(_many(inputs, output, options), on_line=_listener(on_progress, on_file))
        return cast("ManyDone", reply)

    def stream(
        self,
        song: Pathname | Sound,
        *,
        sample_rate: int | None = None,
        on_progress: OnProgress | None = None,
        on_line: OnLine | None = None,
        **options: Unpack[SeparateOptions],
    ) -> Generator[LiveSegment]:
        """The stems of a file, or of samples with their rate, as they are finished. Leaving the loop cancels the job.

        They come in order, or with `start_at` as `seek` wants them. A slow loop slows the worker down; nothing piles up.
        """
        with signals_raised(), SeparateJob(song, sample_rate, None, options) as job, Receiver() as receiver:
            request = live_request(job.request(), receiver.address)
            hear = _listener(on_progress, None, on_line)
            pending = self._connection.send(request, lambda item: _hear(pending, item, receiver, hear))
            try:
                while (segment := _soon(receiver.take)) is not None:
                    yield segment
            except BaseException:
                self._connection.cancel(pending)
                receiver.close()
                _soon(receiver.last)
                raise
            last = _soon(receiver.last)
            if isinstance(last, DSUError):
                raise last


def _next(items: queue.SimpleQueue[Item]) -> Item:
    while True:
        with contextlib.suppress(queue.Empty):
            return items.get(timeout=INTERRUPTIBLE_S)


class AsyncDSU(_Client, AsyncCommands):
    """A worker whose requests are awaited. Cancelling a task cancels its request, and waits until that has ended."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the worker. What it was doing is cancelled."""
        await asyncio.shield(asyncio.to_thread(self._connection.close))

    async def send(self, request: Mapping[str, Any], *, on_line: OnLine | None = None) -> dict[str, Any]:
        """Send a request and wait for the line that ends it; an exception meanwhile cancels it first."""
        loop = asyncio.get_running_loop()
        items: asyncio.Queue[Item] = asyncio.Queue()

        def tell(item: Item) -> None:
            with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
                loop.call_soon_threadsafe(items.put_nowait, item)

        pending = self._connection.send(request, tell)
        try:
            while True:
                item = await items.get()
                if isinstance(item, DSUError):
                    raise item  # noqa: TRY301  in both faces the error came from elsewhere
                if on_line:
                    on_line(item)
                if pending.is_last(item):
                    return item
        except DSUError:
            raise
        except BaseException:
            self._connection.cancel(pending)
            await self._ended(pending.is_last, items)
            raise

    async def _ended(self, is_last: Callable[[dict[str, Any]], bool], items: asyncio.Queue[Item]) -> None:
        """Wait for the end of a cancelled request, even where the task is cancelled again."""
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                item = await items.get()
                if isinstance(item, DSUError) or is_last(item):
                    return

    async def _command(self, cmd: str, options: Mapping[str, Any], on_progress: OnProgress | None) -> Any:
        return await self.send({**options, "cmd": cmd}, on_line=_listener(on_progress))

    @overload
    async def separate(
        self,
        song: Pathname | Sound,
        *,
        sample_rate: int | None = None,
        output: None = None,
        on_progress: OnProgress | None = None,
        on_line: OnLine | None = None,
        **options: Unpack[SeparateOptions],
    ) -> Stems: ...

    @overload
    async def separate(
        self,
        song: Pathname | Sound,
        *,
        sample_rate: int | None = None,
        output: Pathname,
        on_progress: OnProgress | None = None,
        on_line: OnLine | None = None,
        **options: Unpack[SeparateOptions],
    ) -> Done: ...

    async def separate(
        self,
        song: Pathname | Sound,
        *,
        sample_rate: int | None = None,
        output: Pathname | None = None,
        on_progress: OnProgress | None = None,
        on_line: OnLine | None = None,
        **options: Unpack[SeparateOptions],
    ) -> Done | Stems:
        """Separate a file, or samples with their rate: into the folder `output`, or else into samples."""
        hear = _listener(on_progress, None, on_line)
        with SeparateJob(song, sample_rate, output, options) as job:
            request = await asyncio.to_thread(job.request)
            reply = await self.send({**request, "cmd": "separate"}, on_line=hear)
            return await asyncio.to_thread(job.result, cast("Done", reply))

    async def separate_files(
        self,
        inputs: Iterable[Pathname],
        output: Pathname,
        *,
        on_progress: OnProgress | None = None,
        on_file: OnFile | None = None,
        **options: Unpack[SeparateOptions],
    ) -> ManyDone:
        """Separate many files and folders; one that fails does not stop the rest."""
        reply = await self.send(_many(inputs, output, options), on_line=_listener(on_progress, on_file))
        return cast("ManyDone", reply)

    async def stream(
        self,
        song: Pathname | Sound,
        *,
        sample_rate: int | None = None,
        on_progress: OnProgress | None = None,
        on_line: OnLine | None = None,
        **options: Unpack[SeparateOptions],
    ) -> AsyncGenerator[LiveSegment]:
        """The stems of a file, or of samples with their rate, as they are finished. Closing the generator cancels the job.

        They come in order, or with `start_at` as `seek` wants them. A slow loop slows the worker down; nothing piles up.
        """
        with SeparateJob(song, sample_rate, None, options) as job, Receiver() as receiver:
            request = live_request(await asyncio.to_thread(job.request), receiver.address)
            loop = asyncio.get_running_loop()
            hear = _listener(on_progress, None, on_line)

            def hear_on_the_loop(line: dict[str, Any]) -> None:
                with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
                    loop.call_soon_threadsafe(hear, line)

            pending = self._connection.send(request, lambda item: _hear(pending, item, receiver, hear_on_the_loop))
            try:
                while (segment := await _soon_async(receiver.take)) is not None:
                    yield segment
            except BaseException:
                self._connection.cancel(pending)
                await asyncio.shield(asyncio.to_thread(_give_up, receiver))
                raise
            last = await _soon_async(receiver.last)
            if isinstance(last, DSUError):
                raise last


# Live stems ---------------------------------------------------------------------------------------------------------


def live_request(request: Mapping[str, Any], address: str) -> dict[str, Any]:
    """A request for stems that come through a pipe and leave no files."""
    if "stream" in request:
        raise RequestError("`stream` is what this method is for. Leave it out.", field="stream")
    return {**request, "cmd": "separate", "stream": {"pipe": address, "files": False}}


def _hear(pending: Pending, item: Item, receiver: Receiver, hear: OnLine) -> None:
    """Take a line of the job, on the thread that reads them."""
    is_last = isinstance(item, DSUError) or pending.is_last(item)
    if not isinstance(item, DSUError):
        hear(item)
    if is_last:
        receiver.ended(item)


def _soon(take: Callable[[float], T]) -> T:
    while True:
        with contextlib.suppress(queue.Empty):
            return take(INTERRUPTIBLE_S)


async def _soon_async(take: Callable[[float], T]) -> T:
    while True:
        with contextlib.suppress(queue.Empty):
            return await asyncio.to_thread(take, INTERRUPTIBLE_S)


def _give_up(receiver: Receiver) -> None:
    receiver.close()
    _soon(receiver.last)
