"""What stays when the server or its worker is killed, when the disk fills up, and when many come at once."""

import array
import signal
import threading
import time

import pytest
from fake_web_worker import SLOW
from web_server import WebServer, until, write_song

CLIENTS = 200


def test_a_killed_server_goes_on(data, song):
    """Uploads, the queue and its order, keys and the job that ran are there after a kill; nothing half-written is."""
    with WebServer(data) as server:
        upload = server.upload(song)
        running = server.add(upload, key="one", seed=SLOW)["id"]
        server.until(running, lambda job: job["ready"])
        waiting = [server.add(upload, seed=seed)["id"] for seed in (1, 2)]
        server.post(f"/v1/jobs/{waiting[1]}/move", {"position": 0})
        server.stop(9)
    with WebServer(data) as server:
        assert server.add(upload, key="one", seed=SLOW)["id"] == running
        server.until(running, lambda job: job["state"] == "running")
        assert [server.job(name)["position"] for name in waiting] == [1, 0]
        server.go_on()
        ended = [server.ended(name) for name in (running, *waiting)]
        assert [job["state"] for job in ended] == ["done"] * 3
        assert ended[2]["ended"] <= ended[1]["started"]
        assert server.get(f"/v1/jobs/{running}/stems/one/samples?frames=10").status == 200
        until(lambda: list((data / "work").iterdir()), lambda left: not left)
        assert len(list((data / "results").iterdir())) == 3


def test_ctrl_c_ends_a_server_that_has_read_files(data, tmp_path):
    """The page's files are read by threads, which do not hold up the end."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<p>page</p>", encoding="utf-8")
    server = WebServer(data, "--page", page)
    assert server.get("/").body == b"<p>page</p>"
    assert server.stop(signal.SIGINT) == 128 + signal.SIGINT
    assert server.stderr == ""


def test_a_folder_has_one_server(data):
    """A second server on the same folder is refused, and the first goes on."""
    with WebServer(data) as server:
        with pytest.raises(AssertionError, match="Another server uses"):
            WebServer(data)
        assert server.get("/v1/health").status == 200


def test_a_result_without_its_note_is_made_again(data, song):
    """A folder of results that is not whole, whatever left it, is no result."""
    with WebServer(data) as server:
        upload = server.upload(song)
        server.ended(server.add(upload, seed=1)["id"])
        (result,) = (data / "results").iterdir()
        (result / "result.json").write_bytes(b"{")
        again = server.ended(server.add(upload, seed=1)["id"])
        assert (again["state"], again["reused"]) == ("done", False)
        assert server.get(again["stems"][0]["file"]).status == 200


def test_old_jobs_and_songs_are_swept(data, song):
    """By age, by number and for room: the oldest first, with their results and songs, and never a job that waits."""
    with WebServer(data) as server:
        upload = server.upload(song)
        names = [server.add(upload, seed=seed)["id"] for seed in (1, 2, 3)]
        for name in names:
            server.ended(name)
        idle = server.upload(write_song(data.parent / "idle.wav", 0.3, seed=1))
    size = sum(path.stat().st_size for path in (data / "results").rglob("*"))
    with WebServer(data, kept_jobs=2) as server:
        jobs = until(lambda: server.get("/v1/jobs").json["jobs"], lambda jobs: len(jobs) == 2)
        assert [job["id"] for job in jobs] == names[1:]
    with WebServer(data, disk_bytes=size // 2) as server:
        jobs = until(lambda: server.get("/v1/jobs").json["jobs"], lambda jobs: len(jobs) == 1)
        assert jobs[0]["id"] == names[2]
        until(lambda: len(list((data / "results").iterdir())), lambda count: count == 1)
        assert {path.name for path in (data / "uploads").iterdir()} == {upload, idle}
    with WebServer(data, disk_bytes=20_000) as server:  # there is room for one song
        until(lambda: server.get("/v1/jobs").json["jobs"], lambda jobs: jobs == [])
        until(lambda: [path.name for path in (data / "uploads").iterdir()], lambda found: found == [upload])
        until(lambda: list((data / "results").iterdir()), lambda left: not left)
    with WebServer(data, keep_s=0.0) as server:
        until(lambda: list((data / "uploads").iterdir()), lambda left: not left)


def test_many_clients_at_once(data, tmp_path):
    """Two hundred clients with ten songs get their own stems each; what is the same is done once."""
    songs = [write_song(tmp_path / f"{number}.wav", 0.2, seed=number) for number in range(10)]
    faults = []

    def client(server, number):
        try:
            song = songs[number % len(songs)]
            upload = server.upload(song, f"{number}.wav")
            job = server.add(upload, key=f"client-{number}", seed=number % 2)
            assert server.add(upload, key=f"client-{number}", seed=number % 2)["id"] == job["id"]
            while job["state"] not in ("done", "failed"):
                time.sleep(0.2)
                job = server.job(job["id"])
            found = server.get(f"/v1/jobs/{job['id']}/stems/one/samples?frames=5").body
            samples = array.array("h", song.read_bytes()[44:54])
            assert array.array("f", found) == array.array("f", [each / 32768 for each in samples])
        except Exception as error:  # noqa: BLE001 - told to the test
            faults.append((number, repr(error)))

    with WebServer(data, queued=CLIENTS) as server:
        threads = [threading.Thread(target=client, args=(server, number)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert len(list((data / "results").iterdir())) == 10
        assert server.stderr == ""
