"""One run of a program for people: from what was typed to stems on disk. Knows no worker.

Exit status 0, 1 (a song failed), 2 (usage); a signal ends the process by itself. The engine comes from the caller, so that an answer to a
mistake or to `--help` never waits for torch.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from utils.commandline.display import Display, describe_done, describe_download, describe_result, open_display
from utils.commandline.existing import Results, split_done
from utils.commandline.interrupts import cancelled_by_signals
from utils.commandline.journal import Journal
from utils.commandline.layout import Layout, Run
from utils.commandline.model_list import table
from utils.commandline.options import NoCommandLine, Options, R, Typed, read
from utils.commandline.several import separate_on_devices
from utils.commandline.wording import Wording, one_line
from utils.core.api import EngineApi
from utils.core.errors import DeviceUnavailable, DsuError, ModelError, RequestError, UnknownModel
from utils.core.job import Job, JobCancelled
from utils.core.many_files import AUDIO_EXTENSIONS, collect_inputs, separate_each, unique_tracks
from utils.core.replies import FileDone, ModelDetails, ModelDownloaded
from utils.core.requests import DownloadModel, ListModels, Separate
from utils.core.settings import Settings, resolve

T = TypeVar("T", bound="HasWording")
MakeEngine = Callable[[Settings], EngineApi]
Listing = Callable[[Path, Path | None], Sequence[ModelDetails]]  # of a models directory, and a folder of Demucs models


@dataclass(frozen=True)
class Program(Generic[R]):
    """A command line, and what is known of the requests that it makes."""

    layout: Layout
    understand: Callable[[Typed], Options[R]]  # raises `InvalidRequest`
    find_models: Callable[[EngineApi, R], list[ModelDetails]]  # what is known of the models before they are read
    results: Callable[[R, Sequence[ModelDetails]], Results]  # what is written for each song
    refusal: int = 2  # the exit status where what was typed can be read, but not be done
    mirrors: bool = False  # whether the results of a folder lie in folders as the songs do
    extensions: Collection[str] = AUDIO_EXTENSIONS  # of the files that a folder stands for
    deals: bool = False  # whether several devices share the songs

    def parse(self, argv: Sequence[str]) -> Options[R]:
        """Read a command line. Raises `InvalidRequest`; `--help` and `--version` print and raise `SystemExit`."""
        return self.understand(read(self.layout, argv))

    def main(self, argv: Sequence[str], make_engine: MakeEngine, listing: Listing) -> int:
        """Do what the arguments say and return the exit status."""

        def act(options: Options[R]) -> int:
            if not options.run.list_models:
                return self.run(options, make_engine)
            repo = getattr(options.request, "repo", None)
            models_dir = resolve(options.settings).models_dir
            sys.stdout.writelines(self.list_models(listing, models_dir, Path(repo).expanduser() if repo else None))
            return 0

        return answered(self.layout.program, lambda: self.parse(argv), act, refusal=self.refusal)

    def list_models(self, listing: Listing, models_dir: Path, repo: Path | None) -> Iterable[str]:
        """The lines of `--list-models`: a table for people, and for programs the names that can be given."""
        models = listing(models_dir, repo)
        lines = table(models, sys.stdout) if sys.stdout.isatty() else (model.name for model in models)
        return (f"{line}\n" for line in lines)

    def trees(self, options: Options[R]) -> Sequence[str]:
        """The folders whose trees the results mirror; without any, results of all songs lie side by side."""
        return [path for path in options.tracks if Path(path).is_dir()] if self.mirrors else ()

    def run(self, options: Options[R], make_engine: MakeEngine) -> int:
        """Download and separate."""
        request, settings = options.request, resolve(options.settings)
        is_dealt = self.deals and settings.devices is not None

        def work(engine: EngineApi, job: Job, report: Report) -> list[dict[str, Any]]:
            if options.tracks:
                self._take(options, engine, job, report)
            if not is_dealt:
                report.note(engine.start().warnings)  # before the work, which may take long on another device
            models = self.find_models(engine, request)
            if options.run.skip_existing:
                report.tracks, done = split_done(report.tracks, request, self.results(request, models))
                report.skipped(done, "its results exist")
            for model in models:
                if options.run.download:
                    download(model, engine, job, report)
                elif report.inputs and not model.installed:
                    fetch(model, engine, job)
            if not report.inputs:
                return []
            if is_dealt:
                return separate_on_devices(options.settings, request, job, report)
            return self.separate(engine, options, models, job, report)

        return performed(make_engine(settings), options.run, options.wording, work, self.open_report)

    def _take(self, options: Options[R], engine: EngineApi, job: Job, report: Report) -> None:
        """Find the songs that are meant."""
        inputs = collect_inputs(options.tracks, leave_out=options.request.folder, extensions=self.extensions)
        stems = dict.fromkeys(_stems_among(inputs, options.tracks, engine, job))
        report.take([path for path in inputs if path not in stems], self.trees(options))
        report.skipped(list(stems), "it is a stem that DSU made; name it itself to separate it")

    def open_report(self, run: Run, wording: Wording, journal: Journal) -> AbstractContextManager[Report]:
        """What tells of a run while it lasts."""
        return open_report(run, wording, journal)

    def separate(
        self, engine: EngineApi, options: Options[R], models: Sequence[ModelDetails], job: Job, report: Report
    ) -> list[dict[str, Any]]:
        """Separate the songs of the report; returns the result of each."""
        del models
        return separate_all(engine, options.request, job, report)


# Exit statuses ----------------------------------------------------------------------------------------------------


class HasWording(Protocol):
    """A command line, understood."""

    @property
    def wording(self) -> Wording: ...


def answered(program: str, parse: Callable[[], T], act: Callable[[T], int], *, refusal: int = 2) -> int:
    """The exit status of what a command line asks for, or of what is wrong with it."""
    try:
        options = parse()
    except SystemExit as end:  # argparse has shown the help or the version
        return int(end.code or 0)
    except DsuError as error:
        complain(program, one_line(f"{error.message} {error.hint or ''}"))
        return 2 if isinstance(error, NoCommandLine) else 1 if isinstance(error, ModelError) else refusal
    try:
        return act(options)
    except DsuError as error:
        complain(program, options.wording.of_error(error.message, error.hint, error.field))
        return refusal if isinstance(error, RequestError | DeviceUnavailable) else 1


class ShownJob(Job):
    """A job that a display follows."""

    def __init__(self, display: Display) -> None:
        super().__init__(display.event)
        self.display = display

    def counted(self, stage: str, done: float, total: float) -> None:
        self.display.counted(stage, done, total)


@contextlib.contextmanager
def open_report(run: Run, wording: Wording, journal: Journal) -> Iterator[Report]:
    """A report on stderr."""
    with open_display(sys.stderr) as display:
        yield Report(run, wording, display, journal)


def performed(
    engine: EngineApi,
    run: Run,
    wording: Wording,
    work: Callable[[EngineApi, Job, Report], Sequence[dict[str, Any]]],
    open_report: Callable[[Run, Wording, Journal], AbstractContextManager[Report]] = open_report,
) -> int:
    """The status of a job. The first Ctrl-C ends it, and what is unfinished is rolled back."""
    try:
        with Journal(run.journal) as journal, open_report(run, wording, journal) as report:
            job = ShownJob(report.display)
            with cancelled_by_signals(job, report.display.line) as interrupts:
                try:
                    results = work(engine, job, report)
                except JobCancelled:
                    report.stopped()
                    return interrupts.status
            report.finish(results, job.warnings)
            return 1 if report.failed else 0
    finally:
        engine.close()


def complain(program: str, text: str) -> None:
    sys.stderr.write(f"{program}: {text}\n")


# Work -------------------------------------------------------------------------------------------------------------


def _stems_among(inputs: Sequence[Path], named: Sequence[str], engine: EngineApi, job: Job) -> Iterator[Path]:
    """Results of earlier runs in the folders that were named. A file that was named itself is a song."""
    songs = {os.path.abspath(name) for name in named}  # noqa: PTH100 - links keep their own names
    for path in inputs:
        job.checkpoint()
        if os.path.abspath(path) not in songs and engine.is_own_stem(path):  # noqa: PTH100 - as above
            yield path


def describe_model(engine: EngineApi, wanted: ListModels) -> ModelDetails:
    """The one model that a request names. Raises `UnknownModel`."""
    details = engine.list_models(wanted).details
    if not details:
        raise UnknownModel(f"There is no model `{wanted.model}`.")
    return details[0]


def download(model: ModelDetails, engine: EngineApi, job: Job, report: Report) -> None:
    """Download what is missing of a model, and say where all of it is."""
    try:
        report.downloaded(engine.download_model(DownloadModel(model=model.name), job), model.size_bytes)
    except UnknownModel:
        if not model.installed:
            raise
        report.own(model.name)


def fetch(model: ModelDetails, engine: EngineApi, job: Job) -> None:
    """Download what is missing of a model; offline, this is the one error for all songs."""
    with contextlib.suppress(UnknownModel):  # a model of the user's own: what is wrong with it shows when it is read
        engine.download_model(DownloadModel(model=model.name), job)


def separate_all(
    engine: EngineApi,
    request: Separate,
    job: Job,
    report: Report,
    request_for: Callable[[Path], Separate] | None = None,
) -> list[dict[str, Any]]:
    """The result of each song. If all of them failed that is raised, but each has already said why."""
    try:
        return separate_each(
            engine,
            request,
            report.inputs,
            job,
            report.file_done,
            tracks=list(report.tracks.values()),
            request_for=request_for,
            debug=report.verbose,
        ).results
    except (Exception, SystemExit):
        if report.count < len(report.inputs):
            raise
        return []


class Report:
    """Says what became of each model and each song when it is done, and counts songs."""

    def __init__(self, run: Run, wording: Wording, display: Display, journal: Journal) -> None:
        self._run = run
        self._wording = wording
        self.display = display
        self._journal = journal
        self.tracks: dict[Path, str] = {}  # the songs, and the names that their results have
        self.count = 0
        self._left_out = 0  # songs that were not even begun
        self._skipped = 0
        self._failures: list[str] = []

    @property
    def inputs(self) -> list[Path]:
        return list(self.tracks)

    @property
    def failed(self) -> int:
        return len(self._failures)

    @property
    def verbose(self) -> bool:
        """Whether to show more about each song, and where an unexpected error came from."""
        return self._run.verbose

    def take(self, inputs: Sequence[Path], trees: Sequence[str] = ()) -> None:
        """These are the songs of the run."""
        self.tracks = dict(zip(inputs, unique_tracks(inputs, trees), strict=True))

    def downloaded(self, done: ModelDownloaded, size_bytes: int | None) -> None:
        self._print_paths(done.files)
        self.display.say(describe_download(done, size_bytes))

    def own(self, model: str) -> None:
        self.display.say(f"{model} is your own model; there is nothing to download.")

    def skipped(self, paths: Sequence[Path], reason: str) -> None:
        self._left_out += len(paths)
        for path in paths:
            self._journal.skipped(path)
            self.display.say(f"{path}: skipped, {reason}.")

    def stopped(self) -> None:
        for path in self.inputs[self.count :]:
            self._journal.cancelled(path)
        told = "Stopped. No half-written files are left."
        if 0 < self.count < len(self.inputs):
            told += f" {self._wording.option('skip_existing')} skips the songs that are done."
        self.display.line(told)

    def file_done(self, done: FileDone) -> None:
        self._journal.file_done(done)
        self.count += 1
        if done.ok:
            self._skipped += done.skipped is True
            self._print_paths(dict.fromkeys((done.paths or {}).values()))
            self.separated(done)
        else:
            error = done.error or {}
            text = self._wording.of_error(error.get("message", "failed."), error.get("hint"), error.get("field"))
            self._failures.append(f"{done.input}: {text}")
            self.display.line(self._failures[-1])
            if self.verbose and error.get("code") == DsuError.code:
                self.display.line(error["traceback"].rstrip())

    def separated(self, done: FileDone) -> None:
        """A song has its stems."""
        self.display.say(describe_done(done))

    def note(self, warnings: Sequence[str]) -> None:
        for warning in warnings:
            self.display.line(f"Note: {self._wording.of_warning(warning)}")

    def finish(self, results: Sequence[dict[str, Any]], warnings: Sequence[str]) -> None:
        self.note(warnings)
        if self.verbose:
            for result in results:
                self.display.say(describe_result(result))
        self.summarise()

    def summarise(self) -> None:
        """What became of many songs, with the failures once more: their lines may be far above."""
        skipped = self._skipped + self._left_out
        if self.count + self._left_out < 2:
            return
        if self.failed and self.count > 1:
            self.display.line("")
            for failure in self._failures:
                self.display.line(failure)
        counts = {"done": self.count - self.failed - self._skipped, "failed": self.failed, "skipped": skipped}
        told = [f"{count} {what}" for what, count in counts.items() if count]
        self.display.total(", ".join(told), failed=self.failed > 0)

    def _print_paths(self, paths: Iterable[str]) -> None:
        if self._run.print_paths:
            sys.stdout.write("".join(f"{path}\n" for path in paths))
            sys.stdout.flush()
