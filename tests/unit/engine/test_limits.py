"""What settings limit, and how a job ends that is cancelled while its model is read."""

import itertools

import pytest
from network_case import Case, member

from tools.fixtures.networks import write_network
from utils.core.errors import DownloadFailed, InputUnreadable, LoadTimeout, OutOfMemory
from utils.core.job import Job, JobCancelled
from utils.core.replies import LoadingModel
from utils.core.requests import DownloadModel, NetworkMember, NetworkPreload
from utils.engine.families.networks import network


@pytest.fixture
def files(tmp_path):
    return write_network(tmp_path / "nets", "mdx23c")


def refused(case, error, setting, *files, job=None, **fields):
    """The job fails with this error, which names the setting, and leaves nothing in the cache or on the disk."""
    with pytest.raises(error) as caught:
        case.run(*files, job=job, **fields)
    assert f"`{setting}`" in f"{caught.value.message} {caught.value.hint}"
    assert case.engine.list_cached().models == []
    assert not (case.folder / "out").exists()
    return caught.value


@pytest.mark.parametrize("suffix", [".ckpt", ".weights"])
def test_a_model_larger_than_a_job_may_have(tmp_path, files, suffix):
    """It is refused before it is read or, where its file does not say that it holds weights, before it is converted."""
    files = files._replace(checkpoint=files.checkpoint.rename(files.checkpoint.with_suffix(suffix)))
    size_bytes = files.checkpoint.stat().st_size
    events = []
    refused(
        Case(tmp_path, max_model_bytes=size_bytes // 2), OutOfMemory, "max_model_bytes", files, job=Job(events.append)
    )
    assert any(isinstance(event, LoadingModel) for event in events) == (suffix == ".weights")
    assert Case(tmp_path, max_model_bytes=size_bytes).run(files)[0].files


def test_models_of_one_job_count_together(tmp_path, files):
    """What is in the cache for other jobs does not."""
    other = write_network(tmp_path / "nets", "mdx23c", name="other", seed=1)
    case = Case(tmp_path, max_model_bytes=int(1.5 * files.checkpoint.stat().st_size))
    for one in (files, other):
        case.run(one)
    case.engine.clear_cache()
    ensemble = [NetworkMember(**member(one)) for one in (files, other)]
    with pytest.raises(OutOfMemory, match=r"beside \d+ MB of the job's other models"):
        case.run(ensemble=ensemble)


def test_a_model_that_takes_too_long_to_read(tmp_path, files):
    """It is given up at the next tensor. The next job may have more luck."""
    hours = itertools.count(0, 3600)
    case = Case(tmp_path)
    refused(case, LoadTimeout, "max_load_seconds", files, job=Job(clock=lambda: next(hours)))
    assert case.run(files)[0].files


def test_a_song_below_the_lowest_rate(tmp_path, files):
    """The setting decides, for songs and for recordings of noise."""
    refused(Case(tmp_path, lowest_sample_rate=48000), InputUnreadable, "lowest_sample_rate", files)


def test_a_model_larger_than_downloads_may_be(tmp_path):
    """Nothing is asked of its server."""
    case = Case(tmp_path, max_download_bytes=1000)
    with pytest.raises(DownloadFailed) as caught:
        case.engine.download_model(DownloadModel(model="vocals_melband"), Job())
    assert caught.value.hint == "`max_download_bytes` sets the limit."


@pytest.mark.parametrize("preloading", [False, True])
def test_a_job_is_cancelled_while_its_model_is_read(tmp_path, files, preloading, monkeypatch):
    """Nothing of it is kept, whatever the job reads it for."""
    case, job = Case(tmp_path), Job()
    read = network.read_checkpoint

    def cancelled(*args, **options):
        job.cancel()
        return read(*args, **options)

    monkeypatch.setattr(network, "read_checkpoint", cancelled)
    preload = NetworkPreload(**member(files))
    with pytest.raises(JobCancelled):
        case.engine.preload_model(preload, job) if preloading else case.run(files, job=job)
    assert case.engine.list_cached().models == []
    assert not (case.folder / "out").exists()
