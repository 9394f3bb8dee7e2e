"""The programs that write test songs: generate_test_audio.py and create_long_audio.py."""

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parents[2]
RATE = 44100


def program(name):
    """A program in the folder tests, as a module."""
    spec = importlib.util.spec_from_file_location(name, TESTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generate():
    return program("generate_test_audio")


@pytest.fixture(scope="module")
def lengthen():
    return program("create_long_audio")


def hashes(folder):
    """The hashes of all files in a folder, by path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read(path):
    return soundfile.read(path, dtype="int16")[0].astype(int)


def test_two_runs_write_the_same_bytes(generate, tmp_path, capsys):
    """All songs and stems have their documented names; another seed gives other bytes."""
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert generate.main(["--output-dir", str(tmp_path / name), "--seconds", "1", "0.5", "--seed", seed]) == 0
    first = hashes(tmp_path / "a")
    songs = ("test_1s", "test_0.5s", "test_mix")
    stems = ("drums", "bass", "other", "vocals")
    assert set(first) == {f"{song}.wav" for song in songs} | {f"{song}_stems/{s}.wav" for song in songs for s in stems}
    assert first == hashes(tmp_path / "b")
    assert first != hashes(tmp_path / "c")
    assert capsys.readouterr().out.splitlines()[:3] == [str(tmp_path / "a" / f"{song}.wav") for song in songs]


def test_stems_sum_to_the_mix(generate, tmp_path):
    """The stems' samples sum exactly to the mix's, also at another sample rate."""
    assert generate.main(["--output-dir", str(tmp_path), "--seconds", "2", "--rate", "48000"]) == 0
    stems = [read(path) for path in (tmp_path / "test_2s_stems").iterdir()]
    assert np.array_equal(np.sum(stems, axis=0), read(tmp_path / "test_2s.wav"))
    assert soundfile.info(tmp_path / "test_2s.wav").samplerate == 48000
    assert all(np.abs(stem).max() > 500 for stem in stems)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seconds", "0"], "from 0.1 to 3600"),
        (["--seconds", "four"], "from 0.1 to 3600"),
        (["--rate", "10"], "from 8000 to 192000"),
        (["--seed", "-1"], "of at least 0"),
    ],
)
def test_wrong_options_are_explained(generate, words, said, tmp_path, capsys):
    """Wrong options give exit status 2 before anything is written."""
    with pytest.raises(SystemExit) as left:
        generate.main(["--output-dir", str(tmp_path / "out"), *words])
    assert left.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(generate, tmp_path, capsys):
    """The message says what to do, with exit status 1."""
    (tmp_path / "file").write_bytes(b"")
    assert generate.main(["--output-dir", str(tmp_path / "file"), "--seconds", "1"]) == 1
    assert "Name another --output-dir" in capsys.readouterr().err


def test_a_long_song_is_as_long_as_asked(lengthen, generate, tmp_path):
    """It continues the song of generate_test_audio.py."""
    target = tmp_path / "new" / "long.wav"
    assert lengthen.main(["--minutes", "0.2", "--output", str(target)]) == 0
    generate.main(["--output-dir", str(tmp_path), "--seconds", "1"])
    song = read(target)
    assert song.shape == (round(12 * RATE), 2)
    assert np.array_equal(song[:RATE], read(tmp_path / "test_1s.wav"))
    assert np.abs(song[-RATE:]).max() > 500
    assert [path.name for path in target.parent.iterdir()] == ["long.wav"]


def test_a_file_is_repeated(lengthen, tmp_path):
    """The file is repeated without gaps at its own rate and channels, and cut at the end."""
    ramp = np.arange(-1000, 1001, dtype=np.int16)
    soundfile.write(tmp_path / "ramp.flac", ramp, 8000)
    words = ["--minutes", "0.02", "--input", str(tmp_path / "ramp.flac"), "--output", str(tmp_path / "long.wav")]
    assert lengthen.main(words) == 0
    info = soundfile.info(tmp_path / "long.wav")
    assert (info.frames, info.samplerate, info.channels) == (9600, 8000, 1)
    assert np.array_equal(read(tmp_path / "long.wav"), np.resize(ramp, 9600))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("gone.wav", "There is no file"),
        ("text.wav", "cannot be repeated"),
        ("empty.wav", "contains no samples"),
        ("long.wav", "into itself"),
    ],
)
def test_what_cannot_be_repeated_is_explained(lengthen, source, said, tmp_path, capsys):
    """Nothing is written if the source is missing, no audio, empty, or the target itself."""
    (tmp_path / "text.wav").write_text("words")
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 2)), RATE)
    soundfile.write(tmp_path / "long.wav", np.zeros((10, 2)), RATE)
    before = hashes(tmp_path)
    words = ["--minutes", "0.02", "--input", str(tmp_path / source), "--output", str(tmp_path / "long.wav")]
    assert lengthen.main(words) == 1
    assert said in capsys.readouterr().err
    assert hashes(tmp_path) == before


def test_more_than_a_wav_file_holds_is_refused(lengthen, tmp_path, capsys):
    """Eight channels at a high rate exceed the 32-bit size of a WAV file before six hours."""
    soundfile.write(tmp_path / "wide.wav", np.zeros((10, 8)), 96000)
    words = ["--minutes", "360", "--input", str(tmp_path / "wide.wav"), "--output", str(tmp_path / "long.wav")]
    assert lengthen.main(words) == 1
    assert "Choose fewer --minutes." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["wide.wav"]


def test_a_long_song_is_written_in_blocks(lengthen, tmp_path, monkeypatch):
    """No written block is longer than a phrase, however long the song."""
    sizes = []

    class Watched(soundfile.SoundFile):
        def write(self, data):
            sizes.append(len(data))
            super().write(data)

    monkeypatch.setattr("tools.fixtures.song_stems.soundfile.SoundFile", Watched)
    assert lengthen.main(["--minutes", "0.3", "--output", str(tmp_path / "long.wav")]) == 0
    assert sum(sizes) == 18 * RATE
    assert max(sizes) <= 8 * RATE


@pytest.mark.parametrize("words", [[], ["--input", "a.wav"]])
def test_a_full_disk_is_reported(words, lengthen, tmp_path, monkeypatch, capsys):
    """An error of libsndfile while writing gives a message and leaves no file."""
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 2)), RATE)
    before = hashes(tmp_path)

    class Full(soundfile.SoundFile):
        def write(self, data):
            raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile, "SoundFile", Full)
    monkeypatch.chdir(tmp_path)
    assert lengthen.main(["--minutes", "0.02", "--output", "long.wav", *words]) == 1
    assert "`long.wav` cannot be written" in capsys.readouterr().err
    assert hashes(tmp_path) == before
