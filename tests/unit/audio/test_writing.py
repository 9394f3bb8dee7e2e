"""A set of stems: all of them whole, or nothing at all."""

import errno
import os
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sounds import RATE, noise, read, sdr, tones

from utils.audio import encoders, stem_files, temporary
from utils.audio.tagging import Tags, TagSet, read_tags
from utils.audio.writing import OutputFormat, open_stems
from utils.core import cleanup
from utils.core.errors import DiskFull, OutputNotWritable, UnsupportedFormat
from utils.core.job import JobCancelled
from utils.core.peaks import PeakRange

FRAMES = 90_001
EVERY_FORMAT = ["wav", "flac", "mp3", "ogg", "opus", "aiff", "m4a"]


def output(name="wav", sample_type="PCM_16", *, rate=RATE, clip="rescale", bitrate=None):
    return OutputFormat(name, sample_type, bitrate, rate, clip)


def stems_in(folder, names=("drums", "vocals"), wanted=None, **kwargs):
    wanted = wanted or output()
    defaults = {"output": wanted, "model_rate": RATE, "channels": 2, "frames": FRAMES, "tags": None}
    targets = {name: folder / "song" / f"{name}.{wanted.name}" for name in names}
    return open_stems(targets, folder=folder, **(defaults | kwargs))


def write_all(stems, sounds, block=20_000):
    for start in range(0, max(sound.shape[1] for sound in sounds.values()), block):
        for name, sound in sounds.items():
            stems.write(name, sound[:, start : start + block])


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def save_stems(folder, sounds, wanted=None, **kwargs):
    with stems_in(folder, tuple(sounds), wanted, **kwargs) as stems:
        write_all(stems, sounds)
        return stems.commit()


@pytest.mark.parametrize("clip", ["rescale", "clamp", "none"])
@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_stems_are_published(tmp_path, name, clip):
    """Every format in every clip mode: the paths are named, right in length and sound, and nothing else is there."""
    sounds = {"drums": tones(FRAMES), "vocals": tones(FRAMES, peak=0.3)}
    written = save_stems(tmp_path / "out", sounds, output(name, rate=48000, clip=clip), model_rate=48000)
    assert written.gain == 1.0
    assert written.warnings == []
    assert files(tmp_path) == ["out", "out/song", f"out/song/drums.{name}", f"out/song/vocals.{name}"]
    for stem, sound in sounds.items():
        assert written.paths[stem] == tmp_path / "out" / "song" / f"{stem}.{name}"
        found = read(written.paths[stem], rate=48000)
        assert found.shape == sound.shape
        assert sdr(sound, found) > 20


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_the_same_job_gives_the_same_bytes(tmp_path, name):
    """In every format, with tags; other samples give other bytes."""
    tags = TagSet(Tags({"title": ("a",)}), "m", "1")
    sounds = {"a": tones(FRAMES, rate=48000), "b": tones(FRAMES, rate=48000), "c": noise(FRAMES)}
    runs = [
        save_stems(tmp_path / run, sounds, output(name, rate=48000, clip="clamp"), model_rate=48000, tags=tags)
        for run in ("one", "two")
    ]
    first, second = ({stem: path.read_bytes() for stem, path in run.paths.items()} for run in runs)
    assert first == second
    assert first["a"] != first["c"]


@pytest.mark.parametrize("sample_type", ["PCM_16", "FLOAT"])
def test_with_a_level_each_stem_has_a_gain_of_its_own(tmp_path, sample_type):
    """What is too loud is lowered, what is too quiet is raised, and the rest stays as it is."""
    peaks = {"loud": 1.5, "quiet": 0.1, "between": 0.6, "silent": 0.0}
    sounds = {name: tones(FRAMES, peak=peak) if peak else np.zeros((2, FRAMES)) for name, peak in peaks.items()}
    wanted = replace(output("wav", sample_type), level=PeakRange(0.4, 0.9))
    written = save_stems(tmp_path, sounds, wanted)
    assert (written.gain, written.warnings) == (1.0, [])
    found = {name: float(np.abs(read(path)).max()) for name, path in written.paths.items()}
    assert found == pytest.approx({"loud": 0.9, "quiet": 0.4, "between": 0.6, "silent": 0.0}, abs=1e-4)


def test_nothing_is_created_before_it_is_entered(tmp_path):
    """Opening only checks."""
    stems_in(tmp_path / "out")
    assert files(tmp_path) == []


@pytest.mark.parametrize("frames", [FRAMES - 7, FRAMES + 7])
def test_stems_have_exactly_the_length_asked_for(tmp_path, frames):
    """Silence is added, what is too much is cut."""
    sound = tones(FRAMES)
    written = save_stems(tmp_path, {"a": sound}, output("wav", "FLOAT"), frames=frames)
    found = read(written.paths["a"])
    assert found.shape == (2, frames)
    common = min(frames, FRAMES)
    np.testing.assert_array_equal(found[:, :common], sound[:, :common])
    assert not found[:, common:].any()


@pytest.mark.parametrize("rate", [22050, 48000, 96000])
def test_stems_are_resampled_as_they_come(tmp_path, rate):
    """The same tone at another rate, with exactly the frames asked for."""
    frames = round(FRAMES * rate / RATE)
    written = save_stems(tmp_path, {"a": tones(FRAMES)}, output("wav", "FLOAT", rate=rate), frames=frames)
    found = read(written.paths["a"], rate=rate)
    assert found.shape == (2, frames)
    assert sdr(tones(frames, rate=rate)[:, 2000:-2000], found[:, 2000:-2000]) > 60


def test_opus_at_another_rate_says_what_it_did(tmp_path):
    """44.1 kHz becomes 48 kHz."""
    written = save_stems(tmp_path, {"a": tones(FRAMES)}, output("opus"))
    assert "48000 Hz" in written.warnings[0]
    assert read(written.paths["a"]).shape == (2, FRAMES)


def test_mono_stems(tmp_path):
    """One channel works like two."""
    written = save_stems(tmp_path, {"a": tones(FRAMES, 1)}, output("wav", "PCM_24"), channels=1)
    assert sdr(tones(FRAMES, 1), read(written.paths["a"], channels=1)) > 120


# Clipping -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample_type", ["PCM_16", "PCM_24"])
def test_one_gain_keeps_all_stems_within_full_scale(tmp_path, sample_type):
    """All stems get it, so that they still sum to the mix; a warning says by how much."""
    sounds = {"drums": noise(FRAMES, peak=1.6, seed=1), "bass": noise(FRAMES, peak=0.4, seed=2)}
    written = save_stems(tmp_path, sounds, output("wav", sample_type))
    peak = max(np.abs(sound).max() for sound in sounds.values())
    assert written.gain == pytest.approx(1 / peak, rel=1e-4)
    assert written.warnings == ["All stems were lowered by 4.1 dB so that none of them clips."]
    found = {name: read(path) for name, path in written.paths.items()}
    assert max(np.abs(sound).max() for sound in found.values()) < 1.0
    mix = written.gain * sum(sounds.values())
    np.testing.assert_allclose(sum(found.values()), mix, atol=2.0 ** -(13 if sample_type == "PCM_16" else 21))


def test_full_scale_itself_needs_no_gain(tmp_path):
    """Stems that just reach full scale are not touched."""
    sound = np.tile(np.array([[1.0, -1.0]], np.float32), (2, 500))
    written = save_stems(tmp_path, {"a": sound}, frames=1000)
    assert (written.gain, written.warnings) == (1.0, [])


@pytest.mark.parametrize("clip", ["rescale", "none"])
def test_float_files_keep_overs(tmp_path, clip):
    """They can, so nothing is lowered."""
    sound = noise(FRAMES, peak=3.0)
    written = save_stems(tmp_path, {"a": sound}, output("wav", "FLOAT", clip=clip))
    assert (written.gain, written.warnings) == (1.0, [])
    np.testing.assert_array_equal(read(written.paths["a"]), sound)


@pytest.mark.parametrize(("sample_type", "clip"), [("FLOAT", "clamp"), ("PCM_16", "clamp"), ("PCM_16", "none")])
def test_overs_are_held_at_full_scale(tmp_path, sample_type, clip):
    """They never wrap round."""
    sound = noise(FRAMES, peak=3.0)
    written = save_stems(tmp_path, {"a": sound}, output("wav", sample_type, clip=clip))
    assert written.gain == 1.0
    np.testing.assert_allclose(read(written.paths["a"]), np.clip(sound, -1, 1), atol=2.0**-14)


# Undoing ------------------------------------------------------------------------------------------------------------


class Stopped(BaseException):
    """Something like KeyboardInterrupt."""


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stopped, JobCancelled])
@pytest.mark.parametrize("clip", ["rescale", "none"])
@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_failure_leaves_nothing(tmp_path, name, clip, error):
    """No stem, no temporary file, no folder; whatever was raised."""
    (tmp_path / "kept").mkdir()
    with pytest.raises(error), stems_in(tmp_path / "kept" / "new" / "deep", wanted=output(name, clip=clip)) as stems:  # noqa: PT012
        write_all(stems, {"drums": noise(50_000), "vocals": noise(50_000)})
        raise error
    assert files(tmp_path) == ["kept"]


def test_a_folder_appears_when_its_stems_are_whole(tmp_path):
    """Until then what is written lies beside where it will be, so that a folder of half a song is never seen."""
    with stems_in(tmp_path / "out") as stems:
        write_all(stems, {"drums": noise(1000), "vocals": noise(1000)})
        assert [name for name in files(tmp_path) if not name.endswith(".part")] == ["out"]
        assert {path.parent for path in tmp_path.rglob("*.part")} == {tmp_path / "out"}
        stems.commit()
    assert files(tmp_path) == ["out", "out/song", "out/song/drums.wav", "out/song/vocals.wav"]


@pytest.mark.parametrize("sample_type", ["PCM_16", "FLOAT"])
def test_stems_may_have_gains_of_their_own(tmp_path, sample_type):
    """Each that exceeds full scale, or comes close to it, is lowered to a hundredth below; the others stay as they are."""
    sounds = {"loud": tones(FRAMES, peak=2.0), "near": tones(FRAMES, peak=0.995), "low": tones(FRAMES, peak=0.3)}
    written = save_stems(tmp_path, sounds, output(sample_type=sample_type, clip="rescale_each"))
    assert written.gain == pytest.approx(1 / 2.02, rel=1e-3)
    assert written.warnings == []
    peaks = {name: np.abs(read(path, rate=RATE)).max() for name, path in written.paths.items()}
    assert peaks == pytest.approx({"loud": 1 / 1.01, "near": 1 / 1.01, "low": 0.3}, abs=1e-3)


def test_leaving_without_commit_leaves_nothing(tmp_path):
    """Not committing is taking back."""
    with stems_in(tmp_path / "out") as stems:
        write_all(stems, {"drums": noise(1000)})
    assert files(tmp_path) == []


def test_folders_that_existed_stay_with_what_is_in_them(tmp_path):
    """Also files that are about to be replaced."""
    (tmp_path / "song").mkdir()
    (tmp_path / "song" / "drums.wav").write_bytes(b"old")
    with stems_in(tmp_path) as stems:
        write_all(stems, {"drums": noise(1000)})
    assert files(tmp_path) == ["song", "song/drums.wav"]
    assert (tmp_path / "song" / "drums.wav").read_bytes() == b"old"


@pytest.mark.parametrize("clip", ["rescale", "none"])
def test_a_forced_exit_leaves_nothing(tmp_path, clip):
    """Another thread may take everything back at any moment; the writer then ends in an error, not in a file."""
    with stems_in(tmp_path / "out", wanted=output(clip=clip)) as stems:
        write_all(stems, {"drums": noise(FRAMES), "vocals": noise(FRAMES)})
        watcher = threading.Thread(target=cleanup.run_all)
        watcher.start()
        watcher.join()
        assert files(tmp_path) == []
        with pytest.raises((OutputNotWritable, JobCancelled)):
            stems.commit()
    assert files(tmp_path) == []


def test_a_forced_exit_after_the_commit_takes_nothing_back(tmp_path):
    """What is published stays."""
    with stems_in(tmp_path) as stems:
        stems.commit()
        cleanup.run_all()
        stems.rollback()
    assert files(tmp_path) == ["song", "song/drums.wav", "song/vocals.wav"]


def test_after_the_end_nothing_is_registered(tmp_path):
    """Neither success nor failure leaves an undo behind."""
    save_stems(tmp_path, {"a": noise(100)})
    with pytest.raises(KeyError), stems_in(tmp_path, wanted=output()) as stems:
        stems.write("guitar", noise(10))
    assert cleanup._pending == {}


def test_a_cancelled_commit_leaves_nothing(tmp_path):
    """The checkpoint is asked while stems are encoded, in whatever thread, and its exception comes out."""
    calls = []

    def checkpoint():
        calls.append(threading.current_thread())
        if len(calls) == 2:
            raise JobCancelled

    with pytest.raises(JobCancelled), stems_in(tmp_path / "out", frames=500_000) as stems:  # noqa: PT012
        write_all(stems, {"drums": noise(500_000), "vocals": noise(500_000)})
        stems.commit(checkpoint=checkpoint)
    assert files(tmp_path) == []


def test_progress_rises_to_one(tmp_path):
    """All stems together make the whole, and the functions are never called at once."""
    seen, busy = [], threading.Lock()

    def note(fraction):
        assert busy.acquire(blocking=False)
        seen.append(fraction)
        busy.release()

    with stems_in(tmp_path, frames=300_000) as stems:
        write_all(stems, {"drums": noise(300_000), "vocals": noise(300_000)})
        stems.commit(on_progress=note, checkpoint=lambda: None)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) >= 10


# Publishing ---------------------------------------------------------------------------------------------------------


def fail_on(monkeypatch, name, error):
    replace = os.replace

    def replacing(source, target):
        if Path(target).name == name:
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", replacing)


def test_a_failed_publication_is_taken_back(tmp_path, monkeypatch):
    """Stems that were already renamed go again, if no such file was there before."""
    fail_on(monkeypatch, "vocals.wav", PermissionError(13, "Permission denied"))
    with pytest.raises(OutputNotWritable, match=r"vocals\.wav"):
        save_stems(tmp_path / "out", {"drums": noise(100), "vocals": noise(100)})
    assert files(tmp_path) == []


def test_files_are_replaced(tmp_path):
    """By default, as a whole."""
    save_stems(tmp_path, {"a": tones(FRAMES)})
    written = save_stems(tmp_path, {"a": tones(500)}, frames=500)
    assert read(written.paths["a"]).shape == (2, 500)
    assert files(tmp_path) == ["song", "song/a.wav"]


def test_files_are_not_replaced_if_not_wanted(tmp_path):
    """The error names the file, and it stays as it is."""
    path = save_stems(tmp_path, {"a": tones(500)}, frames=500).paths["a"]
    before = path.read_bytes()
    with pytest.raises(OutputNotWritable, match=r"a\.wav' already exists"):
        save_stems(tmp_path, {"a": tones(100)}, frames=100, overwrite=False)
    assert path.read_bytes() == before


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    """The check is made again when the stems are published."""
    with pytest.raises(OutputNotWritable, match="already exists"), stems_in(tmp_path, overwrite=False) as stems:  # noqa: PT012
        (tmp_path / "song").mkdir()
        (tmp_path / "song" / "vocals.wav").write_bytes(b"another's")
        stems.commit()
    assert files(tmp_path) == ["song", "song/vocals.wav"]


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    """The next run in the same folder cleans up, also above the folders that the killed one has not made yet."""
    temporary.part_path(tmp_path / "song" / "drums.wav").touch()
    (tmp_path / "song").mkdir()
    temporary.part_path(tmp_path / "song" / "drums.wav").touch()
    assert len(files(tmp_path)) == 3
    save_stems(tmp_path, {"drums": noise(100)})
    assert files(tmp_path) == ["song", "song/drums.wav"]


def test_a_name_outside_the_folder_is_refused(tmp_path):
    """Nothing is written outside the output directory."""
    for target in (tmp_path / "other" / "a.wav", tmp_path / "out" / ".." / "a.wav", tmp_path / "out"):
        with pytest.raises(OutputNotWritable, match="outside the output directory"):
            open_stems(
                {"a": target},
                folder=tmp_path / "out",
                output=output(),
                model_rate=RATE,
                channels=2,
                frames=10,
                tags=None,
            )


def test_a_link_inside_the_folder_is_not_followed(tmp_path):
    """Nor does it lead out of it; the output directory itself may be one."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    save_stems(tmp_path / "out", {"a": noise(100)})
    shutil.rmtree(tmp_path / "real" / "song")
    (tmp_path / "real" / "song").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputNotWritable, match="a link in"):
        save_stems(tmp_path / "out", {"a": noise(100)})
    assert files(tmp_path / "elsewhere") == []


def test_a_dangling_link_as_the_folder_is_named(tmp_path):
    """Nothing is created where it points to."""
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputNotWritable, match="link to a folder that does not exist"):
        save_stems(tmp_path / "out", {"a": noise(100)})
    assert not (tmp_path / "nowhere").exists()


def test_a_target_that_becomes_a_folder_leaves_the_old_set(tmp_path, monkeypatch):
    """Old and new stems are never mixed, not even when one cannot be replaced in the middle."""
    paths = save_stems(tmp_path, {name: tones(500) for name in "abc"}, frames=500).paths
    before = {name: path.read_bytes() for name, path in paths.items()}
    replace = os.replace

    def interfere(source, target):
        if Path(target).name == "b.wav" and Path(target).is_file():
            Path(target).unlink()
            Path(target).mkdir()
        replace(source, target)

    monkeypatch.setattr(os, "replace", interfere)
    with pytest.raises(OutputNotWritable, match=r"b\.wav' cannot be written: it is a folder"):
        save_stems(tmp_path, {name: noise(100) for name in "abc"}, frames=100)
    assert paths["a"].read_bytes() == before["a"]
    assert paths["c"].read_bytes() == before["c"]


def test_two_stems_in_one_file_are_refused(tmp_path):
    """Also where only case tells them apart."""
    with pytest.raises(OutputNotWritable, match="Two stems"):
        stems_in(tmp_path, ("vocals", "Vocals"))


def test_what_is_impossible_is_told_first(tmp_path):
    """Formats are checked before any file is created."""
    with pytest.raises(UnsupportedFormat):
        stems_in(tmp_path, wanted=output("flac", "FLOAT"))
    assert files(tmp_path) == []


def test_an_aiff_file_ends_at_four_gigabytes(tmp_path):
    """It has no larger form, so the length is refused."""
    with pytest.raises(UnsupportedFormat, match="4 GiB"):
        stems_in(tmp_path, wanted=output("aiff", "FLOAT"), frames=600_000_000)


# Disks and folders --------------------------------------------------------------------------------------------------


def test_space_is_checked_before_the_work(tmp_path, monkeypatch):
    """Encoded stems and what is spooled for them count."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=60_000_000))
    stems_in(tmp_path, frames=2_000_000, wanted=output(clip="none"))
    with pytest.raises(DiskFull):
        stems_in(tmp_path, frames=5_000_000)
    with pytest.raises(DiskFull):
        stems_in(tmp_path, frames=3_000_000)


class FullDisk:
    """A file that takes nothing."""

    closed = False

    def __init__(self, file):
        self._file = file

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("stage", ["spool", "encoder"])
@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_disk_that_becomes_full_leaves_nothing(tmp_path, monkeypatch, name, stage):
    """While spooling as well as while encoding."""
    opened = stem_files.FloatWav if stage == "spool" else stem_files.open_encoder

    def open_full(*args, **kwargs):
        sink = opened(*args, **kwargs)
        sink._file._file = FullDisk(sink._file._file)
        return sink

    monkeypatch.setattr(stem_files, "FloatWav" if stage == "spool" else "open_encoder", open_full)
    with pytest.raises(DiskFull):
        save_stems(tmp_path / "out", {"a": noise(FRAMES), "b": noise(FRAMES)}, output(name))
    assert files(tmp_path) == []


def test_an_encoder_that_fails_to_open_leaves_nothing(tmp_path, monkeypatch):
    """The file it had created goes too."""

    def refuse(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(encoders.soundfile, "SoundFile", refuse)
    with pytest.raises(OutputNotWritable), stems_in(tmp_path / "out", wanted=output(clip="none")):
        pytest.fail("it was entered")
    assert files(tmp_path) == []


def test_a_file_in_the_way_is_an_error(tmp_path):
    """Where a folder should be, or a folder where a file should be."""
    (tmp_path / "song").touch()
    with pytest.raises(OutputNotWritable, match="cannot be written") as caught, stems_in(tmp_path):
        pytest.fail("it was entered")
    assert caught.value.field == "output"
    (tmp_path / "song").unlink()
    (tmp_path / "song" / "drums.wav").mkdir(parents=True)
    with pytest.raises(OutputNotWritable, match="is a folder"):
        stems_in(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may write everywhere")
def test_a_folder_without_permission_is_an_error(tmp_path):
    """Nothing is left in the part that could be made."""
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(OutputNotWritable, match="permission denied"), stems_in(tmp_path / "closed" / "out"):
        pytest.fail("it was entered")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path, monkeypatch):
    """The system's refusal is about the field `output`."""

    def refuse(path, *args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(OutputNotWritable, match="permission denied") as caught, stems_in(tmp_path / "out"):
        pytest.fail("it was entered")
    assert caught.value.field == "output"


@pytest.mark.skipif(sys.platform == "win32", reason="needs names that Windows forbids")
@pytest.mark.parametrize("stem", ["Gesang - 声 🎵", "dots...", " spaced ", 'a:"b"?', "x" * 240])
def test_any_name_can_be_written(tmp_path, stem):
    """Unicode, emoji, trailing dots and long names."""
    written = save_stems(tmp_path, {stem: tones(100)}, frames=100)
    assert read(written.paths[stem]).shape == (2, 100)


def test_a_long_path_can_be_written(tmp_path):
    """More than 300 characters in all."""
    folder = tmp_path / ("a" * 120) / ("b" * 120) / ("c" * 120)
    written = save_stems(folder, {"a": tones(100)}, frames=100)
    assert read(written.paths["a"]).shape == (2, 100)


def test_a_relative_folder_becomes_absolute(tmp_path, monkeypatch):
    """The paths that are told are absolute."""
    monkeypatch.chdir(tmp_path)
    written = save_stems(Path("out"), {"a": tones(100)}, frames=100)
    assert written.paths["a"] == tmp_path / "out" / "song" / "a.wav"


# Tags ---------------------------------------------------------------------------------------------------------------


def test_stems_carry_the_tags_of_their_source(tmp_path):
    """Each with the source's title and its own name."""
    tags = TagSet(Tags({"title": ("Song",)}), model="htdemucs", version="1.2")
    written = save_stems(tmp_path, {"drums": tones(100), "bass": tones(100)}, frames=100, tags=tags)
    for stem, path in written.paths.items():
        assert read_tags(path).texts == {"title": ("Song",)}
        assert stem.encode() in path.read_bytes()


def test_a_file_that_cannot_carry_tags_says_so(tmp_path, monkeypatch):
    """RF64 files are written without."""
    monkeypatch.setattr(encoders, "MAX_RIFF_BYTES", 100)
    tags = TagSet(Tags({"title": ("Song",)}), model="m", version="1")
    written = save_stems(tmp_path, {"a": tones(100)}, frames=100, tags=tags)
    assert "has no tags" in written.warnings[0]
    assert read(written.paths["a"]).shape == (2, 100)
