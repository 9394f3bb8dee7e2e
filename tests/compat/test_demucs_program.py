"""`dsu-demucs` side by side with demucs: one command line, two programs, the same status, files, samples and streams."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import demucs_rows
import numpy as np
import pytest
import soundfile

from tools.ffmpeg_program import path_with_ffmpeg
from tools.fixtures.demucs import make_repo
from tools.fixtures.song import song

RATE = 44100
ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("demucs", "dsu-demucs")


class Ran(NamedTuple):
    """One run: its status, what it has said, and the folder with its files."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def files(self):
        found = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(path.relative_to(self.folder).as_posix() for path in found if "models" not in path.parts)

    @property
    def bars(self):
        """The totals of the bars that were drawn to their end, in seconds."""
        return [round(float(total), 2) for total in re.findall(r"100%\|[^|]*\| \S+/(\S+) \[[^\r]*\n", self.err)]

    @property
    def sentences(self):
        """What stands on stderr besides bars."""
        return [line for line in re.split(r"[\r\n]+", self.err) if line and "%|" not in line]

    @property
    def said(self):
        return self.out.replace(str(self.folder.resolve()), ".")


def fill(folder):
    """A folder with songs and models."""
    make_repo(folder / "models")
    samples = song(3.0)
    short, level = samples[: RATE + 5000], np.float32(1 / np.abs(samples).max())
    soundfile.write(folder / "long.wav", samples, RATE)
    soundfile.write(folder / "song.wav", short, RATE)
    shutil.copy(folder / "song.wav", folder / "My Song.wav")
    shutil.copy(folder / "song.wav", folder / "a.b.wav")
    soundfile.write(folder / "short.flac", short, RATE)
    soundfile.write(folder / "loud.wav", short * level * 4, RATE, subtype="FLOAT")
    soundfile.write(folder / "mono.wav", short[:, 0], RATE)
    soundfile.write(folder / "at48k.wav", short[:48000], 48000)
    soundfile.write(folder / "silent.wav", np.zeros_like(short), RATE)
    (folder / "broken.wav").write_bytes(b"no audio at all")
    (folder / "folder").mkdir()
    soundfile.write(folder / "folder" / "song.wav", short, RATE)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Each row's runs in demucs and here, by its words. Both programs run all rows, at the same time."""
    folder = tmp_path_factory.mktemp("side by side")
    programs = path_with_ffmpeg(folder / "programs")
    given = folder / "given"
    given.mkdir()
    fill(given)

    def run_all(program):
        runs = []
        for number, row in enumerate(demucs_rows.ROWS):
            own = folder / program / str(number)
            own.mkdir(parents=True)
            for path in given.iterdir():
                (own / path.name).symlink_to(path)
            runs.append({"argv": shlex.split(row.words)[1:], "folder": str(own)})
        todo = folder / f"{program}.json"
        todo.write_text(json.dumps(runs))
        command = [sys.executable, ROOT / "tests" / "aids" / "many_runs.py", program, todo]
        env = {
            **os.environ,
            "DSU_OFFLINE": "1",
            "DSU_MODELS": str(folder / "none"),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "PATH": programs,  # demucs writes FLAC with ffmpeg
        }
        done = subprocess.run(command, stdout=subprocess.PIPE, env=env, cwd=folder, text=True, check=True)
        return [Ran(**ran, folder=Path(one["folder"])) for ran, one in zip(json.loads(done.stdout), runs, strict=True)]

    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(run_all, PROGRAMS)
    return {row.words: pair for row, *pair in zip(demucs_rows.ROWS, theirs, ours, strict=True)}


def unlike(theirs, ours):
    """What is not the same, in words; nothing if all is."""
    if theirs.status != ours.status:
        return [f"status {theirs.status} there, {ours.status} here: {ours.err[-300:]}"]
    if theirs.files != ours.files:
        return [f"files {theirs.files} there, {ours.files} here"]
    return [word for name in ours.files for word in unlike_files(theirs.folder / name, ours.folder / name)]


def unlike_files(theirs, ours):
    expected, found = soundfile.info(theirs), soundfile.info(ours)
    kinds = [
        (info.format.replace("WAVEX", "WAV"), info.subtype, info.samplerate, info.channels)
        for info in (expected, found)
    ]
    if kinds[0] != kinds[1]:
        return [f"{ours.name}: {kinds[0]} there, {kinds[1]} here"]
    if found.format == "MP3":  # two encoders, which differ in delay
        sizes = theirs.stat().st_size, ours.stat().st_size
        return [] if sizes[1] == pytest.approx(sizes[0], rel=0.1) else [f"{ours.name}: {sizes[0]} and {sizes[1]} bytes"]
    expected, found = (soundfile.read(path, dtype="float32")[0] for path in (theirs, ours))
    if expected.shape != found.shape:
        return [f"{ours.name}: {expected.shape} there, {found.shape} here"]
    apart = np.abs(expected - found).max()
    tolerance = 0.02 if "at48k" in ours.parts else 1e-4  # two resamplers
    return [f"{ours.name}: {apart:.5f} apart"] if apart > tolerance else []


@pytest.mark.parametrize("row", demucs_rows.ROWS, ids=lambda row: row.words)
def test_a_command_line_does_what_it_does_in_demucs(both, row):
    """Status, files, formats and samples are the same, or the row says that they are not."""
    theirs, ours = both[row.words]
    found = unlike(theirs, ours)
    assert bool(found) == bool(row.differs), found


@pytest.mark.parametrize("row", [row for row in demucs_rows.ROWS if not row.differs], ids=lambda row: row.words)
def test_the_streams_are_those_of_demucs(both, row):
    """What is said on stdout is the same, stderr has the same bars, and without an error nothing else."""
    theirs, ours = both[row.words]
    if ours.status != 0 or "--help" in row.words or " -v" in row.words or " --v" in row.words:
        return
    if "--list-models" in row.words:
        if "models --list" in row.words:  # there in the order of the folder
            assert sorted(ours.out.splitlines()) == sorted(theirs.out.splitlines())
        return
    assert ours.said == theirs.said
    assert ours.sentences == theirs.sentences
    if theirs.bars:  # there are none there for a song at once
        assert len(ours.bars) == len(theirs.bars)
    # Bars are shared out evenly where networks have segments of their own, or do not run for what is asked.
    if not any(word in row.words for word in ("tiny_bag", "none", "silent")):
        assert [total for total in ours.bars if theirs.bars] == theirs.bars
