"""Batches: checked first, ordered, run one by one with the fake engine."""

import time
from pathlib import Path

import pytest
from fake_engine import FakeEngine

from utils.core.errors import InvalidRequest, UnknownCommand
from utils.core.failures import cancelled_reply
from utils.core.job import Job, JobCancelled
from utils.core.replies import Cancelled, Progress
from utils.core.requests import Batch
from utils.core.settings import Settings
from utils.serving.commands import Context, batch
from utils.serving.commands.batch import grouped, plan_batch, run_batch
from utils.serving.commands.table import commands_of
from utils.serving.job_queue import JobQueue
from workers import WORKERS

WORKER = WORKERS["demucs"]
COMMANDS = commands_of(WORKER)


ENGINE = FakeEngine(Settings(models_dir=Path()))


def separate(model="quick", source="song.wav", **fields):
    return {"cmd": "separate", "input": source, "output": "out", "model": model, **fields}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run jobs as a batch, and return its reply and the engine."""
    monkeypatch.chdir(tmp_path)

    def run_jobs(*jobs, job=None, **fields):
        engine = FakeEngine(Settings(models_dir=tmp_path))
        context = Context(WORKER, engine.settings, engine, JobQueue(), COMMANDS, time.monotonic())
        request = Batch(jobs=list(jobs), **fields)
        return run_batch(context, request, plan_batch(request.jobs, COMMANDS, engine), job or Job()), engine

    return run_jobs


def status_of(result):
    return result["status"]


def test_results_are_the_replies_of_the_jobs(run):
    """In order, each with its own id and warnings."""
    done, engine = run(separate(id="a"), separate("warns", id="b", x=1), {"cmd": "ping"}, {"cmd": "load_model"})
    assert [status_of(result) for result in done.results] == ["done", "done", "pong", "model_loaded"]
    assert [result.get("id") for result in done.results] == ["a", "b", None, None]
    assert done.results[1]["warnings"] == ["unknown field `x`", "it is loud"]
    assert done.results[0]["warnings"] == []
    assert engine.asked == ["quick:song.wav", "warns:song.wav"]


def test_a_batch_stops_at_the_first_error(run):
    """What was answered until then is in the results, and the code is that of the error."""
    failed, engine = run(separate(), separate(source="missing.wav"), separate("third"))
    assert [status_of(result) for result in failed.results] == ["done", "error"]
    assert failed.code == "input_not_found"
    assert failed.message.startswith("jobs[1] failed: ")
    assert len(engine.asked) == 2


def test_a_batch_goes_on_where_it_is_told_to(run):
    """All jobs are run, also after one that crashed, and the failures are counted."""
    failed, _ = run(separate("exits"), separate(), separate("crashes"), continue_on_error=True)
    assert [status_of(result) for result in failed.results] == ["error", "done", "error"]
    assert failed.message.startswith("2 of 3 jobs failed. The first is jobs[0]: ")


def test_an_input_may_come_from_an_earlier_result(run):
    """The stem's name is matched in any case."""
    done, engine = run(separate(), separate("next", {"from": 0, "stem": "VOCALS"}))
    path = done.results[0]["paths"]["Vocals"]
    assert engine.asked[1] == f"next:{path}"
    assert Path(path).is_file()


def test_a_stem_that_does_not_exist_is_an_error_with_those_that_do(run):
    """The nearest one is suggested."""
    failed, _ = run(separate(), separate("next", {"from": 0, "stem": "vocal"}))
    assert failed.results[1]["code"] == "invalid_request"
    assert failed.results[1]["suggestions"] == ["Vocals"]


def test_one_of_several_stems_must_be_named(run):
    """A single stem needs no name; of several, the error lists them all."""
    failed, _ = run(separate(), separate("next", {"from": 0}))
    assert "drums, Vocals" in failed.results[1]["message"]
    assert failed.results[1]["suggestions"] == ["drums", "Vocals"]


def test_a_job_whose_origin_failed_fails_too(run):
    """With an error that says so, where the batch goes on."""
    failed, _ = run(separate("crashes"), separate("next", {"from": 0, "stem": "drums"}), continue_on_error=True)
    assert "jobs[0]" in failed.results[1]["message"]


@pytest.mark.parametrize(
    ("wrong", "error", "field"),
    [
        ({"cmd": "exit"}, InvalidRequest, "jobs[1].cmd"),
        ({"cmd": "batch", "jobs": [{"cmd": "ping"}]}, InvalidRequest, "jobs[1].cmd"),
        ({"cmd": "cancel"}, InvalidRequest, "jobs[1].cmd"),
        ({"cmd": "nonsense"}, UnknownCommand, "jobs[1]"),
        ({"cmd": "separate", "output": "out"}, InvalidRequest, "jobs[1].input"),
        (separate(shifts="x"), InvalidRequest, "jobs[1].shifts"),
        (separate(source={"from": 1, "stem": "drums"}), InvalidRequest, "jobs[1].input.from"),
        (separate(source={"from": -1, "stem": "drums"}), InvalidRequest, "jobs[1].input.from"),
        (separate(source={"from": True, "stem": "drums"}), InvalidRequest, "jobs[1].input.from"),
        (separate(source={"from": 0, "stem": 3}), InvalidRequest, "jobs[1].input.stem"),
    ],
)
def test_every_job_is_checked_before_the_first_runs(wrong, error, field):
    """What is wrong is named with its place in the batch."""
    with pytest.raises(error) as caught:
        plan_batch([separate(), wrong], COMMANDS, ENGINE)
    assert caught.value.field == field
    assert "jobs[1]" in caught.value.message


@pytest.mark.parametrize("fields", [{"format": "mka"}, {"format": "stem.m4a"}])
def test_a_stem_inside_a_file_of_all_is_no_input(fields):
    """It is refused before anything runs, since a reader would take the mix."""
    jobs = [separate(**fields), separate(source={"from": 0, "stem": "drums"})]
    with pytest.raises(InvalidRequest, match="all stems into one file") as caught:
        plan_batch(jobs, COMMANDS, ENGINE)
    assert caught.value.field == "jobs[1].input.from"


def test_only_separations_have_stems():
    """Taking the input from another kind of job is refused."""
    with pytest.raises(InvalidRequest, match="does not separate"):
        plan_batch([{"cmd": "load_model"}, separate(source={"from": 0, "stem": "drums"})], COMMANDS, ENGINE)


def test_strict_batches_refuse_unknown_fields():
    """Of the jobs in them."""
    with pytest.raises(InvalidRequest, match="modle"):
        plan_batch([separate(modle="x")], COMMANDS, ENGINE, strict=True)


def test_grouping_puts_jobs_of_a_model_together():
    """In a stable order."""
    steps = plan_batch([separate(model) for model in "abacb"], COMMANDS, ENGINE)
    assert [step.index for step in grouped(steps)] == [0, 2, 1, 4, 3]


def test_grouping_never_runs_a_job_before_its_origin():
    """Even where that costs another change of models."""
    jobs = [separate("a"), separate("b"), separate("a", {"from": 1, "stem": "drums"}), separate("b")]
    assert [step.index for step in grouped(plan_batch(jobs, COMMANDS, ENGINE))] == [0, 1, 3, 2]


def test_grouping_looks_at_each_job_a_few_times_only(monkeypatch):
    """However many there are."""
    asked = []
    model = batch._model
    monkeypatch.setattr(batch, "_model", lambda step: asked.append(step) or model(step))
    steps = plan_batch([separate(f"model{index}") for index in range(500)], COMMANDS, ENGINE)
    assert len(list(grouped(steps))) == len(steps)
    assert len(asked) <= 3 * len(steps)


def test_results_of_grouped_jobs_keep_the_order_asked(run):
    """A job that was left out before the last one that ran keeps its place."""
    done, engine = run(separate("a"), separate("b"), separate("a"), group_by_model=True)
    assert engine.asked == ["a:song.wav", "a:song.wav", "b:song.wav"]
    assert [result["model"] for result in done.results] == ["a", "b", "a"]
    failed, _ = run(separate("a"), separate("b"), separate("a", "missing.wav"), group_by_model=True)
    assert [status_of(result) for result in failed.results] == ["done", "cancelled", "error"]


def test_progress_is_that_of_the_whole(run):
    """It never goes back, and the parts share it evenly."""
    events, ticks = [], iter(range(1000))
    job = Job(events.append, clock=lambda: next(ticks))
    run(separate(), separate(), job=job)
    assert [event.percent for event in events if isinstance(event, Progress)] == [25.0, 50.0, 75.0, 99.9]


def test_cancelling_ends_the_whole_batch(run):
    """The job that runs is not answered on its own."""
    job = Job()
    job.cancel()
    with pytest.raises(JobCancelled):
        run(separate(), job=job)


def test_each_job_has_its_own_progress_too(run):
    """Under its place in the request, also where jobs run in another order."""
    events, ticks = [], iter(range(1000))
    job = Job(events.append, clock=lambda: next(ticks))
    run(separate("a"), separate("b"), separate("a"), job=job, group_by_model=True)
    lines = [event for event in events if isinstance(event, Progress)]
    assert [line.index for line in lines] == [0, 0, 2, 2, 1, 1]
    assert [line.part_percent for line in lines] == [50.0, 100.0] * 3
    assert {line.count for line in lines} == {3}


def test_resume_of_a_batch_is_that_of_its_jobs():
    """Of those that separate, unless they say otherwise."""
    jobs = [separate(), separate(resume=False), {"cmd": "load_model"}]
    assert [getattr(step.request, "resume", None) for step in plan_batch(jobs, COMMANDS, ENGINE, resume=True)] == [
        True,
        False,
        None,
    ]
    assert not plan_batch([separate()], COMMANDS, ENGINE)[0].request.resume
    assert plan_batch([separate()], COMMANDS, ENGINE, strict=True, resume=True)[0].warnings == []


class CancellingEngine(FakeEngine):
    """Is cancelled while it separates with the model `last`."""

    def separate(self, request, job, *, track=None, index=1):
        if request.model == "last":
            job.cancel()
            job.checkpoint()
        return super().separate(request, job, track=track, index=index)


def test_what_was_finished_before_a_batch_was_cancelled_is_told(tmp_path, monkeypatch):
    """Its files stay, so the client must know of them; jobs that were left out keep their place."""
    monkeypatch.chdir(tmp_path)
    engine = CancellingEngine(Settings(models_dir=tmp_path))
    context = Context(WORKER, engine.settings, engine, JobQueue(), COMMANDS, time.monotonic())
    jobs = [separate("a"), separate("last", id=7), separate("b"), separate("a")]
    request = Batch(jobs=jobs, group_by_model=True)
    with pytest.raises(JobCancelled) as caught:
        run_batch(context, request, plan_batch(jobs, COMMANDS, ENGINE), Job())
    reply = cancelled_reply(caught.value)
    assert [result["status"] for result in reply.results] == ["done", "cancelled", "cancelled", "done"]
    assert [result.get("id") for result in reply.results] == [None, 7, None, None]
    assert "not run" in reply.results[2]["message"]
    assert "kept" in reply.message


def test_a_batch_cancelled_in_its_first_job_left_nothing(tmp_path, monkeypatch):
    """And says so as any job does."""
    monkeypatch.chdir(tmp_path)
    engine = CancellingEngine(Settings(models_dir=tmp_path))
    context = Context(WORKER, engine.settings, engine, JobQueue(), COMMANDS, time.monotonic())
    with pytest.raises(JobCancelled) as caught:
        run_batch(context, Batch(jobs=[]), plan_batch([separate("last"), separate("a")], COMMANDS, ENGINE), Job())
    assert cancelled_reply(caught.value) == Cancelled()
