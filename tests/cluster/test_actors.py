"""What actors do on their machines, without Ray."""

import asyncio
import tempfile

import pytest
from ray_cluster import FAKE, write_song

from utils.cluster import actors
from utils.cluster.actors import HELD, PREFIX, Separator, Setup
from utils.cluster.plan import BatchJob
from utils.cluster.storage import FoundSong
from utils.store.locks import FileLock


@pytest.fixture
def separator(tmp_path, monkeypatch):
    """An actor in this process, with a temporary folder of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    return Separator(Setup(str(tmp_path / "out"), {}, (), str(tmp_path / "models"), FAKE))


def test_what_killed_actors_have_left_is_removed(separator, tmp_path):
    """Only theirs: what a living one holds stays, and so does what is no actor's."""
    temp = tmp_path / "temp"
    dead, living, other = temp / f"{PREFIX}dead", temp / f"{PREFIX}living", temp / "songs"
    for folder in (dead, living, other):
        (folder / "song-1").mkdir(parents=True)
        (folder / HELD).touch()
    lock = FileLock(living / HELD)
    assert lock.try_acquire()
    own, own_lock = actors._own_folder()
    assert {path.name for path in temp.iterdir()} == {living.name, other.name, own.name, separator._work.name}
    lock.release()
    own_lock.release()


def test_a_try_that_fails_leaves_nothing(separator, tmp_path):
    """Neither in the folder of the results nor in the temporary one."""
    song = write_song(tmp_path / "song.wav", 13333)
    job = BatchJob(1, FoundSong(str(song), 4, "1"), "song", {"model": "a"}, "{}", 0, 0, False)

    async def fail():
        await separator.fetch(job, "attempt")
        return await separator.separate(job, "attempt")

    async def run():
        outcome = await fail()
        await separator.stop()
        return outcome

    assert asyncio.run(run()).told["code"] == "input_unreadable"
    assert list((tmp_path / "out" / ".dsu").iterdir()) == [tmp_path / "out" / ".dsu" / "logs"] or not list(
        (tmp_path / "out" / ".dsu" / "incoming").iterdir()
    )
    assert list((tmp_path / "temp").iterdir()) == []


def test_public_models_are_downloaded_before_they_are_identified(separator):
    """Each that is missing, once; a machine without a network goes on without."""
    asked = []

    async def do(request, on_line):
        asked.append(request)

    async def run():
        separator._worker.do = do
        first = await separator.identify('{"recipe": "karaoke"}')
        separator._setup = Setup(separator._setup.out, {}, ("--offline",), separator._setup.models_dir, FAKE)
        second = await separator.identify('{"recipe": "karaoke"}')
        await separator.stop()
        return first, second

    first, second = asyncio.run(run())
    assert first == second
    assert len(asked) > 1
    assert {request["cmd"] for request in asked} == {"download_model"}
    assert len({request["model"] for request in asked}) == len(asked)
