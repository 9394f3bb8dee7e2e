"""Programs that start demucs, each in its own way: what they type, what they read, and which files they look for then.

The facts of each call are public; the code here is not theirs. Programs that call the Python package instead are served by the
Python client's `compat.demucs`.
"""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from worker_process import clean_environment, worker_command

from tools.fixtures.demucs import FINE_TUNED, HTDEMUCS, make_repo, write_bag
from tools.fixtures.song import song
from workers import WORKERS

pytestmark = pytest.mark.e2e
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")

RATE = 44100
# Both streams in one pipe, as text.
MERGED = {"stderr": subprocess.STDOUT, "text": True, "encoding": "utf-8", "errors": "replace", "bufsize": 1}
STEMS = ["bass", "drums", "other", "vocals"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A models directory whose tiny networks have the names that clients ask for; `demucs` in it is what `--repo` names."""
    folder = tmp_path_factory.mktemp("models")
    repo = make_repo(folder / "demucs")
    write_bag(repo, "htdemucs", [HTDEMUCS])
    write_bag(repo, "htdemucs_ft", FINE_TUNED)
    write_bag(repo, "mdx_extra_q", FINE_TUNED)
    return folder


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    samples = song(4.0)
    soundfile.write(folder / "My Song.wav", samples, RATE)
    soundfile.write(folder / "long.wav", samples.repeat(40, axis=0), RATE)
    return folder


@pytest.fixture
def environment(models):
    return clean_environment({"DSU_MODELS": str(models), "DSU_OFFLINE": "1"})


@pytest.fixture
def demucs(worker_dir, environment, tmp_path):
    """Start `demucs` with these arguments, in a folder of its own."""

    def start(*words, **more):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [*worker_command(WORKERS["demucs"], worker_dir), *map(str, words)]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, **{**streams, **more})

    return start


def pieces(stream):
    """What arrives at a pipe, as it arrives."""
    while data := stream.read1():
        yield data.decode("utf-8", "replace")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class TestStemRoller:
    """`demucs SONG -n MODEL -j N -d cpu --repo DIR` in a temporary folder; results are in the only folder that is there then."""

    @staticmethod
    def words(path, models, model):
        return [path, "-n", model, "-j", 2, "-d", "cpu", "--repo", models / "demucs"]

    def test_progress_of_a_fine_tuned_bag(self, demucs, songs, models, tmp_path):
        """It counts a padded `0%` as the beginning of the next of four networks, and takes the first figure of each piece."""
        network, reached = 0, []
        with demucs(*self.words(songs / "My Song.wav", models, "htdemucs_ft")) as process:
            for piece in pieces(process.stderr):
                if found := re.search(r"\r\s+(\d+)%\|", piece):
                    network += int(found[1]) == 0
                    reached.append((network - 1) / 4 + int(found[1]) / 400)
            process.stdout.read()
        assert process.returncode == 0
        assert 1 <= network <= 4  # several may arrive at once
        assert reached == sorted(reached)
        assert 0 <= reached[0] <= reached[-1] <= 1
        (folder,) = [path for path in (tmp_path / "separated" / "htdemucs_ft").iterdir() if path.is_dir()]
        assert names(folder) == [f"{stem}.wav" for stem in STEMS]

    def test_each_network_begins_once(self, demucs, songs, models):
        """However long the first segment of a network takes."""
        with demucs(*self.words(songs / "My Song.wav", models, "htdemucs_ft")) as process:
            _, err = process.communicate()
        assert len(re.findall(rb"\r\s+0%\|", err)) == 4

    @posix_only
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
    def test_a_song_that_is_taken_back(self, demucs, songs, models, tmp_path, number):
        """The process that it ends is ended by the signal, and no folder can be taken for that of a result."""
        with demucs(*self.words(songs / "long.wav", models, "htdemucs")) as process:
            seen = ""
            for piece in pieces(process.stderr):
                seen += piece
                if re.search(r"\r\s+[1-9]\d*%\|", seen):
                    process.send_signal(number)
                    break
            process.communicate()
        assert process.returncode == -number
        assert [path for path in (tmp_path / "separated" / "htdemucs").iterdir() if path.is_dir()] == []


def test_stemmy(demucs, songs, models, tmp_path):
    """The song lies in the folder of its own results, which are MP3; percentages add up to 100 for each of four networks."""
    folder = tmp_path / "job" / "mdx_extra_q" / "original"
    folder.mkdir(parents=True)
    shutil.copy(songs / "My Song.wav", folder / "original.wav")
    words = [folder / "original.wav", "-n", "mdx_extra_q", "--repo", models / "demucs", "-j", 2, "-o", tmp_path / "job"]
    total = last = 0
    with demucs(*words, "--mp3") as process:
        for piece in pieces(process.stderr):
            for percent in map(int, re.findall(r"([0-9]+)%", piece)):
                total += max(percent - last, 0)
                last = percent
        process.stdout.read()
    assert process.returncode == 0
    assert (last, total / 4) == (100, 100)
    assert names(folder) == sorted(["original.wav", *(f"{stem}.mp3" for stem in STEMS)])


def test_ultrasinger(demucs, songs, tmp_path):
    """Floats of the vocals and of all else, below `separated` in the working folder; it asks for no model."""
    shutil.copy(songs / "My Song.wav", tmp_path)
    with demucs("-d", "cpu", "--two-stems=vocals", "--float32", "My Song.wav") as process:
        process.communicate()
    assert process.returncode == 0
    folder = tmp_path / "separated" / "htdemucs" / "My Song"
    assert names(folder) == ["no_vocals.wav", "vocals.wav"]
    assert {soundfile.info(path).subtype for path in folder.iterdir()} == {"FLOAT"}


def test_unmixer(demucs, songs, tmp_path):
    """It takes the song's folder out of that of the model, which is empty then and is removed."""
    with demucs(songs / "My Song.wav", "--out", tmp_path / "tracks") as process:
        process.communicate()
    shutil.move(tmp_path / "tracks" / "htdemucs" / "My Song", tmp_path / "tracks" / "My Song")
    assert list((tmp_path / "tracks" / "htdemucs").iterdir()) == []
    assert names(tmp_path / "tracks" / "My Song") == [f"{stem}.wav" for stem in STEMS]


class TestEchoZero:
    """Both streams in one pipe, line by line, in text mode where a carriage return ends a line too."""

    def test_two_stems(self, demucs, songs, tmp_path):
        """Progress is the figure before `%|`; the stems are those MP3 files that are in the folder."""
        words = ["-n", "htdemucs", "-o", tmp_path / "stems", "--shifts", 2, "--two-stems", "vocals", "--mp3"]
        with demucs(*words, "--mp3-bitrate", "192", songs / "My Song.wav", **MERGED) as process:
            lines = [line.rstrip() for line in iter(process.stdout.readline, "")]
        percents = [int(found[1]) for line in lines if (found := re.search(r"(\d+)%\|", line))]
        assert process.returncode == 0
        assert (percents[0], percents[-1], percents.count(100)) == (0, 100, 2)
        folder = tmp_path / "stems" / "htdemucs" / "My Song"
        assert sorted(path.stem for path in folder.glob("*.mp3")) == ["no_vocals", "vocals"]

    def test_an_error_is_in_the_lines(self, demucs, songs):
        """It shows what was said, and looks for a status that is not 0."""
        with demucs("-n", "htdemux", songs / "My Song.wav", **MERGED) as process:
            said = process.stdout.read()
        assert process.returncode == 1
        assert "htdemux" in said


def test_a_wrapper_that_falls_back_to_the_processor(demucs, songs, tmp_path):
    """It tries the graphics card first, and knows torch's sentence about a build without CUDA."""
    if torch.version.cuda is not None:
        pytest.skip("this build of torch has CUDA")
    with demucs("-d", "cuda", songs / "My Song.wav") as process:
        _, err = process.communicate()
    assert process.returncode == 1
    assert b"Torch not compiled with CUDA enabled" in err
    assert not list(tmp_path.rglob("*.wav"))


def test_a_wrapper_that_reads_the_whole_bar(demucs, songs):
    """Seconds done and in all, time left and speed, from the first bar on; the first is drawn before any segment is done."""
    form = r"(\d+)%\|[^|]*\| ([\d.]+)/([\d.]+) \[(\d\d:\d\d)<(\d\d:\d\d|\?), +([\d.]+|\?)seconds/s\]"
    with demucs("-n", "htdemucs", songs / "My Song.wav") as process:
        out, err = process.communicate()
    bars = re.findall(form, err.decode())
    assert bars[0][:3] == ("0", "0.0", bars[-1][2])
    assert bars[-1][0] == "100"
    assert bars[-1][1] == bars[-1][2]
    assert 4 <= float(bars[-1][2]) <= 8
    assert re.sub(form, "", err.decode()).strip() == ""
    sentences = out.decode().splitlines()
    assert sentences[0].startswith("Selected model is a bag of 1 models.")
    assert Path(sentences[1].removeprefix("Separated tracks will be stored in ")).is_dir()
    assert sentences[2] == f"Separating track {songs / 'My Song.wav'}"
