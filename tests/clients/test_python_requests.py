"""The Python client against a worker that misbehaves: lines, errors, deaths, cancelling, closing, for both faces."""

import asyncio
import json
import tempfile
import threading

import psutil
import pytest
from dsu_client import DSU, AsyncDSU, AsyncPool, InputError, JobCancelled, Limits, Pool, RequestError, WorkerError
from python_workers import fake
from worker_process import wait_until_ended

SONG = "song.wav"


class Waiting:
    """The client for programs that wait."""

    def __init__(self, **options):
        self.client = DSU(**options)

    def separate(self, model, **options):
        return self.client.separate(SONG, output="out", model=model, **options)

    def close(self):
        self.client.close()


class Awaited:
    """The client for asyncio, in a loop of its own."""

    def __init__(self, **options):
        self.runner = asyncio.Runner()
        self.client = AsyncDSU(**options)

    def separate(self, model, **options):
        return self.runner.run(self.client.separate(SONG, output="out", model=model, **options))

    def close(self):
        self.runner.run(self.client.close())
        self.runner.close()


@pytest.fixture(params=[Waiting, Awaited])
def face(request, node):
    """Makes clients of one face; they are closed when the test is over."""
    made = []

    def make(**options):
        made.append(request.param(**fake(node, **options)))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_progress_comes_before_the_reply(face):
    """`on_progress` gets progress only, `on_line` everything, in order."""
    progress, lines = [], []
    reply = face().separate("good", on_progress=progress.append, on_line=lines.append)
    assert [line["percent"] for line in progress] == [50]
    assert [line["status"] for line in lines] == ["separating", "progress", "done"]
    assert reply["files"] == ["a.wav"]


@pytest.mark.parametrize("model", ["junk", "together", "split", "stranger", "novelty", "giant"])
def test_whatever_surrounds_the_reply_it_is_found(face, model):
    """Cut bytes, prints, lines of strangers, unknown events and long lines do no harm."""
    assert face().separate(model)["status"] == "done"


def test_a_reply_without_a_line_feed_counts(face):
    """The last line of a process is a line, even if nothing ends it."""
    assert face().separate("noNewline")["status"] == "done"


def test_an_error_has_its_class_and_parts(face):
    """The class is that of the code's family; the hint is part of what people see."""
    with pytest.raises(InputError) as caught:
        face().separate("error")
    assert (caught.value.code, caught.value.hint, str(caught.value)) == ("input_not_found", "Look.", "No. Look.")


def test_a_worker_that_dies_is_an_error_and_starts_again(face):
    """The error tells the status and the end of stderr; the next request has a new process."""
    client = face()
    with pytest.raises(WorkerError, match=r"status 139.*Segmentation fault") as caught:
        client.separate("die")
    assert (caught.value.code, caught.value.exit_code) == ("worker_died", 139)
    assert "core dumped" in caught.value.stderr
    assert client.separate("good")["status"] == "done"


def test_a_worker_that_was_killed_says_so(face):
    """The signal is in the message."""
    with pytest.raises(WorkerError, match="signal 9"):
        face().separate("killed")


def test_a_worker_that_cannot_start_says_why(face):
    """Its own error, not that the process is gone."""
    with pytest.raises(Exception, match="no cuda here") as caught:
        face(env={"FAKE_START": "refuse"}).separate("good")
    assert caught.value.code == "device_unavailable"


def test_a_worker_that_never_gets_ready_is_given_up(face):
    """After the time for starting, with an error of its own."""
    with pytest.raises(WorkerError) as caught:
        face(env={"FAKE_START": "never"}, limits=Limits(start_s=0.3)).separate("good")
    assert caught.value.code == "start_timeout"


def test_an_exception_of_a_callback_cancels_the_job_first(face):
    """What `on_line` raises comes out after the worker has said that the job ended, and the worker goes on."""
    client = face()

    def stop(line):
        raise KeyboardInterrupt if isinstance(client, Waiting) else ValueError(line["status"])

    with pytest.raises((KeyboardInterrupt, ValueError)):
        client.separate("begun", on_line=stop)
    pid = client.client.pid
    assert client.separate("good")["status"] == "done"
    assert client.client.pid == pid


def test_a_worker_that_does_not_cancel_is_killed(face, monkeypatch):
    """The caller is not kept waiting for ever."""
    client = face(limits=Limits(cancel_s=0.2))
    assert client.separate("good")["status"] == "done"  # so that it is ready
    pid = client.client.pid
    sent = threading.Event()
    send = client.client._connection.send
    monkeypatch.setattr(client.client._connection, "send", lambda *words: (send(*words), sent.set())[0])
    threading.Thread(target=lambda: sent.wait() and client.client.cancel()).start()
    with pytest.raises(WorkerError) as caught:
        client.separate("deaf")
    assert caught.value.code == "worker_silent"
    wait_until_ended(pid)


def test_cancel_ends_what_others_wait_for(face):
    """`cancel` is for any thread, here one that hears of the job's beginning."""
    client = face()
    with pytest.raises(JobCancelled) as caught:
        client.separate("begun", on_line=lambda line: client.client.cancel())
    assert caught.value.code == "cancelled"


def test_a_cancelled_task_cancels_its_job(node):
    """And is over only when the job is; a second cancel changes nothing."""

    async def program():
        async with AsyncDSU(**fake(node)) as dsu:
            begun = asyncio.Event()
            task = asyncio.create_task(
                dsu.separate(SONG, output="out", model="begun", on_line=lambda line: begun.set())
            )
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await dsu.separate(SONG, output="out", model="good"))["status"] == "done"

    asyncio.run(program())


def test_requests_of_several_threads_share_the_worker(node):
    """Each gets its own answer."""
    with DSU(**fake(node)) as dsu:
        answers = {}

        def ask(name):
            answers[name] = dsu.separate(name, output="out", model="good")["input"]

        threads = [threading.Thread(target=ask, args=[f"{number}.wav"]) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 8
    assert all(path.endswith(name) for name, path in answers.items())


def test_a_closed_worker_is_gone_and_refuses(node):
    """Even one that ignores `exit` and SIGTERM."""
    dsu = DSU(**fake(node, env={"FAKE_STUBBORN": "1"}, limits=Limits(exit_s=0.2)))
    dsu.ping()
    pid = dsu.pid
    dsu.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(WorkerError) as caught:
        dsu.ping()
    assert caught.value.code == "worker_closed"
    dsu.close()


def test_settings_are_passed_on_the_command_line(node, tmp_path):
    """Each that was given, and no other."""
    options = {"device": "cuda:1", "models_dir": tmp_path, "threads": 3, "max_cached_models": 0, "offline": True}
    with DSU(**fake(node, strict=True, args=["--debug"], cwd=tmp_path, **options)) as dsu:
        status = dsu.get_status()
    expected = f"--worker --device cuda:1 --models-dir {tmp_path} --threads 3 --max-cached-models 0 --offline --strict"
    assert status["argv"] == [*expected.split(), "--debug"]
    assert status["cwd"] == str(tmp_path)


def test_a_program_that_is_none_is_an_error(tmp_path):
    """With the reason of the system."""
    with (
        DSU(command=[str(tmp_path / "none")]) as dsu,
        pytest.raises(WorkerError, match="could not be started") as caught,
    ):
        dsu.ping()
    assert caught.value.code == "spawn_failed"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"stems": ["x" * 2_000_000]}, "request_too_long"),
        ({"seed": object()}, "invalid_request"),
        ({"seed": float("nan")}, "invalid_request"),
    ],
)
def test_a_request_that_is_no_line_is_refused(node, options, code):
    """Before anything is sent, by an error of the request."""
    with DSU(**fake(node)) as dsu, pytest.raises(RequestError) as caught:
        dsu.separate(SONG, output="out", **options)
    assert caught.value.code == code


def test_a_pool_gives_each_song_to_a_free_worker(node):
    """Results come in the order of the songs, from as many processes as there are devices."""
    with Pool(["cpu", "cpu"], **fake(node)) as pool:
        replies = list(pool.map([f"{number}.wav" for number in range(6)], output="out", model="good"))
        pids = {worker.pid for worker in pool.workers}
    assert [reply["input"][-5:] for reply in replies] == [f"{number}.wav" for number in range(6)]
    assert None in pids or len(pids) == 2
    for pid in filter(None, pids):
        wait_until_ended(pid)


def test_a_song_that_fails_in_a_pool_fails_alone(node):
    """Even where it takes its worker with it."""
    with Pool(workers=2, **fake(node)) as pool:
        bad, good = pool.submit("a", output="o", model="die"), pool.submit("b", output="o", model="good")
        with pytest.raises(WorkerError):
            bad.result()
        assert good.result()["status"] == "done"
        assert pool.submit("c", output="o", model="good").result()["status"] == "done"


def test_closing_a_pool_cancels_and_drops(node):
    """The song at work is cancelled, those that wait are never begun."""
    begun = threading.Event()
    pool = Pool(workers=1, **fake(node))
    working = pool.submit("a", output="o", model="begun", on_line=lambda line: begun.set())
    waiting = pool.submit("b", output="o", model="good")
    begun.wait()
    pool.close()
    assert waiting.cancelled()
    assert isinstance(working.exception(), JobCancelled | WorkerError)


def test_a_pool_wants_devices_or_a_number(node):
    """Not both, and not none."""
    for wrong in ({"devices": ["cpu"], "workers": 2}, {"devices": []}):
        with pytest.raises(RequestError):
            Pool(**wrong, **fake(node))
        with pytest.raises(RequestError):
            AsyncPool(**wrong, **fake(node))


def test_an_async_pool_gives_each_song_to_a_free_worker(node):
    """Results come in the order of the songs; one that fails does so alone."""

    async def program():
        async with AsyncPool(["cpu", "cpu"], **fake(node)) as pool:
            songs = [f"{number}.wav" for number in range(6)]
            replies = [reply async for reply in pool.map(songs, output="out", model="good")]
            bad, good = pool.submit("a", output="o", model="die"), pool.submit("b", output="o", model="good")
            with pytest.raises(WorkerError):
                await bad
            assert (await good)["status"] == "done"
            return [reply["input"][-5:] for reply in replies], len(pool.workers)

    assert asyncio.run(program()) == ([f"{number}.wav" for number in range(6)], 2)


def test_an_async_pool_cancels_what_is_not_wanted(node):
    """What is left of a loop that ends early; and, when the pool is closed, the song at work and those that wait."""

    async def program():
        begun = asyncio.Event()
        async with AsyncPool(workers=1, **fake(node)) as pool:
            results = pool.map(["a", "b", "c"], output="o", model="good")
            assert (await anext(results))["status"] == "done"
            await results.aclose()
            working = pool.submit("a", output="o", model="begun", on_line=lambda line: begun.set())
            waiting = pool.submit("b", output="o", model="good")
            await begun.wait()
        assert working.cancelled()
        assert waiting.cancelled()
        assert pool.workers[0].pid is None

    asyncio.run(program())


def test_temporary_files_go_also_when_the_worker_dies(node, tmp_path, monkeypatch):
    """Nothing stays of samples that were handed over."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with DSU(**fake(node)) as dsu, pytest.raises(WorkerError):
        dsu.separate([[0.0, 0.1]], sample_rate=44100, model="die")
    assert list(tmp_path.iterdir()) == []


def test_many_files_are_one_request(node):
    """Absolute paths, and the options beside them."""
    with DSU(**fake(node)) as dsu:
        request = json.loads(json.dumps(dsu.separate_files(["a", "b"], "out", model="echo")["request"]))
        assert [path[-2:] for path in request["inputs"]] == ["/a", "/b"]
        with pytest.raises(RequestError):
            dsu.separate_files("a", "out")
