"""dsu-audio-separator beside the real audio-separator: the same arguments, models and songs."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import soundfile
from audio_separator_models import write_models
from audio_separator_peer import Ran
from audio_separator_rows import OTHERS, SEPARATIONS
from audio_separator_songs import ENSEMBLES_DB, LOWEST_DB, same_audio

from utils.commandline.audio_separator.program import main
from workers import launch

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{3} - "
COMPLETE = "INFO - cli - Separation complete! Output file(s): "


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def programs(peer, models, songs, tmp_path, monkeypatch):
    """Runs both programs with the same words, each in a folder of its own; returns what each did, and the two folders."""
    monkeypatch.setenv("AUDIO_SEPARATOR_MODEL_DIR", str(models))
    folders = tmp_path / "theirs", tmp_path / "ours"
    for folder in folders:
        folder.mkdir()

    def both(words):
        argv = [
            str(songs / word) if (songs / word).exists() else word for word in shlex.split(words, posix="'" in words)
        ]
        theirs = peer.run(*argv, *(["--use_soundfile"] if argv[:1] else []), folder=folders[0], models=models)
        monkeypatch.chdir(folders[1])
        return theirs, run_here(argv), *folders

    return both


def run_here(argv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv, partial(launch.make_engine, "audio-separator"), lambda models_dir, repo: [])
    return Ran(status, out.getvalue(), err.getvalue())


def log_of(ran):
    """The lines of a program's log, without their times."""
    return [re.sub(STAMP, "", line) for line in re.split(r"[\r\n]+", ran.err) if re.match(STAMP, line)]


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("row", SEPARATIONS, ids=lambda row: row.words)
def test_separations(programs, row):
    """Both write the same files, and say so with the same words."""
    theirs, ours, their_folder, our_folder = programs(row.words)
    assert (theirs.status, ours.status) == (0, 0), ours.err
    assert (theirs.out, ours.out) == ("", "")
    their_files, our_files = files_below(their_folder), files_below(our_folder)
    assert our_files.keys() == their_files.keys()
    for name, path in their_files.items():
        same_audio(path, our_files[name], ENSEMBLES_DB if "--extra_models" in row.words else LOWEST_DB)
    last = [log_of(ran)[-1] for ran in (theirs, ours)]
    assert all(line.startswith(COMPLETE) for line in last)
    named = [sorted(Path(word).name for word in line.removeprefix(COMPLETE).split(" ")) for line in last]
    assert named[0] == named[1]
    bars = [re.findall(r"(?<=[\r\n]) *(\d+)%\|.{10}\| \d+/\d+ \[", f"\n{ran.err}") for ran in (theirs, ours)]
    assert all("100" in percents for percents in bars)


@pytest.mark.parametrize("row", OTHERS, ids=lambda row: row.words)
def test_what_is_refused_or_told(programs, row):
    """The same status, the same stream, and no files."""
    theirs, ours, their_folder, our_folder = programs(row.words)
    assert ours.status == theirs.status
    assert bool(ours.out) == bool(theirs.out)
    assert files_below(our_folder) == files_below(their_folder) == {}


def test_the_list_as_json(programs):
    """The same kinds in the same order, and objects with the same members."""
    theirs, ours, *_ = (json.loads(ran.out) for ran in programs("-l --list_format=json")[:2])
    assert list(ours) == list(theirs)
    expected = {tuple(model) for models in theirs.values() for model in models.values()}
    assert {tuple(model) for models in ours.values() for model in models.values()} == expected
    model = theirs["VR"]["VR Arch Single Model v5: 1_HP-UVR"]
    same = ours["VR"]["VR Arch Single Model v5: 1_HP-UVR"]
    assert (same["filename"], same["stems"], same["target_stem"]) == (
        *(model["filename"], model["stems"], model["target_stem"]),
    )
    assert same["scores"].keys() == model["scores"].keys()


def test_tables(programs):
    """The same columns, and ensembles with the same names, members and algorithms."""
    theirs, ours, *_ = programs("--list_presets")
    names = [[(row.split()[0], row.split()[-2:]) for row in ran.out.splitlines()[3:]] for ran in (theirs, ours)]
    assert names[0] == names[1]
    theirs, ours, *_ = programs("-l --list_filter=filename --list_limit=3")
    headings = [re.split(r" {2,}", ran.out.splitlines()[1]) for ran in (theirs, ours)]
    assert headings[0] == headings[1]
    assert [len(ran.out.splitlines()) for ran in (theirs, ours)] == [6, 6]


def test_a_program_that_starts_it_for_each_song(models, songs, tmp_path):
    """As karaoke-gen and others do: percentages from stderr while it works, files from its end, stems from their names."""
    worker = Path(launch.__file__).with_name("audio_separator_worker.py")
    words = [
        "--model_filename=mdx23c.ckpt",
        f"--model_file_dir={models}",
        f"--output_dir={tmp_path}",
        "--output_format=FLAC",
    ]
    process = subprocess.Popen(
        [sys.executable, worker, str(songs / "song.wav"), *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate()
    assert (process.returncode, out) == (0, "")
    percents = [int(found) for found in re.findall(r"(\d+)%\|", err)]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (0, 100)
    files = err.splitlines()[-1].partition("Output file(s): ")[2].split(" ")
    stems = {name.split("_(")[1].split(")_")[0]: tmp_path / name for name in files}
    assert sorted(stems) == ["other", "vocals"]
    assert all(soundfile.info(path).frames == soundfile.info(songs / "song.wav").frames for path in stems.values())
