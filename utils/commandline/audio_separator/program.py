"""The program: what the arguments ask for, in the package's words and with its exit statuses.

0 is success, 1 that something failed or that there was nothing to do, 2 a wrong option; a signal ends the process by itself.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path, PurePath
from typing import cast

from utils import __version__
from utils.commandline.audio_separator.listing import as_json, chosen, models_table, presets_table
from utils.commandline.audio_separator.messages import Log, Messages, duration
from utils.commandline.audio_separator.options import (
    LAYOUT,
    WITHOUT_EFFECT,
    PackageRun,
    models_of,
    parse,
    take_model_folder,
    understand,
)
from utils.commandline.existing import Results, expected_stems, split_done
from utils.commandline.interrupts import cancelled_by_signals
from utils.commandline.journal import Journal
from utils.commandline.options import Options, Typed, new_parser
from utils.commandline.program import Listing, MakeEngine, Report, complain, describe_model, download, fetch
from utils.commandline.wording import one_line
from utils.core.api import EngineApi
from utils.core.errors import DsuError, UnknownModel
from utils.core.job import Job, JobCancelled
from utils.core.many_files import collect_inputs, separate_each
from utils.core.package_request import PackageSeparate
from utils.core.replies import FileDone, ModelDetails
from utils.core.requests import ListModels, Separate
from utils.core.settings import Settings, resolve
from utils.store.package_catalogue import package_models, presets

FOLDERS = ("audio-separator", "bsroformer", "demucs")  # below the models directory, where the user's own models are
CLI, SEPARATOR = "cli", "separator"  # modules of the package, as its log names them


def main(argv: Sequence[str], make_engine: MakeEngine, listing: Listing) -> int:
    """Do what the arguments say and return the exit status."""
    del listing  # the package has a list of its own
    try:
        typed = parse(argv)
    except SystemExit as end:  # argparse has shown the help or the version
        return int(end.code or 0)
    except DsuError as error:
        complain(LAYOUT.program, one_line(f"error: {error.message} {error.hint or ''}"))
        return 2
    try:
        return _act(typed, Log(sys.stderr, cast(PackageRun, typed.run).level), make_engine)
    except DsuError as error:
        complain(LAYOUT.program, f"error: {typed.wording.of_error(error.message, error.hint, error.field)}")
        return 1


def _act(typed: Typed, log: Log, make_engine: MakeEngine) -> int:
    run = cast(PackageRun, typed.run)
    if run.env_info:
        _show_environment(log)
        return 0
    if run.list_models:
        take_model_folder(typed.words)
        models = package_models(resolve(typed.given(("models_dir",))).models_dir)
        if run.list_format == "json":
            sys.stdout.write(as_json(models) + "\n")
        else:
            sys.stdout.writelines(f"{line}\n" for line in models_table(chosen(models, run.list_filter, run.list_limit)))
        return 0
    if run.list_presets:
        sys.stdout.writelines(f"{line}\n" for line in presets_table(presets()))
        return 0
    if not typed.words.tracks and not run.download:
        new_parser(LAYOUT).print_help()
        return 1
    return _run(understand(typed), log, make_engine)


def _show_environment(log: Log) -> None:
    log.say("info", SEPARATOR, f"Separator version {__version__}")
    log.say("info", SEPARATOR, f"Operating System: {platform.system()} {platform.version()}")
    log.say(
        "info", SEPARATOR, f"System: {platform.system()} Release: {platform.release()} Machine: {platform.machine()}"
    )
    log.say("info", SEPARATOR, f"Python Version: {platform.python_version()}")
    for title, package in (("PyTorch", "torch"), ("ONNX Runtime", "onnxruntime")):
        try:
            log.say("info", SEPARATOR, f"{title} Version: {metadata.version(package)}")
        except metadata.PackageNotFoundError:  # a frozen program has the package without what pip notes about it
            log.say("debug", SEPARATOR, f"{title} Version: unknown")


# Work -------------------------------------------------------------------------------------------------------------


def _run(options: Options[Separate], log: Log, make_engine: MakeEngine) -> int:
    """Download and separate."""
    settings = resolve(options.settings)
    messages = Messages(log)
    for option, reason in WITHOUT_EFFECT.items():
        if getattr(options.run, option):
            log.say("warning", CLI, f"{options.wording.option(option)} has no effect: {reason}.")
    engine = make_engine(settings)
    try:
        with Journal(options.run.journal) as journal:
            report, job = PackageReport(options, messages, journal), Job(messages.event)
            with cancelled_by_signals(job, messages.line) as interrupts:
                try:
                    if options.run.download:
                        _download(engine, options, settings, job, report)
                    else:
                        _separate(engine, options, settings, job, report)
                except JobCancelled:
                    report.stopped()
                    return interrupts.status
            return report.close(job.warnings)
    finally:
        log.end_bar()
        engine.close()


def _download(
    engine: EngineApi, options: Options[Separate], settings: Settings, job: Job, report: PackageReport
) -> None:
    names = models_of(options.request)
    for name in names:
        report.line(f"Separator version {__version__} downloading model {name} to directory {settings.models_dir}")
    report.warn(engine.start().warnings)
    for name in names:
        details = _details(engine, name, settings)
        if details is None:
            report.own(name)
        else:
            download(details, engine, job, report)
    report.line(f"Model {', '.join(names)} downloaded successfully.")


def _separate(
    engine: EngineApi, options: Options[Separate], settings: Settings, job: Job, report: PackageReport
) -> None:
    request = options.request
    report.line(f"Separator version {__version__} beginning with input path(s): {', '.join(options.tracks)}")
    report.take(collect_inputs(options.tracks, leave_out=request.folder))
    report.warn(engine.start().warnings)
    stems: tuple[str | None, ...] = (None,)
    for name in models_of(request):
        details = _details(engine, name, settings)
        if details is not None:
            stems = expected_stems(request, details.stems)
            if not details.installed:
                fetch(details, engine, job)
    if options.run.skip_existing:
        report.tracks, done = split_done(report.tracks, request, Results(PurePath(request.model or "").name, stems))
        report.skipped(done, "its results exist")
    if report.inputs:
        report.begin()
        try:
            names = list(report.tracks.values())
            separate_each(engine, request, report.inputs, job, report.file_done, tracks=names, debug=report.verbose)
        except (Exception, SystemExit):
            if report.count < len(report.inputs):  # otherwise each has said why it failed
                raise


def _details(engine: EngineApi, name: str, settings: Settings) -> ModelDetails | None:
    """What is known of a model; None for a file of the user's own. Raises `UnknownModel`."""
    try:
        return describe_model(engine, ListModels(details=True, model=name))
    except UnknownModel:
        folders = (Path(), settings.models_dir, *(settings.models_dir / below for below in FOLDERS))
        if any((folder / Path(name).expanduser()).is_file() for folder in folders):
            return None
        raise


class PackageReport(Report):
    """Says in the package's words what became of each song."""

    def __init__(self, options: Options[Separate], messages: Messages, journal: Journal) -> None:
        super().__init__(options.run, options.wording, messages, journal)
        self._request = options.request
        self._messages = messages
        self._files: list[str] = []
        self._began = time.monotonic()

    @property
    def verbose(self) -> bool:
        return self._messages.log.shows("debug")

    def line(self, text: str) -> None:
        self._messages.log.say("info", CLI, text)

    def warn(self, warnings: Sequence[str]) -> None:
        for warning in warnings:
            self._messages.log.say("warning", CLI, warning)

    def begin(self) -> None:
        """The next song has its turn."""
        path = self.inputs[self.count]
        self._began = time.monotonic()
        self._messages.next_bar()
        self._messages.log.say("info", SEPARATOR, f"Processing file: {path}")
        self._messages.log.say("info", SEPARATOR, f"Starting separation process for audio_file_path: {path}")

    def file_done(self, done: FileDone) -> None:
        self._journal.file_done(done)
        self.count += 1
        log = self._messages.log
        if done.ok:
            self._messages.complete()
            paths = done.paths or {}
            self._print_paths(paths.values())
            for stem, path in paths.items():
                log.say("info", SEPARATOR, f"Saving {stem} stem to {PurePath(path).name}...")
            self._files += [self._shown(path) for path in paths.values()]
            log.say("info", SEPARATOR, f"Separation duration: {duration(time.monotonic() - self._began)}")
        else:
            error = done.error or {}
            text = self._wording.of_error(error.get("message", "failed."), error.get("hint"), error.get("field"))
            log.say("error", SEPARATOR, f"Failed to process file {done.input}: {text}")
            if self.verbose and error.get("code") == DsuError.code:
                log.say("debug", SEPARATOR, error["traceback"].rstrip())
            self._failures.append(f"{done.input}: {text}")
        if self.count < len(self.inputs):
            self.begin()

    def _shown(self, path: str) -> str:
        """A file as the last line names it: of one model without its folder."""
        several = isinstance(self._request, PackageSeparate) and self._request.ensemble
        return path if several else PurePath(path).name

    def close(self, warnings: Sequence[str]) -> int:
        """Say how it all went, and return the exit status."""
        log = self._messages.log
        for warning in warnings:
            log.say("warning", SEPARATOR, one_line(warning))
        if self._failures:
            listed = "; ".join(self._failures)
            log.say("error", CLI, f"Separation failed: Separation failed for {self.failed} input(s): {listed}")
            return 1
        if self._files:
            log.say("info", CLI, f"Separation complete! Output file(s): {' '.join(self._files)}")
        return 0
