"""All engines with `resume`: finished jobs are skipped, changed ones run again."""

import shutil
from pathlib import Path

import msgspec
import pytest
from demucs_case import make_engine, write_song
from network_case import Case

from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.demucs import HTDEMUCS, tiny_htdemucs, write_bag, write_checkpoint
from tools.fixtures.networks import write_network
from utils.core.job import Job
from utils.core.replies import LoadingModel
from utils.core.requests import Apollo, AudioSeparatorSeparate, DemucsSeparate, NetworkSeparate
from utils.core.settings import Settings
from utils.engine import programs

pytestmark = pytest.mark.slow


class Run:
    """Repeats the same request, each time with a fresh engine that has nothing loaded."""

    def __init__(self, engine, request, write_model):
        self.engine, self.request, self.write_model = engine, request, write_model
        write_model(seed=1)

    def __call__(self):
        events = []
        engine = self.engine()
        done = engine.separate(self.request, Job(events.append))
        engine.close()
        return done, {type(event) for event in events}


def separator(folder):
    engine = programs.make_engine(
        "dsu-audio-separator", Settings(models_dir=folder / "models", device="cpu", threads=1)
    )
    engine.start()
    return engine


def demucs_case(folder, basis):
    def write_model(seed):
        shutil.rmtree(folder / "repo", ignore_errors=True)
        write_checkpoint(folder / "repo", HTDEMUCS, tiny_htdemucs, seed=seed)
        write_bag(folder / "repo", "net", [HTDEMUCS])

    request = DemucsSeparate(**basis, model="net", repo=str(folder / "repo"), shifts=0)
    return Run(lambda: make_engine(folder / "models"), request, write_model)


def network_case(folder, basis):
    request = NetworkSeparate(**basis, model_path=str(folder / "scnet.ckpt"), config_path=str(folder / "scnet.yaml"))
    return Run(lambda: Case(folder).engine, request, lambda seed: write_network(folder, "scnet", seed=seed))


def vr_case(folder, basis):
    request = AudioSeparatorSeparate(**basis, model=str(folder / "net.pth"))
    return Run(lambda: separator(folder), request, lambda seed: make_vr(folder, "net", seed=seed))


def mdx_case(folder, basis):
    request = AudioSeparatorSeparate(**basis, model=str(folder / "net.onnx"))
    return Run(lambda: separator(folder), request, lambda seed: make_mdx(folder, "net", seed=seed))


def network_of_another_worker_case(folder, basis):
    def write_model(seed):
        write_network(folder / "models" / "bsroformer", "mdx23c", name="mine", seed=seed)

    return Run(lambda: separator(folder), AudioSeparatorSeparate(**basis, model="mine"), write_model)


def apollo_case(folder, basis):
    basis = {**basis, "output": str(folder / "out" / "restored.flac")}
    request = Apollo(**basis, model_path=str(folder / "apollo.ckpt"))
    return Run(lambda: separator(folder), request, lambda seed: write_network(folder, "apollo", seed=seed))


@pytest.fixture(params=[demucs_case, network_case, vr_case, mdx_case, network_of_another_worker_case, apollo_case])
def case(request, tmp_path):
    """A job that can be repeated."""
    write_song(tmp_path / "song.wav", 1.5)
    basis = {"input": str(tmp_path / "song.wav"), "output": str(tmp_path / "out"), "resume": True}
    return request.param(tmp_path, basis)


def times(done):
    return {path: Path(path).stat().st_mtime_ns for path in done.paths.values()}


def test_a_finished_job_is_answered_without_its_model(case):
    """A repeated job has the same paths and numbers, no events, and writes nothing; the first is not skipped."""
    first, events = case()
    assert first.skipped is not True
    assert LoadingModel in events
    before = times(first)
    second, events = case()
    assert second.skipped is True
    assert events == set()
    assert (second.paths, second.files, second.elapsed) == (first.paths, first.files, first.elapsed)
    assert type(second) is type(first)
    assert times(second) == before


def test_with_another_model_under_the_same_name_the_job_is_done_again(case):
    """The content of the model's file counts."""
    before = times(case()[0])
    case.write_model(seed=2)
    second, events = case()
    assert second.skipped is not True
    assert LoadingModel in events
    assert times(second).keys() == before.keys()
    assert all(times(second)[path] != before[path] for path in before)


def test_the_same_model_written_again_is_the_same(case):
    """The modification time of the model's file does not count."""
    case()
    case.write_model(seed=1)
    assert case()[0].skipped is True


def test_without_resume_nothing_is_noted_and_nothing_skipped(case, tmp_path):
    """Without `resume` no note is written, and jobs are not skipped."""
    case.request = msgspec.structs.replace(case.request, resume=False)
    assert case()[0].skipped is not True
    second, events = case()
    assert second.skipped is not True
    assert LoadingModel in events
    assert not list((tmp_path / "out").rglob(".dsu"))


def test_what_cannot_be_noted_is_a_warning(tmp_path):
    """The stems are complete; only `resume` will not recognise them."""
    write_song(tmp_path / "song.wav", 1.5)
    basis = {"input": str(tmp_path / "song.wav"), "output": str(tmp_path / "out"), "resume": True}
    case = mdx_case(tmp_path, basis)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".dsu").write_text("a file in the way")
    job = Job()
    done = case.engine().separate(case.request, job)
    assert all(Path(path).is_file() for path in done.paths.values())
    assert [warning for warning in job.warnings if "could not be recorded" in warning]
    assert case()[0].skipped is not True


def test_a_skipped_job_repeats_its_warnings(tmp_path):
    """A skipped job repeats the warnings of the original job."""
    write_song(tmp_path / "song.wav", 1.5, level=2.0)
    case = mdx_case(tmp_path, {"input": str(tmp_path / "song.wav"), "output": str(tmp_path / "out"), "resume": True})
    warnings = []
    for _ in range(2):
        job = Job()
        job.warn("An unknown field, which is another matter.")
        case.engine().separate(case.request, job)
        warnings.append(job.warnings)
    assert any("lowered" in warning for warning in warnings[0])
    assert warnings[0] == warnings[1]
    assert not any("unknown field" in note.read_text() for note in (tmp_path / "out" / ".dsu").iterdir())
