"""The driver: it deals the jobs of the plan to actors, tries again what can be tried again, and writes down what is done.

Few things are under way at any time: one song that an actor separates, one that it fetches meanwhile, and results that wait to be written down. So memory
is bounded by the machines, not by the manifest. Samples never go through Ray: actors read and write the stores themselves.
"""

from __future__ import annotations

import itertools
import json
import math
import secrets
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ray
from ray.exceptions import NodeDiedError, RayError, RayTaskError

from utils.cluster.actors import Fetched, Separator, Setup, TryOutcome
from utils.cluster.ledger import COMMIT_AFTER_S, COMMIT_AT, SHARES, Ledger, LedgerEntry, key_of, stamp_of
from utils.cluster.options import BatchOptions
from utils.cluster.plan import BatchJob, Plan
from utils.cluster.storage import said
from utils.cluster.watching import Watch
from utils.core.errors import DsuError

PAUSE_S = 0.25
MOST_SHARES = 1000
MOST_LOSSES = 20  # of a song, by machines that went away; more is no chance any more
MOST_DEATHS_AT_START = 3  # of actors in a row that never came to work
MOST_UNWRITTEN = 512  # results, at which nothing new begins until they are written down
GOODBYE_S = 10.0
ROOM_PATIENCE_S = 120.0  # for a machine that has room for a worker; a cluster may be coming up
TAKEN_OVER = (
    "Another batch has taken over this folder, or its store did not answer for too long. Nothing more is written here."
)
# These may be another machine's luck; everything else is the song's or the request's own fault, and would be again.
WORTH_ANOTHER_TRY = frozenset(
    {
        *(
            "worker_died",
            "device_lost",
            "out_of_memory",
            "device_unavailable",
            "fetch_failed",
            "store_failed",
            "disk_full",
        ),
        *("output_not_writable", "download_failed", "model_not_installed", "load_timeout", "internal"),
    }
)


class BatchStopped(DsuError):
    """The batch cannot go on. What is done stays done."""


class Doing(NamedTuple):
    """What an actor was asked."""

    seat: Seat
    step: str
    job: BatchJob | None
    attempt: str


@dataclass(eq=False)
class Seat:
    """An actor, and what it has in hand."""

    actor: Any
    number: int
    models: str | None = None  # those that its worker has loaded
    known: set[str] = field(default_factory=set)  # models that are the same there as on the other machines
    is_ready: bool = False
    where: str = ""
    pid: int = 0
    fetching: BatchJob | None = None
    fetched: tuple[BatchJob, str] | None = None
    separating: BatchJob | None = None
    started_s: float = field(default_factory=time.monotonic)

    @property
    def jobs(self) -> list[BatchJob]:
        fetched = self.fetched[0] if self.fetched else None
        return [job for job in (self.fetching, fetched, self.separating) if job is not None]


class Driver:
    """One run of a batch."""

    def __init__(
        self,
        options: BatchOptions,
        plan: Plan,
        ledger: Ledger,
        watch: Watch,
        *,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._options = options
        self._plan = plan
        self._ledger = ledger
        self._watch = watch
        self._may_write = may_write
        # Each worker has the cores that Ray reserves for it, and no more.
        threads = () if "--threads" in options.worker else ("--threads", str(max(1, int(options.cpus_each))))
        self._setup = Setup(
            options.out,
            options.storage,
            (*options.worker, *threads),
            options.models_dir,
            options.worker_command,
            options.share_s,
        )
        self._seats: list[Seat] = []
        self._numbers = itertools.count(1)
        self._doing: dict[Any, Doing] = {}
        self._identities: dict[str, str] = {}
        self._kept: set[str] = set()  # models for whose jobs earlier results were looked for
        self._claimed: dict[int, Fetched] = {}  # the songs of those whose results are being made, or will be next
        self._computing: dict[str, list[BatchJob]] = {}  # by their keys: jobs that wait for another one's result
        self._unwritten: list[tuple[BatchJob, LedgerEntry]] = []
        self._written_s = time.monotonic()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="dsu-ledger")
        self._writing: tuple[Future[None], list[tuple[BatchJob, LedgerEntry]]] | None = None
        self._counted_s = 0.0
        self._room = 0
        self._roomless_s = time.monotonic()
        self._gpus_each = 0.0
        self._deaths_at_start = 0
        self._has_begun = False  # whether any worker could be started
        self._unusable_room = 0  # for workers that could not
        self._has_asked_for_machines = False
        self.drains = False  # set by a signal: what is under way is finished, and nothing begins

    def run(self) -> None:
        """Do all jobs, or those that are under way when it is told to drain."""
        while True:
            waiting = {} if self.drains else self._plan.groups()
            if self.drains:
                self._let_go()
            if (
                not waiting
                and not any(seat.jobs for seat in self._seats)
                and not self._unwritten
                and self._writing is None
            ):
                break
            self._grow(sum(waiting.values()))
            if len(self._unwritten) < MOST_UNWRITTEN:
                self._deal(waiting)
            self._listen()
            self._write_down()
            self._watch.tick(self._plan.counts(), len(self._seats))
        if not self._may_write():
            raise BatchStopped(TAKEN_OVER)
        self._watch.tick(self._plan.counts(), len(self._seats), last=True)

    def _let_go(self) -> None:
        """What was fetched and not begun is left to the next run."""
        for seat in self._seats:
            if seat.fetched is not None:
                job, attempt = seat.fetched
                seat.fetched = None
                self._free(job)
                self._plan.give_back(job)
                seat.actor.forget.remote(job, attempt)

    def close(self) -> None:
        """Let the actors end their children, and end them."""
        goodbyes = [seat.actor.stop.remote() for seat in self._seats]
        if goodbyes:
            ray.wait(goodbyes, num_returns=len(goodbyes), timeout=GOODBYE_S)
        self.kill()
        self._writer.shutdown()

    def kill(self) -> None:
        if self._has_asked_for_machines:
            from ray.autoscaler.sdk import request_resources

            request_resources(bundles=[])  # or they would stay, and cost, for good
            self._has_asked_for_machines = False
        for seat in self._seats:
            ray.kill(seat.actor)
        self._seats.clear()

    # Actors ---------------------------------------------------------------------------------------------------------

    def _grow(self, waiting: int) -> None:
        """As many actors as there is room for, and work."""
        wanted = min(self._capacity(), waiting + sum(1 for seat in self._seats if seat.jobs))
        if self._room or self._seats:
            self._roomless_s = time.monotonic()
        elif not self._options.autoscales and time.monotonic() - self._roomless_s > ROOM_PATIENCE_S:
            raise BatchStopped(
                f"No machine has {self._options.cpus_each:g} cores and {self._gpus_each:g} cards for a worker.",
                hint="Give --num-cpus-per-worker and --num-gpus-per-worker what there is.",
            )
        while len(self._seats) < wanted:
            options: dict[str, Any] = {"num_cpus": self._options.cpus_each, "max_restarts": 0, "max_concurrency": 16}
            if self._gpus_each:
                options["num_gpus"] = self._gpus_each
            actor = ray.remote(Separator).options(**options).remote(self._setup)
            seat = Seat(actor, next(self._numbers))
            self._seats.append(seat)
            self._ask(seat, "describe", None, "", actor.describe.remote())

    def _capacity(self) -> int:
        """For how many actors the machines have room; machines come and go."""
        if time.monotonic() - self._counted_s > 2 or not self._counted_s:
            self._counted_s = time.monotonic()
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            given = self._options.gpus_each
            has_cards = any(node.get("GPU") for node in nodes)
            self._gpus_each = given if given is not None else float(has_cards and self._options.gpus != 0)
            self._room = max(sum(self._fitting(node) for node in nodes) - self._unusable_room, 0)
            if self._options.autoscales and self._options.most_workers:
                from ray.autoscaler.sdk import request_resources

                bundle = {"CPU": self._options.cpus_each, **({"GPU": self._gpus_each} if self._gpus_each else {})}
                request_resources(bundles=[bundle] * self._options.most_workers)
                self._has_asked_for_machines = True
        return min(self._room, self._options.most_workers or self._room)

    def _fitting(self, node: dict[str, float]) -> int:
        asked = {"CPU": self._options.cpus_each, "GPU": self._gpus_each}
        return (
            min(int(node.get(name, 0.0) / each + 1e-9) for name, each in asked.items() if each)
            if any(asked.values())
            else 1
        )

    def _unusable(self, seat: Seat, fault: str) -> None:
        """A worker cannot be started there: nobody can go on if it is the first, the others without it if not."""
        text = f"The worker{seat.where} cannot be started: {fault}"
        if not self._has_begun:
            raise BatchStopped(text, hint="`dsu doctor` there says more.")
        self._watch.say(text)
        self._seats.remove(seat)
        ray.kill(seat.actor)
        self._unusable_room += 1

    def _lost(self, seat: Seat, error: RayError) -> None:
        """An actor is gone: with its machine, by a crash, or because the machine ran out of memory."""
        if seat not in self._seats:
            return
        self._seats.remove(seat)
        ray.kill(seat.actor)  # it may only be out of reach, and would go on
        self._counted_s = 0.0
        for ref in [ref for ref, doing in self._doing.items() if doing.seat is seat]:
            del self._doing[ref]
        text = " ".join(str(error).split())
        ran_out = "OutOfMemory" in type(error).__name__ or "memory pressure" in text
        node_died = isinstance(error, NodeDiedError) or any(
            sign in text.lower() for sign in ("its node", "node died", "node failure", "node is dead")
        )
        self._watch.say(f"A worker{seat.where} is lost: {text[:200]}")
        if not seat.is_ready:
            self._deaths_at_start += 1
            if self._deaths_at_start >= MOST_DEATHS_AT_START:
                raise BatchStopped(f"No worker can be started: {text[:500]}")
        for job in seat.jobs:
            self._free(job)
            is_blamed = job is seat.separating and not node_died
            told = {"code": "worker_lost", "message": f"The worker that had this song is lost: {text[:300]}"}
            self._again(job, told, tries=int(is_blamed), losses=int(not is_blamed), small=ran_out)

    # Dealing --------------------------------------------------------------------------------------------------------

    def _deal(self, waiting: dict[str, int]) -> None:
        """Give each actor that has nothing to fetch the next song, of the models that it has loaded if possible."""
        has_others = sum(seat.is_ready for seat in self._seats) > 1  # who may have more luck with a song
        for seat in self._seats:
            if not seat.is_ready or seat.fetching or seat.fetched:
                continue
            left = dict(waiting)
            while (models := self._models_for(seat, left)) is not None:
                if models not in seat.known:
                    self._identify(seat, models)
                    break
                job = self._plan.take(models, seat.number if has_others else None)
                if job is None:
                    del left[models]
                    continue
                attempt = f"{job.number:07d}-{secrets.token_hex(6)}"
                seat.fetching, seat.models = job, models
                self._ask(seat, "fetch", job, attempt, seat.actor.fetch.remote(job, attempt))
                break

    def _models_for(self, seat: Seat, waiting: dict[str, int]) -> str | None:
        if seat.models in waiting:
            return seat.models
        busy: dict[str | None, int] = {}
        for other in self._seats:
            busy[other.models] = busy.get(other.models, 0) + 1
        # Where most jobs wait for each worker that is there already.
        return max(waiting, key=lambda models: waiting[models] / (1 + busy.get(models, 0)), default=None)

    def _identify(self, seat: Seat, models: str) -> None:
        """Learn what the models are on a machine."""
        if not any(doing.seat is seat and doing.step == "identify" for doing in self._doing.values()):
            self._ask(seat, "identify", None, models, seat.actor.identify.remote(models))

    def _identified(self, seat: Seat, models: str, identity: str) -> None:
        """The first answer tells which jobs are done already; all others must be the same."""
        known = self._identities.setdefault(models, identity)
        if known != identity:
            raise BatchStopped(
                f"The models {models} are not the same{seat.where} as on another machine, so results would depend on chance.",
                hint="Install the same version of DSU and the same model files everywhere.",
            )
        seat.known.add(models)
        if models in self._kept:
            return
        self._kept.add(models)
        after = 0
        while page := self._plan.waiting(models, after):
            after = page[-1].number
            for job, entry in self._ledger.find_unread(page, identity):
                self._plan.end(job, "done", {**_row_of(entry), "kept": True})

    # Listening ------------------------------------------------------------------------------------------------------

    def _ask(self, seat: Seat, step: str, job: BatchJob | None, attempt: str, ref: Any) -> None:
        self._doing[ref] = Doing(seat, step, job, attempt)

    def _listen(self) -> None:
        if not self._doing:
            time.sleep(PAUSE_S)
            return
        ready, _ = ray.wait(list(self._doing), num_returns=1, timeout=PAUSE_S)
        if ready:  # all others that are there as well
            ready, _ = ray.wait(list(self._doing), num_returns=len(self._doing), timeout=0)
        for ref in ready:
            doing = self._doing.pop(ref, None)
            if doing is None:  # of an actor that was lost a moment ago
                continue
            try:
                answer = ray.get(ref, timeout=60)
            except RayTaskError as error:
                self._broken(doing, error)
            except RayError as error:  # all else means that the actor is gone or cannot be heard
                self._lost(doing.seat, error)
            else:
                self._answered(doing, answer)

    def _answered(self, doing: Doing, answer: Any) -> None:
        seat, job = doing.seat, doing.job
        if doing.step == "describe":
            seat.where, seat.pid = f" on {answer['host']}", answer["pid"]
            if fault := answer.get("fault"):
                self._unusable(seat, fault)
                return
            seat.is_ready = self._has_begun = True
            self._deaths_at_start = 0
        elif doing.step == "identify":
            self._identified(seat, doing.attempt, answer)
        elif job is not None and doing.step == "fetch":
            seat.fetching = None
            if isinstance(answer, TryOutcome):
                self._ended(job, doing.attempt, answer)
            else:
                self._fetched(seat, job, doing.attempt, answer)
        elif job is not None and doing.step == "separate":
            seat.separating = None
            self._ended(job, doing.attempt, answer, seat)
        self._begin(seat)

    def _begin(self, seat: Seat) -> None:
        """Have an actor that separates nothing separate the song that it has fetched."""
        if seat.separating is None and seat.fetched is not None and not self.drains:
            job, attempt = seat.fetched
            seat.fetched = None
            if job.whole is not None and self._plan.whole_of(job) is None:  # nobody needs this share any more
                seat.actor.forget.remote(job, attempt)
                self._free(job)
                self._plan.end(job, "failed", {})
                return
            seat.separating = job
            self._ask(seat, "separate", job, attempt, seat.actor.separate.remote(job, attempt))

    def _fetched(self, seat: Seat, job: BatchJob, attempt: str, fetched: Fetched) -> None:
        """A song is there: it is separated, unless somebody has done that already or is about to."""
        if job.shares and fetched.sha256 != self._made_of(job)["input_sha256"]:
            seat.actor.forget.remote(job, attempt)
            self._free(job)
            self._leave_to_one(job, "It has changed meanwhile.")
            return
        if job.number in self._claimed:  # its shares are done
            seat.fetched = (job, attempt)
            return
        key = key_of(job, fetched.sha256, self._identities[job.models])
        entry = self._ledger.find(key)
        if entry is not None and self._ledger.is_whole(entry):
            seat.actor.forget.remote(job, attempt)
            self._plan.end(job, "done", {**_row_of(entry), "kept": True})
            self._share_done(job)
        elif key in self._computing:
            seat.actor.forget.remote(job, attempt)
            self._computing[key].append(job)
        else:
            self._computing[key] = []
            self._claimed[job.number] = fetched
            if (of := self._parts_of(job, fetched)) > 1:
                # The actor has the song, so it begins with the first share of it.
                job = self._plan.share(job, of, f"{SHARES}/{key[:32]}-of-{of}")
                self._fetched(seat, job, attempt, fetched)
            else:
                seat.fetched = (job, attempt)

    def _ended(self, job: BatchJob, attempt: str, outcome: TryOutcome, seat: Seat | None = None) -> None:
        fetched = self._claimed.get(job.number)
        if outcome.told.get("status") == "done" and fetched is not None:
            identity = self._identities[job.models]
            key = key_of(job, fetched.sha256, identity)
            name = self._plan.final_name(job.name, key)
            seconds = Counter({"fetch": fetched.seconds, **outcome.seconds})
            for share in self._plan.shares_of(job) or () if job.shares else ():
                seconds.update(share["seconds"])
            row = {
                **outcome.told,
                **({name: self._made_of(job)[name] for name in ("device", "settings")} if job.shares else {}),
                "input_sha256": fetched.sha256,
                "input_bytes": job.found.size_bytes,
                "seconds": dict(seconds),
                "where": seat.where.removeprefix(" on ") if seat else "",
                "finished": time.time(),
            }
            del self._claimed[job.number]
            self._unwritten.append((job, LedgerEntry(key, stamp_of(job, identity), name, attempt, outcome.files, row)))
            return
        self._free(job)
        told = outcome.told
        # One worker alone may restart with shorter chunks, which shares cannot.
        is_too_large = told.get("code") == "out_of_memory" and job.is_small
        if job.whole is not None and (told.get("field") == "share" or is_too_large):
            whole = self._plan.whole_of(job)
            self._plan.end(job, "failed", {})
            if whole is not None:
                self._free(whole)
                self._leave_to_one(whole, told["message"])
            return
        if job.shares and (told.get("field") == "shares" or told.get("code") not in WORTH_ANOTHER_TRY):
            self._leave_to_one(job, f"Its parts could not be joined: {told['message']}")
            return
        is_small = told.get("code") in ("out_of_memory", "device_lost")
        if told.get("code") in WORTH_ANOTHER_TRY:
            self._again(job, told, tries=1, small=is_small, failed_at=seat.number if seat else 0)
        else:
            self._fail(job, told, _error_of(told), tries=1)

    def _broken(self, doing: Doing, error: RayError) -> None:
        """An actor's own code has failed, which no song should make it do."""
        text = " ".join(str(error).split())[-500:]
        if doing.job is None:
            raise BatchStopped(f"A worker cannot work: {text}")
        if doing.step == "fetch":
            doing.seat.fetching = None
        else:
            doing.seat.separating = None
        self._free(doing.job)
        self._again(doing.job, {"code": "internal", "message": text}, tries=1)
        self._begin(doing.seat)

    def _again(
        self,
        job: BatchJob,
        told: dict[str, Any],
        *,
        tries: int = 0,
        losses: int = 0,
        small: bool = False,
        failed_at: int = 0,
    ) -> None:
        """Let a job wait for another try, or put it aside."""
        if job.tries + tries >= self._options.tries or job.losses + losses > MOST_LOSSES:
            error = {**_error_of(told), "put_aside_after": job.tries + tries + job.losses + losses}
            self._fail(job, told, error, tries=tries)
        elif job.whole is not None and self._plan.whole_of(job) is None:  # nobody needs this share any more
            self._plan.end(job, "failed", {})
        else:
            self._plan.give_back(job, tries=tries, losses=losses, small=small, failed_at=failed_at)
            self._watch.retried(job, told)

    def _fail(self, job: BatchJob, told: dict[str, Any], error: dict[str, Any], *, tries: int) -> None:
        """Put a job aside, with the song that it is a share of."""
        self._plan.end(job, "failed", {"error": error}, tries=tries)
        if job.whole is not None:
            whole = self._plan.whole_of(job)
            if whole is None:
                return
            self._plan.drop_shares(whole)
            self._free(whole)
            job = whole
            self._plan.end(job, "failed", {"error": error}, tries=tries)
        self._watch.failed(job, told)

    # Shares ---------------------------------------------------------------------------------------------------------

    def _parts_of(self, job: BatchJob, fetched: Fetched) -> int:
        """Into how many shares a song is to be divided; the same for a song of this length in every run."""
        if self._options.share_s is None or fetched.length_s is None or job.whole is not None:
            return 1
        if job.is_alone or job.shares or job.request.get("preview"):
            return 1
        return min(math.ceil(fetched.length_s / self._options.share_s), MOST_SHARES)

    def _share_done(self, share: BatchJob) -> None:
        """Let a song be joined once all its shares are done; by one worker alone if they do not go together."""
        whole = self._plan.whole_of(share) if share.whole is not None else None
        rows = self._plan.shares_of(whole) if whole is not None else None
        if whole is None or rows is None:
            return
        ways = {(row["device"].partition(":")[0], json.dumps(row["settings"], sort_keys=True)) for row in rows}
        songs = {row["input_sha256"] for row in rows}
        if len(ways) == 1 and songs == {self._claimed[whole.number].sha256}:
            files = [{file["stem"]: file["path"] for file in row["files"] if file["stem"]} for row in rows]
            self._plan.join(whole, files)
        else:
            self._free(whole)
            self._leave_to_one(whole, "Others compute in other ways." if len(ways) > 1 else "It has changed meanwhile.")

    def _leave_to_one(self, whole: BatchJob, reason: str) -> None:
        self._watch.say(f"{whole.found.url} is separated by one worker. {reason}")
        self._plan.unshare(whole)

    def _made_of(self, joined: BatchJob) -> dict[str, Any]:
        """What is known of the shares of a song, in all of them."""
        return (self._plan.shares_of(joined) or [{}])[0]

    def _free(self, job: BatchJob) -> None:
        """Nobody makes a job's result any more: those who waited for it wait for their own turns."""
        fetched = self._claimed.pop(job.number, None)
        if fetched is not None:
            for other in self._computing.pop(key_of(job, fetched.sha256, self._identities[job.models]), []):
                self._plan.give_back(other)

    # Writing down ---------------------------------------------------------------------------------------------------

    def _write_down(self) -> None:
        """Make results count, many at a time, while the actors go on."""
        is_idle = not any(seat.jobs for seat in self._seats)
        if self._writing is not None and (self._writing[0].done() or is_idle):
            future, pairs = self._writing
            try:
                future.result()
            except Exception as error:  # the edge to file systems
                raise BatchStopped(
                    f"Results cannot be written down: {said(error)}",
                    hint="What was written down stays; the same command goes on.",
                ) from error
            self._writing = None
            self._written(pairs)
        is_due = is_idle or len(self._unwritten) >= COMMIT_AT or time.monotonic() - self._written_s > COMMIT_AFTER_S
        if self._writing is None and self._unwritten and is_due:
            if not self._may_write():
                raise BatchStopped(TAKEN_OVER)
            pairs, self._unwritten = self._unwritten, []
            self._writing = (self._writer.submit(self._ledger.record, [entry for _, entry in pairs]), pairs)
            self._written_s = time.monotonic()

    def _written(self, pairs: list[tuple[BatchJob, LedgerEntry]]) -> None:
        self._ledger.remember(entry for _, entry in pairs)
        for job, entry in pairs:
            self._plan.end(job, "done", _row_of(entry), tries=1)
            if job.whole is None:
                self._watch.done(job, entry.row)
            for other in self._computing.pop(entry.key, []):
                self._plan.end(other, "done", {**_row_of(entry), "kept": True})
                self._share_done(other)
            self._share_done(job)
            if job.shares:
                files = itertools.chain.from_iterable(share.values() for share in job.shares)
                self._writer.submit(self._ledger.discard, {file.rpartition("/")[0] for file in files})


def _row_of(entry: LedgerEntry) -> dict[str, Any]:
    files = [
        {"path": f"{entry.name}/{file.name}", "stem": file.stem, "sha256": file.sha256, "size_bytes": file.size_bytes}
        for file in entry.files
    ]
    return {**entry.row, "key": entry.key, "files": files}


def _error_of(told: dict[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("code", "message", "hint", "field") if told.get(name)}
