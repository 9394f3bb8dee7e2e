"""The engine on a graphics card: jobs, its cache, and what happens when memory runs out or the card is lost. The card is pretended."""

import gc

import numpy as np
import pytest
from device_case import JOBS, DeviceCase, files, read, two_networks
from network_case import close
from pretended_card import NAME, pretended
from toy_architecture import GAINS, add_architecture, write_toy_model

from tools.fixtures.networks import NetworkFiles, write_network
from utils.core.failures import error_reply, is_device_lost, is_out_of_memory
from utils.core.job import Job
from utils.core.requests import NetworkSeparate

pytestmark = pytest.mark.slow
RESTARTED = "Memory ran out; the separation restarted with chunks half as long."


@pytest.fixture
def card(monkeypatch):
    with pretended(monkeypatch) as made:
        yield made


@pytest.fixture
def case(tmp_path):
    return DeviceCase(tmp_path, NAME)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The request of a network of a few operations."""
    add_architecture(tmp_path / "code", monkeypatch)
    return {**files(NetworkFiles(*write_toy_model(tmp_path / "toy"))), "batch_size": 2}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_gives_on_a_card_what_it_gives_on_a_processor(card, case, tmp_path, name):
    """A family's own steps, chunks and blends do, too. Jobs that follow take no more memory, and the last leaves none."""
    kind, fields = JOBS[name](tmp_path)
    expected = case.run(case.engine("cpu"), kind, **fields)
    engine, levels = case.engine(), []
    for _ in range(3):
        close(case.run(engine, kind, **fields), expected, atol=1e-4)
        gc.collect()
        levels.append(card.allocated)
    assert levels[1] == levels[2]
    assert card.calls > 0
    engine.close()
    gc.collect()
    assert card.allocated == 0


def test_a_parked_model_takes_no_memory_of_the_card_and_comes_back(card, case, tmp_path):
    """With a cache of one model, two in turns have the card for themselves, and are loaded once."""
    nets = two_networks(tmp_path)
    engine, levels, stems = case.engine(max_cached_models=1), [], []
    for fields in (*nets, *nets):
        stems.append(case.run(engine, NetworkSeparate, **fields))
        gc.collect()
        levels.append(card.allocated)
    assert levels[0] == levels[1] == levels[2] == levels[3] > 0
    for before, after in zip(stems[:2], stems[2:], strict=True):
        close(before, after, atol=0)


def test_a_card_that_is_full_gives_up_the_models_that_nobody_uses(card, case, tmp_path):
    """Where two models do not fit, the second takes the place of the first, and the job says so."""
    first, second = two_networks(tmp_path)
    expected = case.run(case.engine("cpu"), NetworkSeparate, **second)
    engine = case.engine()
    case.run(engine, NetworkSeparate, **first)
    gc.collect()
    card.capacity_bytes = card.peak + card.allocated // 2
    job = Job()
    close(case.run(engine, NetworkSeparate, job, **second), expected, atol=1e-4)
    assert any("released" in warning for warning in job.warnings)
    assert [model.name for model in engine.list_cached().models] == ["b"]


# Faults --------------------------------------------------------------------------------------------------------------


def test_memory_that_runs_out_at_any_step_changes_no_sample_or_is_an_error(card, case, toy):
    """Once or from then on, the job is as it would have been or one error, and the next job is right."""
    engine = case.engine(max_cached_models=0)
    expected = case.run(engine, NetworkSeparate, **toy)
    before = card.allocations
    case.run(engine, NetworkSeparate, **toy)
    count, outcomes = card.allocations - before, set()
    assert count > 10
    for number in range(1, count + 1):
        for goes_on in (False, True):
            gc.collect()
            assert card.allocated == 0
            first = card.allocations + number
            card.full_at = (lambda at, first=first: at >= first) if goes_on else (lambda at, first=first: at == first)
            try:
                close(case.run(engine, NetworkSeparate, **toy), expected, atol=1e-6)
                outcomes.add("done")
            except Exception as error:
                if not is_out_of_memory(error) and error_reply(error).code != "out_of_memory":
                    raise
                outcomes.add("error")
            card.full_at = lambda _: False
            close(case.run(engine, NetworkSeparate, **toy), expected, atol=0)
    assert outcomes == {"done", "error"}


def test_a_real_network_stands_memory_that_runs_out_in_its_middle(card, case, tmp_path):
    """Its job goes on with less at a time; only shorter chunks, of which it warns, may change a sample."""
    fields = {**files(write_network(tmp_path, "mask_unet", chunk_seconds=0.5)), "batch_size": 2}
    engine = case.engine()
    expected = case.run(engine, NetworkSeparate, **fields)
    before = card.allocations
    case.run(engine, NetworkSeparate, **fields)
    count, went_on = card.allocations - before, 0
    for number in range(2, count, count // 8):
        job, at = Job(), card.allocations + number
        card.full_at = lambda number, at=at: number == at
        try:
            stems = case.run(engine, NetworkSeparate, job, **fields)
        except Exception as error:
            if error_reply(error).code != "out_of_memory":
                raise
            continue
        assert job.warnings
        went_on += 1
        close(stems, expected, atol=1 if RESTARTED in job.warnings else 1e-6)
    card.full_at = lambda _: False
    assert went_on > 3
    close(case.run(engine, NetworkSeparate, **fields), expected, atol=0)


def test_a_card_that_is_lost_at_any_step_is_told_as_that(card, case, toy):
    """Nothing appears, later jobs of the process say the same, and an engine on the card as it is anew is right."""
    engine = case.engine(max_cached_models=0)
    expected = case.run(engine, NetworkSeparate, **toy)
    before = card.calls
    case.run(engine, NetworkSeparate, **toy)
    count = card.calls - before
    for number in range(1, count + 1, max(1, count // 12)):
        card.reset()
        card.be_complete(True)
        engine, at = case.engine(max_cached_models=0), card.calls + number
        card.lost_at = lambda call, at=at: call >= at
        for _ in range(2):
            with pytest.raises(Exception, match="illegal memory access") as caught:
                case.run(engine, NetworkSeparate, output=str(case.folder / "lost"), **toy)
            assert is_device_lost(caught.value)
            assert error_reply(caught.value).code == "device_lost"
        assert not list(case.folder.glob("lost/*"))
    card.reset()
    close(case.run(case.engine(), NetworkSeparate, **toy), expected, atol=0)


def test_the_toy_is_what_it_should_be(card, case, toy):
    """So that the tests above compare what was separated on the card, and no silence."""
    stems = case.run(case.engine(), NetworkSeparate, **toy)
    song = read(case.song)
    for stem, gain in zip(stems.values(), GAINS, strict=True):
        np.testing.assert_allclose(stem, song * gain, atol=1e-5)
