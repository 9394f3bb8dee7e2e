"""In which precision jobs run: decided by device, request and model, and never at the cost of the result."""

import msgspec
import numpy as np
import pytest
import torch
from network_case import Case
from networks import agreement_db

from tools.demo import read_clip, write_mix
from tools.fixtures.networks import write_network
from tools.metrics import sdr
from utils.core.job import Job
from utils.core.requests import NetworkLoad
from utils.engine.backends.torch import TorchBackend
from utils.store.registry import Registry


@pytest.fixture
def make_case(tmp_path):
    """Engines whose requests mean this precision where they leave it open."""
    return lambda precision: Case(tmp_path, default_precision=precision)


@pytest.fixture
def files(tmp_path):
    return write_network(tmp_path / "nets", "bs_roformer")


@pytest.mark.parametrize(
    ("default", "fields", "expected"),
    [
        ("auto", {}, "fp32"),  # in tests that is the fastest
        ("bf16", {}, "bf16"),
        ("bf16", {"precision": "auto", "quality": "balanced"}, "bf16"),
        ("bf16", {"precision": "fp32"}, "fp32"),
        ("fp32", {"precision": "bf16"}, "bf16"),
        ("bf16", {"quality": "best"}, "fp32"),
        ("bf16", {"quality": "best", "precision": "bf16"}, "bf16"),
    ],
)
def test_the_request_decides_then_the_worker(make_case, files, default, fields, expected):
    """`best` means single precision unless another is asked for; `done` shows what was used."""
    done, _ = make_case(default).run(files, **fields)
    assert done.settings["precision"] == expected


def test_the_worker_shows_what_it_means(make_case):
    """When it is ready, and in its status."""
    engine = make_case("bf16").engine
    ready, status = engine.start(), engine.health()
    assert ready.precision == status.precision == "bf16"
    assert ready.attention == status.attention == "flash"  # which torch has for processors, too


def test_half_precision_is_near(make_case, files):
    """The stems differ a little."""
    case = make_case("bf16")
    (_, rough), (_, exact) = case.run(files), case.run(files, precision="fp32")
    for name in exact:
        assert 25 < agreement_db(torch.from_numpy(rough[name]), torch.from_numpy(exact[name])) < 100


@pytest.mark.slow
def test_half_precision_changes_no_stem_s_quality(make_case, tmp_path):
    """With trained weights, on music whose stems are known: by less than anybody could measure."""
    case, truth = make_case("bf16"), read_clip()
    song = write_mix(truth, tmp_path / "clip.wav")
    (_, rough), (_, exact) = (case.run(None, song, model="dsu_mini", precision=kind) for kind in ("auto", "fp32"))
    for name, stem in truth.items():
        assert 40 < sdr(exact[name], rough[name]) < 90  # it was half precision
        assert abs(sdr(stem, rough[name]) - sdr(stem, exact[name])) < 0.02


def test_a_job_goes_on_where_half_precision_overflows(make_case, files, monkeypatch):
    """In single precision, with a warning; the model is remembered, so that the next job has none."""
    case, finite = make_case("bf16"), TorchBackend._run
    _, exact = case.run(files, precision="fp32")

    def overflowing(self, dtype, *inputs, **options):
        output = finite(self, dtype, *inputs, **options)
        return output if str(dtype) == "torch.float32" else output * float("nan")

    monkeypatch.setattr(TorchBackend, "_run", overflowing)
    jobs = [Job(), Job()]
    results = [case.run(files, job=job) for job in jobs]
    assert [any("overflows in half precision" in warning for warning in job.warnings) for job in jobs] == [True, False]
    for done, stems in results:
        assert done.settings["precision"] == "fp32"
        for name in exact:
            np.testing.assert_array_equal(stems[name], exact[name])


def test_a_record_can_say_that_a_network_needs_single_precision(make_case, monkeypatch):
    """Then no request runs it in another."""
    case = make_case("bf16")
    find = Registry.find
    monkeypatch.setattr(Registry, "find", lambda *args: msgspec.structs.replace(find(*args), precision="fp32"))
    done, _ = case.run(None, model="dsu_mini", precision="bf16")
    assert done.settings["precision"] == "fp32"


def test_weights_are_converted_when_a_model_is_loaded(make_case, monkeypatch):
    """So that the first job after `load_model` has nothing more to load."""
    case, prepared = make_case("bf16"), []
    real = TorchBackend.prepare
    monkeypatch.setattr(
        TorchBackend, "prepare", lambda self, precision: prepared.append(precision) or real(self, precision)
    )
    case.engine.load_model(NetworkLoad(model="dsu_mini"), Job())
    assert prepared == ["bf16"]


def test_resume_takes_the_precision_into_account(tmp_path, files):
    """What another precision has made is made again; what the same has made is not, whoever asked for it."""
    cases = {precision: Case(tmp_path, default_precision=precision) for precision in ("fp32", "bf16")}
    song, skipped = cases["fp32"].song(), []
    for precision, fields in (("fp32", {}), ("bf16", {}), ("bf16", {}), ("fp32", {"precision": "bf16"})):
        done, _ = cases[precision].run(files, song, resume=True, overwrite=True, **fields)
        skipped.append(done.skipped is True)
    assert skipped == [False, False, True, True]
