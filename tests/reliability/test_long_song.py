"""A long song. Its separation needs no more memory than that of a few minutes."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 8000
SHORT_S, LONG_S = 240, 10_800


def test_three_hours_need_the_memory_of_four_minutes(scenario, forge, demucs_models, tmp_path):
    """The most memory that a long song takes, one of three hours in a full run, is within a tenth of what one of four minutes takes."""
    peaks = {}
    short = SHORT_S if scenario.is_long else SHORT_S // 2
    lengths = (short, scenario.times(2 * short, LONG_S))
    for seconds in lengths:
        source = tmp_path / f"{seconds}.flac"
        with soundfile.SoundFile(source, "w", RATE, 1, "PCM_16", format="FLAC") as file:
            minute = np.random.default_rng(1).uniform(-0.5, 0.5, 60 * RATE).astype(np.float32)
            for _ in range(seconds // 60):
                file.write(minute)
        with forge.start("demucs", demucs_models) as worker, scenario.trial("song", seconds):
            names = {
                "format": "flac",
                "output_sample_rate": "source",
                "channels": "source",
                "model": "tiny",
                "shifts": 0,
            }
            worker.send({"cmd": "separate", "input": str(source), "output": str(tmp_path / "out"), **names})
            last = worker.expect("done", "error", timeout_s=6 * 3600)
            assert (last["status"], round(last.get("duration", 0))) == ("done", seconds), last
            peaks[seconds] = peak_bytes(worker.pid)
    short, long = (peaks[seconds] for seconds in lengths)
    with scenario.trial("comparison"):
        assert long < 1.1 * short
    scenario.note(f"{short >> 20} MiB for {lengths[0] // 60} min, {long >> 20} MiB for {lengths[1] // 60} min")


def peak_bytes(pid):
    """The most memory that a process has had."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10
