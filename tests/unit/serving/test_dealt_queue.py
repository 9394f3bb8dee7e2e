"""Which job is for which device: the queue on its own, without processes."""

import pytest

from utils.core.errors import Busy
from utils.serving.commands.table import commands_of
from utils.serving.dealt_queue import MOST_PASSED_OVER, ActiveModel, DealtJob, DealtQueue, DealtTicket, Taker, models_of
from workers import WORKERS

DSU = commands_of(WORKERS["dsu"])


def ticket(name, model=None, *, cmd="separate", commands=DSU, send=lambda reply: None, **fields):
    fields = {"cmd": cmd, **fields, **({"model": model} if model is not None else {})}
    return DealtTicket(
        name,
        DealtJob(),
        send,
        line=b"{}",
        last=frozenset(),
        models=models_of(fields, commands),
        once=False,
        debug=False,
    )


def active(one):
    """What a ticket makes active once it has ended."""
    return ActiveModel(one.number, one.models.activates["model"], one.models.key, one.models.activates)


def queue_of(*tickets, **limits):
    jobs = DealtQueue(**limits)
    for one in tickets:
        jobs.submit(one)
    return jobs


def deal(jobs, *takers):
    """What these free takers would get."""
    jobs._free = list(takers)
    dealt = jobs._deal()
    return [dealt[taker].request_id if taker in dealt else None for taker in takers]


def take(jobs, taker):
    """A job of a taker that is free alone, and remembers its model."""
    jobs._free = []
    dealt = jobs.take_for(taker)
    taker.remember(dealt.models.key, 2)
    return dealt


def test_free_devices_get_the_oldest_jobs():
    """One each, in the order in which they came."""
    jobs = queue_of(ticket("a", "x"), ticket("b", "y"), ticket("c", "z"))
    assert deal(jobs, Taker(), Taker()) == ["a", "b"]


def test_a_device_that_has_the_model_is_preferred():
    """Also over one that is listed first; and later jobs whose models are loaded go before older ones that have to load."""
    first, second = Taker(), Taker()
    second.remember(ticket(None, "x").models.key, 2)
    assert deal(queue_of(ticket("a", "x")), first, second) == [None, "a"]
    assert deal(queue_of(ticket("a", "y"), ticket("b", "x")), second) == ["b"]
    assert deal(queue_of(ticket("a", "y"), ticket("b", "x")), first, second) == ["a", "b"]


def test_a_device_with_few_models_gets_new_ones():
    """The cache of the other is not emptied for them."""
    full, empty = Taker(), Taker()
    full.remember(b"x", 2)
    assert deal(queue_of(ticket("a", "y")), full, empty) == [None, "a"]


def test_nobody_waits_for_a_busy_device_that_has_the_model():
    """A free one loads it, too."""
    jobs, busy = queue_of(ticket("a", "x"), ticket("b", "x")), Taker()
    take(jobs, busy)
    assert deal(jobs, Taker()) == ["b"]


def test_a_job_is_not_passed_over_for_ever():
    """Jobs of the loaded model go first so many times."""
    waiting = [ticket(index, "x") for index in range(MOST_PASSED_OVER + 3)]
    jobs, only = queue_of(waiting[0], ticket("old", "y"), *waiting[1:]), Taker()
    names = []
    for _ in range(MOST_PASSED_OVER + 3):
        dealt = take(jobs, only)
        jobs.finish(dealt)
        names.append(dealt.request_id)
    assert names.index("old") == MOST_PASSED_OVER + 1


def test_as_many_models_are_remembered_as_stay_loaded():
    """The last used ones; none without a cache."""
    taker = Taker()
    for key in (b"a", b"b", b"a", b"c", None):
        taker.remember(key, 2)
    assert taker.recent == [b"a", b"c"]
    taker.remember(b"d", 0)
    assert taker.recent == []


def test_jobs_without_ids_run_one_after_another():
    """Their answers have to come in their order. Others run beside them."""
    jobs, one = queue_of(ticket(None, "x"), ticket(None, "y"), ticket("named", "z")), Taker()
    running = take(jobs, one)
    assert deal(jobs, Taker(), Taker()) == ["named", None]
    jobs.finish(running)
    assert take(jobs, one).request_id is None


def test_a_job_that_names_no_model_waits_for_those_that_may_change_it():
    """It means theirs. Those after it do not matter."""
    jobs, one = queue_of(ticket("load", "x", cmd="load_model"), ticket("means x"), ticket("later", "y")), Taker()
    running = take(jobs, one)
    assert running.request_id == "load"
    assert deal(jobs, Taker(), Taker()) == ["later", None]
    jobs.finish(running)
    assert deal(jobs, Taker(), Taker()) == ["means x", "later"]


def test_the_active_model_is_that_of_jobs_that_name_none():
    """So they go where that is loaded."""
    loading, first, second = ticket("load", "x", cmd="load_model"), Taker(), Taker()
    jobs = queue_of(loading, ticket("means x"))
    take(jobs, second)
    jobs.finish(loading)
    jobs.activate(active(loading))
    assert deal(jobs, first, second) == [None, "means x"]


def test_a_job_means_the_model_of_those_before_it():
    """However late it runs, and whatever was made active by those after it; models that nobody can mean are forgotten."""
    one, means, other = ticket("a", "x"), ticket("means x"), ticket("b", "y")
    jobs, taker = queue_of(one, means, other), Taker()
    assert [take(jobs, taker).request_id, take(jobs, taker).request_id] == ["a", "b"]
    jobs.activate(active(other))
    jobs.finish(other)
    assert jobs.active_for(means) is None
    jobs.activate(active(one))
    jobs.finish(one)
    assert jobs.active_for(means).name == "x"
    assert jobs.active_for().name == "y"
    jobs.finish(take(jobs, taker))
    jobs.submit(again := ticket("c", "z"))
    jobs.activate(active(again))
    assert [model.name for model in jobs._actives] == ["y", "z"]


def test_what_was_given_back_comes_first():
    """Whatever has waited longer."""
    jobs, one = queue_of(ticket("a", "x"), ticket("b", "y")), Taker()
    jobs.give_back(take(jobs, one))
    assert deal(jobs, Taker(), Taker()) == ["a", "b"]
    assert jobs.counts() == (False, 2, 0, 0)


def test_refused_jobs_without_ids_are_answered_in_their_turn():
    """After those without an id that came before them, whether these wait or run."""
    answers = []
    jobs = queue_of(ticket(None, "x"), most_jobs=1)
    for _ in range(3):
        jobs.submit(ticket(None, "y", send=answers.append))
    with pytest.raises(Busy):
        jobs.submit(ticket("named", "z"))
    running = take(jobs, Taker())
    assert answers == []
    assert jobs._due_refusals() == []
    jobs.finish(running)
    jobs.end()
    assert jobs.take_for(Taker()) is None
    assert [reply.code for reply in answers] == ["busy"] * 3


def test_a_device_that_is_gone_gets_nothing():
    """Even if a job waits; the job stays."""
    jobs, gone = queue_of(ticket("a", "x")), Taker()
    gone.gone = True
    assert jobs.take_for(gone) is None
    assert jobs.counts().queued == 1


def test_what_is_repeated_is_no_news():
    """A job that is done again tells nothing twice: neither a smaller percentage, nor files that were told."""
    one = ticket("a", "x")
    assert one.is_news({"status": b'"progress"', "percent": b"50.0"})
    assert one.is_news({"status": b'"file_done"', "index": b"0"})
    one.lose("It ended.")
    assert not one.is_news({"status": b'"progress"', "percent": b"10.0"})
    assert not one.is_news({"status": b'"file_done"', "index": b"0"})
    assert one.is_news({"status": b'"file_done"', "index": b"1"})
    assert one.is_news({"status": b'"progress"', "percent": b"50.1"})


@pytest.mark.parametrize(
    ("fields", "activates", "follows"),
    [
        ({"cmd": "separate", "model": "x", "stems": ["a"]}, {"model": "x"}, False),
        ({"cmd": "separate"}, None, True),
        ({"cmd": "separate", "recipe": "six_stems"}, None, False),
        ({"cmd": "separate", "ensemble": "a,b"}, {"model": "a"}, False),
        ({"cmd": "separate", "ensemble": ["a", "b"]}, {"model": "a"}, False),
        ({"cmd": "separate", "ensemble": 7}, {}, False),
        ({"cmd": "load_model", "model": "x", "family": "demucs"}, {"model": "x", "family": "demucs"}, False),
        ({"cmd": "load_model"}, {}, False),
        ({"cmd": "apollo", "model": "x"}, None, False),
        ({"cmd": "download_model", "model": "x"}, None, False),
        ({"cmd": "batch", "jobs": [{"cmd": "separate", "model": "x"}, {"cmd": "separate"}]}, {"model": "x"}, True),
        ({"cmd": "batch", "jobs": "what?"}, None, False),
    ],
)
def test_what_a_request_says_about_models(fields, activates, follows):
    """What makes its model active on another device, and whether it means the active one."""
    found = models_of(fields, DSU)
    assert (found.activates, found.follows) == (activates, follows)


def test_equal_models_have_equal_keys():
    """Whatever else the requests say, and in whatever order; the family is part of it."""
    one = models_of({"cmd": "separate", "model": "x", "family": "demucs", "stems": ["a"]}, DSU).key
    assert one == models_of({"cmd": "load_model", "family": "demucs", "model": "x"}, DSU).key
    assert one != models_of({"cmd": "separate", "model": "x"}, DSU).key
