"""The report of the benchmark of dsu-audiosep, and the benchmark itself on the smallest scale."""

import pytest

from benchmarks import audiosep
from benchmarks.audiosep import WorkerRun
from tools.fixtures.audiosep import write_audiosep

SHORT = WorkerRun(1.0, 2.0, 0.0, (3.0,), 6.5, 1 << 30)
LONG = WorkerRun(1.0, 2.0, 0.0, (10.0,), 13.5, 1 << 30)
STAYS = WorkerRun(1.0, 2.0, 0.001, (3.0, 10.0, 2.0, 9.0), 28.0, 2 << 30)


def test_the_report_has_the_figures_of_each_comparison():
    """Cold, a worker for each job against one, the second load, several texts."""
    text = audiosep.report([SHORT, LONG], STAYS, SHORT._replace(jobs_s=(7.5,)), (4.0, 40.0))
    assert "| 4 | 1.00 | 2.00 | 3.00 | 6.50 |" in text
    assert "| a worker for each job | 40.00 | 6.50, 13.50, 6.50, 13.50 |" in text
    assert "| one worker | 28.00 | 3.00, 10.00, 2.00, 9.00 |" in text
    assert "| load | 2.00 | 0.00 |" in text
    assert "| song of 40 s, from start to end | 13.50 | 9.50 |" in text
    assert "3 texts at once take 2.50 of the time of one." in text
    assert "2048 MiB" in text


@pytest.mark.e2e
def test_a_life_of_a_worker_is_measured(tmp_path):
    """With a tiny network: a time for each song, and the second load is that from the cache."""
    files = write_audiosep(tmp_path / "model")
    source = audiosep.write_song(tmp_path / "song.wav", 0.5)
    run = audiosep.run_worker(files, [source, source], audiosep.TEXTS)
    assert len(run.jobs_s) == 2
    assert run.second_load_s < run.load_s
    assert run.total_s > run.startup_s + run.load_s
    assert run.peak_bytes > 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"song_({text}).wav" for text in audiosep.TEXTS}
