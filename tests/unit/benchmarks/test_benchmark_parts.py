"""The pure parts of the benchmarks."""

import subprocess
import sys

import numpy as np
import psutil
import pytest
import soundfile

from benchmarks import memory, results, startup, worker_process
from utils.store.audio_separator_models import found_models
from utils.store.folders import ModelFolders
from workers import WORKERS

DOCUMENT = "# Results\n\nIntroduction.\n\n## One\n\nold\n\n## Two\n\nkept\n"


def test_section_is_replaced_in_its_place():
    """Another measurement of the same thing takes the old one's place and leaves the others."""
    changed = results.replace_section(DOCUMENT, "One", "## One\n\nnew\n")
    assert changed == "# Results\n\nIntroduction.\n\n## One\n\nnew\n\n## Two\n\nkept\n"


def test_new_section_is_added_at_the_end():
    """The first measurement of something goes last."""
    changed = results.replace_section(DOCUMENT, "Three", "## Three\n\nnew")
    assert changed == DOCUMENT + "\n## Three\n\nnew\n"


def test_written_section_says_where_it_was_measured(tmp_path):
    """Each section carries machine and versions; the file is made if it is missing."""
    path = tmp_path / "RESULTS.md"
    results.write_section("One", "body", path)
    results.write_section("One", "body again", path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Results")
    assert text.count("## One") == 1
    assert "body again" in text
    assert " cores, " in text
    assert "torch 2." in text


def test_table_is_markdown():
    """Cells are separated as Markdown wants it."""
    assert results.table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_ratios_are_those_of_the_medians_and_minima():
    """The start is judged by ratios to `import torch` on the same machine."""
    text = startup.report({"import torch": [2.0, 1.0, 1.0], "first line": [0.1, 0.1, 0.3], "ready": [2.0, 1.5, 1.2]})
    assert "| first line | 0.100 | 0.100 | 0.100 | 0.100 | <= 0.1 |" in text
    assert "| ready | 1.500 | 1.200 | 1.500 | 1.200 | <= 1.25 |" in text


def test_start_of_frozen_programs_is_measured_without_this_python(tmp_path):
    """A script is run by this Python, a program of a frozen folder runs itself."""
    worker = WORKERS["demucs"]
    script = worker_process.command(startup.program_of(worker, None))
    assert script == [sys.executable, str(worker_process.ROOT / worker.script)]
    (frozen,) = worker_process.command(startup.program_of(worker, tmp_path))
    assert frozen.removesuffix(".exe") == str(tmp_path / worker.executable)


def test_memory_ratio_is_that_of_the_peaks():
    """What the long song needs over what the short one needs."""
    short = memory.Measured(4, 2, 300 << 20, 500 << 20, 10.0)
    long = memory.Measured(60, 2, 300 << 20, 520 << 20, 150.0)
    assert "**1.040**" in memory.report(short, long)


def test_long_song_has_exactly_its_length(tmp_path):
    """The song is written piece by piece, and the last piece is cut."""
    memory.write_song(tmp_path / "song.wav", minutes=0.35)
    info = soundfile.info(tmp_path / "song.wav")
    assert (info.frames, info.channels) == (21 * 44100, 2)


def test_peak_counts_memory_that_was_given_back():
    """The watch sees 200 MB that a process held for a moment, after they are gone."""
    code = "b = bytearray(200_000_000); b[::4096] = b'x' * len(b[::4096]); del b; print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        watch = worker_process.MemoryWatch(process.pid)
        process.stdout.readline()
        peak = watch.stop()
        process.communicate(b"\n")
    if sys.platform != "darwin":  # which keeps no record, so that a moment between two samples is missed
        assert peak > 200_000_000
    assert peak > 0


def test_watch_survives_the_end_of_the_process():
    """A process that ends while it is watched does not end the watching with an error."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watch = worker_process.MemoryWatch(process.pid)
        process.communicate(b"\n")
    watch._thread.join(timeout=10)
    assert not watch._thread.is_alive()


def test_failure_of_the_worker_is_an_error(monkeypatch, tmp_path):
    """A worker that answers with an error or ends does not leave a benchmark waiting."""
    (tmp_path / "worker.py").write_text('print(\'{"status": "error", "message": "No."}\')\n')
    monkeypatch.setattr(worker_process, "ROOT", tmp_path)
    with (
        pytest.raises(worker_process.WorkerFailed, match=r"No\."),
        worker_process.WorkerProcess("worker.py", tmp_path) as worker,
    ):
        worker.wait_for("done")
    (tmp_path / "worker.py").write_text("")
    with (
        pytest.raises(worker_process.WorkerFailed, match="ended"),
        worker_process.WorkerProcess("worker.py", tmp_path) as worker,
    ):
        worker.wait_for("ready")


def test_song_repeats_with_less_and_less_gain(tmp_path):
    """Pieces differ, so that nothing can be cached by content."""
    memory.write_song(tmp_path / "song.wav", minutes=0.4)
    audio, _ = soundfile.read(tmp_path / "song.wav")
    first, second = audio[: 12 * 44100], audio[12 * 44100 :]
    assert 0.99 < np.abs(second).max() / np.abs(first).max() < 1.0


def test_recorded_peak_is_at_least_what_is_held():
    """The system's record covers this very process, where there is one."""
    process = psutil.Process()
    peak = worker_process.recorded_peak(process)
    assert peak == 0 or peak >= process.memory_info().rss * 0.5


def test_every_kind_of_network_has_its_own_section():
    """That of dsu-demucs keeps its name, and is replaced in its place."""
    titles = [case.title for case in memory.CASES.values()]
    assert titles[0] == "Memory of dsu-demucs"
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("kind", ["vr", "mdx"])
def test_small_networks_are_found_under_the_name_that_is_asked_for(tmp_path, kind):
    """So that the worker separates with them."""
    case = memory.CASES[kind]
    case.make(tmp_path)
    assert case.request["model"] in found_models(ModelFolders(tmp_path))


def test_unknown_kinds_are_refused(capsys):
    """With those that there are, before anything is made."""
    with pytest.raises(SystemExit):
        memory.main(["vr", "vrr"])
    assert "demucs, vr, mdx, apollo" in capsys.readouterr().err
