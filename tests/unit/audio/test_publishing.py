"""Sets of files get their names as one step, however the process ends."""

import itertools
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from utils.audio import publishing, temporary
from utils.audio.publishing import publish, settle
from utils.core.errors import OutputNotWritable

NAMES = ("bass.wav", "drums.wav", "deep/other.wav", "deep/vocals.wav")
REPLACED = NAMES[1:3]

PUBLISH_AND_DIE = """
import os, signal, sys
from pathlib import Path
from utils.audio.publishing import publish
from utils.audio.temporary import HeldFile, make_folder

root, steps = Path(sys.argv[1]), int(sys.argv[2])

def dying(call):
    def step(*args, **kwargs):
        global steps
        if steps == 0:
            os.kill(os.getpid(), 9)
        steps -= 1
        return call(*args, **kwargs)
    return step

parts = []
for name in sys.argv[3:]:
    part = HeldFile(root / name)
    part.path.write_text("new")
    parts.append((part, root / name))
for name in ("link", "replace", "unlink", "write", "fsync"):
    setattr(os, name, dying(getattr(os, name)))
publish(root, parts, lambda target: make_folder(target.parent) and None)
"""


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def with_old_files(root):
    (root / "deep").mkdir(parents=True)
    for name in REPLACED:
        (root / name).write_text("old")
    return tree(root)


def new_parts(root):
    parts = [(temporary.HeldFile(root / name), root / name) for name in NAMES]
    for part, _ in parts:
        part.path.write_text("new")
    return parts


def test_a_kill_at_any_step_leaves_all_or_nothing(tmp_path):
    """The next job in the folder finds the old set or the new one, and nothing else remains."""
    outcomes = []
    for steps in itertools.count():
        root = tmp_path / str(steps)
        before = with_old_files(root)
        command = [sys.executable, "-c", PUBLISH_AND_DIE, root, str(steps), *NAMES]
        ended = subprocess.run(command, check=False).returncode
        settle(root)
        temporary.remove_stale_parts([root, root / "deep"])
        assert tree(root) in (before, dict.fromkeys(NAMES, "new"))
        outcomes.append(tree(root) == before)
        if ended == 0:
            break
    assert outcomes == sorted(outcomes, reverse=True)  # up to some step nothing has happened, from there on everything
    assert outcomes[0]
    assert not outcomes[-1]
    assert len(outcomes) > 10


def test_a_set_that_was_killed_is_settled_by_a_job_in_a_folder_below(tmp_path):
    """Its old files in there lead to its journal, although the job has another output folder."""
    settled = set()
    for steps in itertools.count():
        root = tmp_path / str(steps)
        before = with_old_files(root)
        command = [sys.executable, "-c", PUBLISH_AND_DIE, root, str(steps), *NAMES]
        ended = subprocess.run(command, check=False).returncode
        if list((root / "deep").glob(".*.kept")):
            publishing.settle_kept([root / "deep"])
            temporary.remove_stale_parts([root, root / "deep"])
            assert tree(root) in (before, dict.fromkeys(NAMES, "new"))
            settled.add(tree(root) == before)
        if ended == 0:
            break
    assert settled


def test_an_old_file_that_cannot_be_removed_is_left_to_the_next_job(tmp_path, monkeypatch):
    """Not forever: the journal stays as long as it does."""
    with_old_files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(temporary, "remove", lambda path: path.suffix == ".kept" or path.unlink(missing_ok=True))
        publish(tmp_path, new_parts(tmp_path), lambda target: None)
    assert len([name for name in tree(tmp_path) if name.endswith(".kept")]) == len(REPLACED)
    settle(tmp_path)
    assert tree(tmp_path) == dict.fromkeys(NAMES, "new")


def test_a_folder_is_on_the_disk_before_what_lies_in_it(tmp_path, monkeypatch):
    """A folder that was made may be lost with all that is in it until the one that holds its name is flushed."""
    synced = []
    monkeypatch.setattr(temporary, "sync_folder", synced.append)
    temporary.make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]


def failing_replace(number):
    """`os.replace`, which fails once, at this rename of a part."""
    count, replace = itertools.count(), os.replace

    def failing(source, target):
        if str(source).endswith(".part") and next(count) == number:
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    return failing


@pytest.mark.parametrize("number", range(4))
def test_a_rename_that_fails_is_undone_at_once(tmp_path, monkeypatch, number):
    """Old files are there again with their content, new ones are gone, and so is the journal."""
    before, parts = with_old_files(tmp_path), new_parts(tmp_path)
    monkeypatch.setattr(os, "replace", failing_replace(number))
    with pytest.raises(OutputNotWritable, match="permission denied"):
        publish(tmp_path, parts, lambda target: None)
    assert tree(tmp_path) == before


def test_old_files_survive_where_there_are_no_links(tmp_path, monkeypatch):
    """They are moved aside instead, and come back."""
    before = with_old_files(tmp_path)

    def refuse(*args, **kwargs):
        raise OSError(95, "Operation not supported")

    def stop(target):
        if target.name == "vocals.wav":
            raise OutputNotWritable("no")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OutputNotWritable):
        publish(tmp_path, new_parts(tmp_path), stop)
    assert tree(tmp_path) == before
    publish(tmp_path, new_parts(tmp_path), lambda target: None)
    assert tree(tmp_path) == dict.fromkeys(NAMES, "new")


@pytest.mark.parametrize("number", [3, None])
def test_times_that_a_network_drive_changes_late_do_no_harm(tmp_path, monkeypatch, number):
    """A set is published, or undone if a rename fails, although the server corrects the time of each new file."""
    before, parts = with_old_files(tmp_path), new_parts(tmp_path)

    def correct(target):
        for path in [*tmp_path.rglob("*.part"), *tmp_path.rglob("*.wav")]:
            os.utime(path, ns=(0, 10**18))

    monkeypatch.setattr(os, "replace", failing_replace(number))
    with nullcontext() if number is None else pytest.raises(OutputNotWritable):
        publish(tmp_path, parts, correct)
    assert tree(tmp_path) == (dict.fromkeys(NAMES, "new") if number is None else before)


def test_a_set_that_cannot_be_finished_is_undone(tmp_path):
    """If a part is gone, the files that have their names already go back."""
    before = with_old_files(tmp_path)
    command = [sys.executable, "-c", PUBLISH_AND_DIE, tmp_path, "6", *NAMES]
    subprocess.run(command, check=False)
    assert any(name.endswith(".journal") for name in tree(tmp_path))
    for path in tmp_path.rglob(".vocals.wav.*.part"):
        path.unlink()
    settle(tmp_path)
    assert tree(tmp_path) == before


def test_a_finished_set_whose_journal_was_left_is_not_undone(tmp_path):
    """A user who has moved one stem and changed another keeps all of them, also if the power failed after the rename."""
    for steps in itertools.count():
        root = tmp_path / str(steps)
        with_old_files(root)
        ended = subprocess.run(
            [sys.executable, "-c", PUBLISH_AND_DIE, root, str(steps), *NAMES], check=False
        ).returncode
        if not list(root.rglob(".*.part")):
            break
    assert ended != 0
    (root / "bass.wav").rename(tmp_path / "bass.wav")
    (root / "deep/vocals.wav").write_text("edited")
    settle(root)
    assert tree(root) == {"drums.wav": "new", "deep/other.wav": "new", "deep/vocals.wav": "edited"}
    assert (tmp_path / "bass.wav").read_text() == "new"


def test_a_set_that_is_being_published_is_left_alone(tmp_path):
    """Another job in the folder neither finishes nor undoes it."""
    with_old_files(tmp_path)
    seen = []

    def look(target):
        names = tree(tmp_path)
        settle(tmp_path)
        seen.append(tree(tmp_path) == names)

    publish(tmp_path, new_parts(tmp_path), look)
    assert seen == [True] * 4


@pytest.mark.parametrize("content", [b"", b"[", b"[1]", b'[{"part": "\xff"}]', b"[" * 100_000])
def test_a_damaged_journal_is_removed(tmp_path, content):
    """It would make every job in the folder fail."""
    journal = tmp_path / f".dsu-{'0' * 16}.journal"
    journal.write_bytes(content)
    settle(tmp_path)
    assert not journal.exists()


@pytest.mark.parametrize("target", ["../outside.wav", "link/outside.wav", "/outside.wav"])
def test_a_planted_journal_moves_nothing_out_of_the_folder(tmp_path, target):
    """Paths that lead out, also through a link, make it void."""
    root = tmp_path / "out"
    (root / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    part = root / f".a.wav.{'0' * 16}.part"
    part.write_text("new")
    status = part.stat()
    move = publishing.Move(part.name, target, f".{'0' * 16}.{'0' * 16}.kept", status.st_size, status.st_mtime_ns)
    journal = root / f".dsu-{'0' * 16}.journal"
    journal.write_bytes(msgspec.json.encode([move]))
    settle(root)
    assert part.exists()
    assert not journal.exists()
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not Path(tmp_path / "outside.wav").exists()
