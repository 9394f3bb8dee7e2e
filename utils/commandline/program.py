"""One run of a program for people: from what was typed to stems on disk. Knows no worker.

Exit status 0, 1 (a song failed), 2 (usage), 128 + signal. The engine comes from the caller, so that an answer to a
mistake or to `--help` never waits for torch.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from utils.commandline.display import Display, describe_done, describe_download, describe_result, open_display
from utils.commandline.existing import Results, split_done
from utils.commandline.interrupts import cancelled_by_signals
from utils.commandline.journal import Journal
from utils.commandline.options import Options, R
from utils.commandline.wording import one_line
from utils.core.api import Engine
from utils.core.errors import DeviceUnavailable, DsuError, RequestError, UnknownModel
from utils.core.job import Job, JobCancelled
from utils.core.many_files import collect_inputs, separate_each
from utils.core.replies import FileDone, ModelDetails, ModelDownloaded
from utils.core.requests import DownloadModel, ListModels
from utils.core.settings import Settings, resolve

MakeEngine = Callable[[Settings], Engine]


@dataclass(frozen=True)
class Program(Generic[R]):
    """What a program has of its own."""

    name: str
    parse: Callable[[Sequence[str]], Options[R]]
    make_engine: MakeEngine
    list_names: Callable[[Path, R], list[str]]  # what can be named, with this models directory
    find_models: Callable[[Engine, R], list[ModelDetails]]  # what is known of the models before they are read
    results: Callable[[R, Sequence[ModelDetails]], Results]  # what is written for each song


def main(program: Program[R], argv: Sequence[str]) -> int:
    """Do what the arguments say and answer the exit status."""
    try:
        options = program.parse(argv)
    except SystemExit as asked:  # argparse has shown the help or the version
        return int(asked.code or 0)
    except DsuError as error:
        _complain(program.name, one_line(f"{error.message} {error.hint or ''}"))
        return 2
    try:
        settings = resolve(options.settings)
        if options.list_models:
            names = program.list_names(settings.models_dir, options.request)
            sys.stdout.writelines(f"{name}\n" for name in names)
            return 0
        return _run(program, options, settings)
    except DsuError as error:
        _complain(program.name, options.wording.of_error(error.message, error.hint, error.field))
        return 2 if isinstance(error, RequestError | DeviceUnavailable) else 1
    except KeyboardInterrupt:  # before there is a job that could be cancelled
        return 128 + signal.SIGINT


def describe_model(engine: Engine, asked: ListModels) -> ModelDetails:
    """What is known of the one model that is asked for."""
    details = engine.list_models(asked).details
    if not details:
        raise UnknownModel(f"There is no model `{asked.model}`.")
    return details[0]


def _run(program: Program[R], options: Options[R], settings: Settings) -> int:
    """With an engine, and with a display that suits the terminal."""
    engine = program.make_engine(settings)
    try:
        with open_display(sys.stderr) as display, Journal(options.journal) as journal:
            return _work(program, options, settings, engine, Report(options, display, journal), display)
    finally:
        engine.close()


def _work(
    program: Program[R], options: Options[R], settings: Settings, engine: Engine, report: Report, display: Display
) -> int:
    """Fetch and separate; the first Ctrl-C ends the work, and what is unfinished is rolled back."""
    job = Job(display.event)
    with cancelled_by_signals(job, display.line) as interrupts:
        inputs: list[Path] = []
        try:
            inputs = collect_inputs(options.tracks, leave_out=options.request.folder) if options.tracks else []
            engine.start()
            models = program.find_models(engine, options.request)
            if options.skip_existing:
                inputs, done = split_done(inputs, options.request, program.results(options.request, models))
                report.skipped(done)
            if options.download:
                _download(models, engine, job, report)
            elif inputs and not settings.offline:
                _download_missing(models, engine, job)
            results = _separate_all(options, engine, inputs, job, report) if inputs else []
        except JobCancelled:
            report.stopped(inputs[report.count :])
            return interrupts.status
    report.finish(results, job.warnings)
    return report.status


def _download_missing(models: Sequence[ModelDetails], engine: Engine, job: Job) -> None:
    for model in models:
        if not model.installed:
            engine.download_model(DownloadModel(model=model.name), job)


def _download(models: Sequence[ModelDetails], engine: Engine, job: Job, report: Report) -> None:
    """Fetch what is missing of each model, and tell where all of it is."""
    for model in models:
        try:
            report.downloaded(engine.download_model(DownloadModel(model=model.name), job), model.size_bytes)
        except UnknownModel:
            if not model.installed:
                raise
            report.own(model.name)


def _separate_all(
    options: Options[R], engine: Engine, inputs: Sequence[Path], job: Job, report: Report
) -> list[dict[str, Any]]:
    """What became of each song. If all of them failed that is raised, but each has already told why."""
    try:
        return separate_each(engine, options.request, inputs, job, report.file_done).results
    except (Exception, SystemExit):
        if report.count < len(inputs):
            raise
        return []


class Report:
    """Tells of each model and each song when it is done, and counts songs."""

    def __init__(self, options: Options[Any], display: Display, journal: Journal) -> None:
        self._options = options
        self._display = display
        self._journal = journal
        self.count = 0
        self.failed = 0

    @property
    def status(self) -> int:
        return 1 if self.failed else 0

    def downloaded(self, done: ModelDownloaded, size_bytes: int | None) -> None:
        self._print_paths(done.files)
        self._display.line(describe_download(done, size_bytes))

    def own(self, model: str) -> None:
        self._display.line(f"{model} is a model of your own; there is nothing to download.")

    def skipped(self, paths: Sequence[Path]) -> None:
        for path in paths:
            self._journal.skipped(path)
            self._display.line(f"{path}: skipped, its results exist.")

    def stopped(self, unfinished: Sequence[Path]) -> None:
        for path in unfinished:
            self._journal.cancelled(path)
        self._display.line("Stopped. Nothing half-written was left.")

    def file_done(self, done: FileDone) -> None:
        self._journal.file_done(done)
        self.count += 1
        if done.ok:
            self._print_paths((done.paths or {}).values())
            self._display.line(describe_done(done))
        else:
            self.failed += 1
            error = done.error or {}
            told = self._options.wording.of_error(
                error.get("message", "failed."), error.get("hint"), error.get("field")
            )
            self._display.line(f"{done.input}: {told}")

    def finish(self, results: Sequence[dict[str, Any]], warnings: Sequence[str]) -> None:
        for warning in warnings:
            self._display.line(f"Note: {one_line(warning)}")
        if self._options.verbose:
            for result in results:
                self._display.line(describe_result(result))

    def _print_paths(self, paths: Iterable[str]) -> None:
        if self._options.print_paths:
            sys.stdout.write("".join(f"{path}\n" for path in paths))
            sys.stdout.flush()


def _complain(program: str, text: str) -> None:
    sys.stderr.write(f"{program}: {text}\n")
