"""`dsu batch`, from its start to its end. What it needs is imported when it is known to be there."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from utils.cluster.options import PROGRAM, BatchOptions, read
from utils.core.errors import DsuError
from utils.core.settings import resolve

if TYPE_CHECKING:
    from utils.cluster.driver import BatchStopped, Driver
    from utils.cluster.manifest import KnownModels
    from utils.cluster.plan import Plan

NEEDED = ("ray", "pyarrow", "fsspec")
ROOT = Path(__file__).resolve().parents[2]
FAILED, USAGE = 1, 2
STARTS = 4  # of Ray on this machine


def main(argv: Sequence[str]) -> int:
    """Do what the arguments say and return the exit status: 1 if a song failed or the batch could not go on, 2 if nothing was started."""
    try:
        return batch(read(argv))
    except KeyboardInterrupt:  # before anything was under way
        return -signal.SIGINT
    except DsuError as error:
        _complain(error)
        return USAGE
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        _say(
            f"{PROGRAM}: The package {error.name} is missing. `python3 run.py batch` installs what a batch needs, or "
            "`pip install -r requirements-batch.txt`."
        )
        return USAGE


def batch(options: BatchOptions) -> int:
    from utils.cluster import results
    from utils.cluster.driver import Driver
    from utils.cluster.ledger import DriverLease, Ledger
    from utils.cluster.plan import Plan
    from utils.cluster.storage import Store
    from utils.cluster.watching import Watch, progress_for

    with ExitStack() as stack:
        plan = Plan()
        stack.callback(plan.close)
        models = _models(options)
        store = Store(options.out, options.storage)
        if not _fill(plan, options, models):
            return USAGE
        if options.only_checks:
            _say(f"{sum(plan.counts().values())} rows are in order.")
            return 0
        store.prove_writable()
        lease = DriverLease(store)
        stack.callback(lease.release)
        ledger = Ledger(store, plan)
        stack.callback(ledger.close)
        ledger.load()
        stack.enter_context(_ray(options))
        watch = Watch(progress_for(as_lines=options.as_lines), options.hourly_cost, metrics=True)
        stack.callback(watch.close)
        driver = Driver(options, plan, ledger, watch, may_write=lambda: not lease.is_lost)
        stack.callback(driver.kill)  # where it could not come to its end
        with _draining(driver) as signals:
            try:
                driver.run()
                driver.close()
            except KeyboardInterrupt:
                driver.kill()
                return -signals[0]
            except BatchStopped as error:
                _complain(error)
                return FAILED
        ledger.sweep(is_over=not driver.drains)
        results.write_tables(plan, store, models.licences.get)
        results.write_summary(store, watch.facts)
        watch.close()
        if options.as_lines:
            sys.stdout.write(
                json.dumps({"event": "summary", "results": store.address("results.parquet"), **watch.facts}) + "\n"
            )
        else:
            facts = watch.facts
            _say(
                f"{facts['done']} of {facts['rows']} songs are done, {facts['failed']} failed; see {store.address('results.parquet')}."
            )
        if signals:
            return -signals[0]
        return FAILED if watch.facts["failed"] else 0


def _models(options: BatchOptions) -> KnownModels:
    """What rows may name, without torch."""
    from utils.cluster.manifest import KnownModels
    from utils.store.listing import list_models
    from utils.store.recipes import recipe_files

    settings = resolve({"models_dir": options.models_dir})
    return KnownModels(list_models("dsu", settings.models_dir), recipe_files(settings))


def _fill(plan: Plan, options: BatchOptions, models: KnownModels) -> bool:
    """Read and check all rows. Returns whether to go on."""
    from utils.cluster.manifest import checked, request_of, rows

    request_of({}, options.common, models)  # a mistake on the command line is not one of each row
    count = 0
    found = rows(options.sources, options.storage, options.out)
    for fault in plan.fill(checked(found, options.common, models, options.storage)):
        count += 1
        if options.as_lines:
            sys.stdout.write(json.dumps({"event": "fault", "place": fault.place, "message": fault.message}) + "\n")
        else:
            _say(f"{fault.place}: {fault.message}")
    total = sum(plan.counts().values())
    if count and (options.only_checks or not options.skips_invalid or count == total):
        more = "" if count == total else " `--skip-invalid` does the others."
        _say(f"{PROGRAM}: {count} of {total} rows cannot be done. Nothing was started.{more}")
        return False
    return True


@contextmanager
def _ray(options: BatchOptions) -> Iterator[None]:
    """A connection to Ray, which runs here for as long as the batch does, unless there is a cluster."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():  # by who calls us
        yield
        return
    here: dict[str, Any] = {}
    if options.address is None:
        given = {"num_cpus": options.cpus, "num_gpus": options.gpus}
        here = {name: int(count) for name, count in given.items() if count is not None}
    # Actors find our modules where this process has them, also where the same code lies on other machines.
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    for start in range(1, STARTS + 1):
        try:
            ray.init(
                address=options.address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
                runtime_env={"env_vars": {"PYTHONPATH": path}},
                **here,
            )
            break
        except Exception as error:
            ray.shutdown()
            # Its processes have half a minute to come up, which a machine with much else to do exceeds. Ray raises no narrower class.
            if "timed out during startup" not in str(error) or start == STARTS:
                raise _no_ray(options, error) from error
    try:
        yield
    finally:
        ray.shutdown()


def _no_ray(options: BatchOptions, error: Exception) -> DsuError:
    from utils.cluster.driver import BatchStopped
    from utils.cluster.storage import said

    if options.address is None:
        return BatchStopped(
            f"Ray cannot be started on this machine: {said(error)}",
            hint="Is there memory, and a core that is not busy?",
        )
    return BatchStopped(
        f"There is no Ray cluster at `{options.address}`: {said(error)}",
        hint="`ray status` on its head tells whether it runs; without --address Ray runs on this machine.",
    )


@contextmanager
def _draining(driver: Driver) -> Iterator[list[int]]:
    """Ctrl-C and a request to end let the songs under way be finished; the second one ends at once."""
    signals: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        signals.append(number)
        if len(signals) > 1:
            raise KeyboardInterrupt
        driver.drains = True
        os.write(2, b"Finishing the songs under way. Press Ctrl-C again to stop at once.\n")

    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _complain(error: DsuError) -> None:
    _say(f"{PROGRAM}: {error.message}" + (f" {error.hint}" if error.hint else ""))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
