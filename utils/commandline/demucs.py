"""`dsu-demucs SONG ...`: from what was typed to stems on disk, for people. Exit status 0, 1 (a song failed), 2 (usage).

The engine comes from the caller, so that an answer to a mistake or to `--help` never waits for torch.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from utils.commandline.display import Display, describe_file, open_display
from utils.commandline.existing import split_done
from utils.commandline.interrupts import cancelled_by_signals
from utils.commandline.options import PROGRAM, Options, parse
from utils.core.api import Engine
from utils.core.errors import DeviceUnavailable, DsuError, RequestError, UnknownModel
from utils.core.inputs import collect_inputs, separate_each
from utils.core.job import Job, JobCancelled
from utils.core.replies import FileDone, ModelDetails
from utils.core.requests import DownloadModel, ListModels
from utils.core.settings import Settings, resolve

MakeEngine = Callable[[Settings], Engine]
ListModelNames = Callable[[Path, Path | None], list[str]]


def main(argv: list[str], make_engine: MakeEngine, list_model_names: ListModelNames) -> int:
    """Do what the arguments say and answer the exit status."""
    try:
        options = parse(argv)
    except SystemExit as asked:  # argparse has shown the help or the version
        return int(asked.code or 0)
    except DsuError as error:
        _complain(error)
        return 2
    try:
        settings = resolve(options.settings)
        if options.list_models:
            repo = options.request.repo
            names = list_model_names(settings.models_dir, Path(repo).expanduser() if repo else None)
            sys.stdout.writelines(f"{name}\n" for name in names)
            return 0
        return run(options, settings, make_engine)
    except DsuError as error:
        _complain(error)
        return 2 if isinstance(error, RequestError | DeviceUnavailable) else 1
    except KeyboardInterrupt:  # before there is a job that could be cancelled
        return 128 + signal.SIGINT


def run(options: Options, settings: Settings, make_engine: MakeEngine) -> int:
    engine = make_engine(settings)
    try:
        with open_display(sys.stderr) as display:
            return separate(options, settings, engine, display)
    finally:
        engine.close()


def separate(options: Options, settings: Settings, engine: Engine, display: Display) -> int:
    """Separate all songs; the first Ctrl-C ends the work, and what is unfinished is rolled back."""
    job = Job(display.event)
    report = Report(options, display)
    with cancelled_by_signals(job, display.line) as interrupts:
        try:
            inputs = collect_inputs(options.tracks, leave_out=options.request.output)
            engine.start()
            model = find_model(options, engine)
            if options.skip_existing:
                inputs, done = split_done(inputs, options.request, model.stems)
                report.skipped(done)
            if inputs and not model.installed and not settings.offline:
                engine.download_model(DownloadModel(model=model.name), job)
            results = separate_all(options, engine, inputs, job, report) if inputs else []
        except JobCancelled:
            display.line("Stopped. Nothing half-written was left.")
            return interrupts.status
    report.finish(results, job.warnings)
    return report.status


def separate_all(
    options: Options, engine: Engine, inputs: Sequence[Path], job: Job, report: Report
) -> list[dict[str, Any]]:
    """What became of each song. If all of them failed that is raised, but each has already told why."""
    try:
        return separate_each(engine, options.request, inputs, job, report.file_done).results
    except (Exception, SystemExit):
        if report.count < len(inputs):
            raise
        return []


def find_model(options: Options, engine: Engine) -> ModelDetails:
    """What is known of the model before it is read."""
    asked = ListModels(details=True, repo=options.request.repo, model=options.request.model)
    details = engine.list_models(asked).details
    if not details:
        raise UnknownModel(f"There is no model `{options.request.model}`.")
    return details[0]


class Report:
    """Tells of each song when it is done, and counts."""

    def __init__(self, options: Options, display: Display) -> None:
        self._options = options
        self._display = display
        self.count = 0
        self.failed = 0

    @property
    def status(self) -> int:
        return 1 if self.failed else 0

    def skipped(self, paths: Sequence[Path]) -> None:
        for path in paths:
            self._display.line(f"{path}: skipped, its results exist.")

    def file_done(self, done: FileDone) -> None:
        self.count += 1
        if done.ok:
            if self._options.print_paths:
                sys.stdout.write("".join(f"{path}\n" for path in (done.paths or {}).values()))
                sys.stdout.flush()
        else:
            self.failed += 1
        self._display.line(describe_file(done))

    def finish(self, results: list[dict[str, Any]], warnings: list[str]) -> None:
        for warning in warnings:
            self._display.line(f"Note: {warning}")
        if self._options.verbose:
            for result in results:
                self._display.line(describe_result(result))


def describe_result(result: dict[str, Any]) -> str:
    """How one separation went, for `--verbose`."""
    if result["status"] != "done":
        return f"{result['code']}: {result['message']}"
    timing = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result["timing"].items())
    settings = ", ".join(f"{name} {value}" for name, value in result.get("settings", {}).items())
    return (
        f"{result['output_dir']}: {result['duration']:.1f} s of audio in {result['elapsed']:.1f} s "
        f"({result['speed']:.1f} times real time) with {result['model']} on {result['device']}; {timing}; {settings}"
    )


def _complain(error: DsuError) -> None:
    hint = f" {error.hint}" if error.hint else ""
    sys.stderr.write(f"{PROGRAM}: {error.message}{hint}\n")
