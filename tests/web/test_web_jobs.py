"""Jobs over HTTP, from the upload to the stems, with a worker that needs no torch."""

import array
import io
import json
import re
import wave
import zipfile
from urllib.parse import quote, unquote

import pytest
from fake_web_worker import DIES, DIES_ONCE, FAILS, RATE, SLOW
from web_server import Listener, WebServer, until, write_song


def floats_of(path):
    with wave.open(str(path)) as file:
        return array.array("f", [each / 32768 for each in array.array("h", file.readframes(file.getnframes()))])


@pytest.fixture(scope="module")
def done(server, song):
    """A job that is done, sent as a form."""
    limit = "frontier"
    body = b"".join(
        [
            f'--{limit}\r\nContent-Disposition: form-data; name="request"\r\n\r\n'.encode(),
            b'{"seed": 7, "format": "flac"}\r\n',
            f'--{limit}\r\nContent-Disposition: form-data; name="file"; filename="My Song.wav"\r\n\r\n'.encode(),
            song.read_bytes(),
            f"\r\n--{limit}--\r\n".encode(),
        ]
    )
    sent = server.post("/v1/jobs", body, content_type=f"multipart/form-data; boundary={limit}")
    assert sent.status == 202, sent.body
    assert sent.headers["Location"] == f"/v1/jobs/{sent.json['id']}"
    return server.ended(sent.json["id"])


def test_a_form_becomes_a_job_with_stems(done):
    """A song and a request in a form are a job; its stems have names, addresses and lengths."""
    assert (done["state"], done["title"], done["percent"]) == ("done", "My Song", 100)
    assert done["model"] == "dsu_mini"
    stems = {stem["name"]: stem for stem in done["stems"]}
    assert stems.keys() == {"one", "two"}
    assert stems["one"]["frames"] == stems["one"]["frames_ready"] == RATE
    assert stems["one"]["file"] == f"/v1/jobs/{done['id']}/stems/one"


def test_the_same_song_is_one_upload(server, song):
    """An upload is known by its content, whatever it is called, and its length is known."""
    first = server.post("/v1/uploads?name=a.wav", song.read_bytes()).json
    second = server.post("/v1/uploads?name=b.wav", song.read_bytes()).json
    assert first["id"] == second["id"] == first["sha256"]
    assert (first["name"], second["name"], first["duration_s"]) == ("a.wav", "b.wav", 1.0)


def test_samples_are_those_of_the_stem(server, song, done):
    """Samples come as floats of a stretch, and what is beyond the end is cut off."""
    expected = floats_of(song)
    found = server.get(f"/v1/jobs/{done['id']}/stems/one/samples?start=100&frames=50")
    assert array.array("f", found.body) == expected[100:150]
    assert found.headers["X-Sample-Rate"] == str(RATE)
    end = server.get(f"/v1/jobs/{done['id']}/stems/one/samples?start={RATE - 10}&frames=50")
    assert array.array("f", end.body) == expected[-10:]
    assert server.get(f"/v1/jobs/{done['id']}/stems/one/samples?start={RATE}").status == 416


def test_the_mix_has_the_rate_of_the_stems(server, song, done):
    """`mix` is the song itself."""
    found = server.get(f"/v1/jobs/{done['id']}/stems/mix/samples")
    assert array.array("f", found.body) == floats_of(song)


@pytest.mark.parametrize(
    ("asked", "status", "place"),
    [
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-50", 206, slice(-50, None)),
        ("bytes=0-999999999", 206, slice(0, None)),
        ("bytes=0-1,5-9", 200, slice(0, None)),
        ("items=0-1", 200, slice(0, None)),
    ],
)
def test_ranges(server, done, asked, status, place):
    """A range brings its bytes; what is no range that is understood brings the whole."""
    whole = server.get(done["stems"][0]["file"]).body
    found = server.get(done["stems"][0]["file"], range=asked)
    assert found.status == status
    assert found.body == whole[place]


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=5-2", "bytes=-0"])
def test_a_range_beyond_the_end_is_an_error(server, done, asked):
    """A range without bytes says how many there are."""
    found = server.get(done["stems"][0]["file"], range=asked)
    assert found.status == 416
    assert found.json["error"]["bytes_ready"] > 0


def test_peaks_and_spectrogram(server, song, done):
    """Peaks are the extremes of each column, zero beyond the end; a spectrogram has a byte for each band and column."""
    samples = floats_of(song)
    found = array.array(
        "b", server.get(f"/v1/jobs/{done['id']}/stems/one/peaks?per_second=10&start_s=0.5&stop_s=1.2").body
    )
    assert len(found) == 14
    first = samples[RATE // 2 : RATE // 2 + RATE // 10]
    assert list(found[:2]) == [round(min(first) * 127), round(max(first) * 127)]
    assert list(found[10:]) == [0, 0, 0, 0]
    picture = server.get(f"/v1/jobs/{done['id']}/stems/one/spectrogram?columns=20&bands=16&stop_s=2").body
    assert len(picture) == 20 * 16
    assert max(picture[: 5 * 16]) > 100
    assert max(picture[-5 * 16 :]) == 0


def test_exports(server, done):
    """Stems come in the format of the request, several in an archive; a mix has gains; what cannot be is an error."""
    archive = zipfile.ZipFile(io.BytesIO(server.get(f"/v1/jobs/{done['id']}/export").body))
    assert sorted(archive.namelist()) == ["My Song/one.flac", "My Song/two.flac"]
    assert archive.read("My Song/one.flac")[:4] == b"fLaC"
    mix = server.get(f"/v1/jobs/{done['id']}/export?mix=one:1:0,two:0.5:0&format=wav&sample=PCM_16")
    with wave.open(io.BytesIO(mix.body)) as file:
        samples = array.array("h", file.readframes(100))
    one = array.array("f", server.get(f"/v1/jobs/{done['id']}/stems/one/samples?frames=100").body)
    assert max(abs(found / 32768 - each / 2) for found, each in zip(samples, one, strict=True)) < 1e-4
    named = server.get(f"/v1/jobs/{done['id']}/export?name_template={quote('{track}/{index} {stem} by {model}')}")
    assert sorted(zipfile.ZipFile(io.BytesIO(named.body)).namelist()) == [
        "My Song/1 one by dsu_mini.flac",
        "My Song/1 two by dsu_mini.flac",
    ]
    one = server.get(f"/v1/jobs/{done['id']}/export?stems=one&name_template={quote('{stem} of {track}')}")
    assert unquote(one.headers["Content-Disposition"]).endswith("one of My Song.flac")
    for template in ("{track}", "../{stem}", "/tmp/../../{stem}", "{song}", "{stem", "x" * 300):
        found = server.get(f"/v1/jobs/{done['id']}/export?name_template={quote(template, safe='')}")
        assert (found.status, found.json["error"]["field"]) == (422, "name_template"), template
    for wrong in ("stems=three", "format=exe", "mix=one:nan:0", "mix=one:1:9", "sample=MANY"):
        assert server.get(f"/v1/jobs/{done['id']}/export?{wrong}").status in (404, 422)
    until(lambda: list((server.data / "incoming").iterdir()), lambda left: not left)


def test_a_result_is_used_again(server, song, done):
    """The same song with the same settings is done at once; other settings are another result."""
    upload = server.upload(song)
    again = server.add(upload, seed=7, batch_size=3)
    assert (again["state"], again["reused"]) == ("done", True)
    assert again["stems"][0]["frames"] == RATE
    other = server.ended(server.add(upload, seed=8)["id"])
    assert (other["state"], other["reused"]) == ("done", False)
    assert server.ask("DELETE", f"/v1/jobs/{again['id']}").status == 204
    assert server.get(done["stems"][0]["file"]).status == 200  # it is that of another job as well


def test_a_key_makes_one_job(server, song):
    """A request that is sent again with its key is the same job; another request with it is a conflict."""
    upload = server.upload(song)
    first = server.add(upload, key="once", seed=20)
    assert server.add(upload, key="once", seed=20)["id"] == first["id"]
    body = {"input": {"upload": upload}, "request": {"seed": 21}}
    assert server.post("/v1/jobs", body, headers={"Idempotency-Key": "once"}).status == 409


def test_a_job_that_fails_says_why(server, song):
    """The error of the worker is that of the job, which can be done again and removed."""
    upload = server.upload(song)
    job = server.ended(server.add(upload, seed=FAILS)["id"])
    assert job["error"]["code"] == "out_of_memory"
    assert server.post(f"/v1/jobs/{job['id']}/retry").status == 202
    assert server.ended(job["id"])["state"] == "failed"
    assert server.ask("DELETE", f"/v1/jobs/{job['id']}").status == 204
    assert server.get(f"/v1/jobs/{job['id']}").status == 404


def test_requests_are_checked_before_they_wait(server, song):
    """A wrong field is an error at once, with its name; fields that the server sets or that name files are none of clients'."""
    upload = server.upload(song)
    for request, field in [
        ({"overlap": "much"}, "overlap"),
        ({"format": "exe"}, "format"),
        ({"output": "/etc"}, "request.output"),
        ({"model_path": "/etc/passwd"}, "request.model_path"),
        ({"model": "../secret"}, "request.model"),
        ({"recipe": {"steps": {"a": {"model": "x", "options": {"repo": "/"}}}}}, "request.recipe.steps.a.options.repo"),
        ({"stream": {"pipe": "/tmp/pipe"}}, "request.stream.pipe"),
        ({"stream": True}, "request.stream"),
    ]:
        found = server.post("/v1/jobs", {"input": {"upload": upload}, "request": request})
        assert (found.status, found.json["error"]["field"]) == (422, field), found.body
    assert server.post("/v1/jobs", {"input": {"upload": "0" * 64}}).status == 404
    assert server.post("/v1/jobs", {"input": {"path": "/etc/passwd"}}).status == 422
    assert server.post("/v1/jobs", b"{").code == "invalid_json"
    assert server.post("/v1/jobs", {"input": {}, "surprise": 1}).status == 422


def test_what_is_no_song_is_refused(server):
    """A file without audio is an error, and leaves nothing."""
    before = sorted(path.name for path in (server.data / "uploads").iterdir())
    assert server.post("/v1/uploads?name=a.wav", b"no song at all" * 100).code == "input_unreadable"
    assert server.post("/v1/uploads?name=a.wav", b"").code == "input_empty"
    assert sorted(path.name for path in (server.data / "uploads").iterdir()) == before
    assert list((server.data / "incoming").iterdir()) == []


def test_the_rest_of_the_addresses(server):
    """Models, recipes, schema, status, measures and the document answer."""
    models = server.get("/v1/models").json
    assert models["models"][0]["family"] == "networks"
    assert "vocals" in models["purposes"]
    assert server.get("/v1/recipes").json["recipes"]
    shown = server.get("/v1/recipes/dsu_mini").json
    assert "steps:" in shown["text"]
    assert server.post("/v1/recipes/check", {"text": shown["text"]}).json["ok"] is True
    wrong = server.post("/v1/recipes/check", {"text": "steps: [\n"}).json
    assert (wrong["ok"], wrong["error"]["line"]) == (False, 2)
    assert "overlap" in server.get("/v1/schema?family=demucs").json["properties"]
    assert "model" not in server.get("/v1/schema?family=recipe").json["properties"]
    status = server.get("/v1/status").json
    assert status["formats"]["flac"] == ["PCM_16", "PCM_24"]
    assert status["loopback"] is True
    assert "dsu_jobs_ended_total" in server.get("/metrics").body.decode()
    download = server.post("/v1/models/dsu_mini/download").json
    assert server.ended(download["id"])["state"] == "done"
    assert server.post("/v1/models/none/download").status == 404
    assert server.get("/v1/doctor").json is None
    assert server.get("/v1/nothing").code == "not_found"
    assert server.get("/v1/jobs/none").code == "not_found"


def test_the_document_is_made_of_the_requests(server):
    """OpenAPI has the fields of all families, as the worker's own types have them, and every reference leads somewhere."""
    document = server.get("/openapi.json").json
    schemas = document["components"]["schemas"]
    options = schemas["SeparateOptions"]["properties"]
    assert {"model", "shifts", "vr_aggression", "text"} <= options.keys()
    assert not {"input", "output", "model_path", "stream"} & options.keys()
    found = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert found <= schemas.keys()
    assert document["paths"]["/v1/jobs/{job}"].keys() == {"get", "delete"}


def test_events_tell_of_a_job_as_it_goes(data, song):
    """A listener gets every state and every stretch, can read what it was told of, and goes on where it was."""
    with WebServer(data) as server:
        listener = Listener(server)
        upload = server.upload(song)
        job = server.add(upload, seed=SLOW, start_at=0)
        until(lambda: listener.kinds("segment"), bool)
        running = server.until(job["id"], lambda job: job["ready"] and job["stems"])
        ready = running["stems"][0]["frames_ready"]
        assert running["ready"] == [[0, ready]]
        assert running["movable"] is True
        samples = server.get(f"/v1/jobs/{job['id']}/stems/one/samples?frames={ready}")
        assert array.array("f", samples.body) == floats_of(song)[:ready]
        early = server.get(f"/v1/jobs/{job['id']}/stems/one/samples?start={ready}&frames=1")
        assert (early.status, early.json["error"]["frames_ready"]) == (416, ready)
        assert len(server.get(f"/v1/jobs/{job['id']}/stems/one").body) == 92 + 4 * ready  # and no byte more
        peaks = array.array("b", server.get(f"/v1/jobs/{job['id']}/stems/two/peaks?per_second=8").body)
        assert len(peaks) == 16
        assert any(peaks[:4])
        assert not any(peaks[4:])
        assert server.post(f"/v1/jobs/{job['id']}/seek", {"position_s": 0.5}).status == 200
        last = listener.events[-1]["id"]
        listener.close()
        server.go_on()
        done = server.ended(job["id"])
        assert done["settings"]["sought"] == [0.5]
        again = Listener(server, last_id=last)
        told = until(lambda: again.kinds("job"), lambda jobs: jobs and jobs[-1]["state"] == "done")
        assert all(each["id"] == job["id"] for each in told)
        stretches = sorted((each["start"], each["frames"]) for each in again.kinds("segment"))
        assert stretches
        assert stretches[0][0] >= ready
        again.close()
        other = Listener(server, path=f"/v1/jobs/{job['id']}/events", last_id="elsewhere-5")
        until(lambda: other.kinds("job"), bool)  # from the start, since the number means nothing here
        server.ask("DELETE", f"/v1/jobs/{job['id']}")
        until(lambda: other.kinds("removed"), lambda found: found == [{"job": job["id"]}])
        other.close()


def test_the_queue_can_be_changed(data, song):
    """Jobs that wait can be moved and cancelled, and the one that runs, too."""
    with WebServer(data) as server:
        upload = server.upload(song)
        first = server.add(upload, seed=SLOW)
        server.until(first["id"], lambda job: job["state"] == "running")
        waiting = [server.add(upload, seed=seed)["id"] for seed in range(3)]
        assert server.post(f"/v1/jobs/{waiting[2]}/move", {"position": 0}).json["position"] == 0
        assert [server.job(name)["position"] for name in waiting] == [1, 2, 0]
        assert server.ask("DELETE", f"/v1/jobs/{waiting[0]}").json["state"] == "cancelled"
        assert server.post(f"/v1/jobs/{first['id']}/move", {"position": 0}).status == 409
        server.ask("DELETE", f"/v1/jobs/{first['id']}")
        assert server.ended(first["id"])["state"] == "cancelled"
        ended = [server.ended(name) for name in (waiting[1], waiting[2])]
        assert [job["state"] for job in ended] == ["done", "done"]
        assert ended[1]["ended"] <= ended[0]["started"]


def test_a_model_that_cannot_begin_elsewhere_does_its_work(data, song):
    """A job that was to be movable is done all the same, and its `movable` says that it is not."""
    with WebServer(data) as server:
        server.data.joinpath("go-on").touch()
        job = server.ended(server.add(server.upload(song), seed=SLOW + 10, start_at=0)["id"])
        assert (job["state"], job["movable"]) == ("done", False)
        assert job["warnings"] == []


def test_a_job_that_kills_the_worker_fails_the_second_time(data, song):
    """The worker is started anew, the job tried once more, and the next job has a worker again."""
    with WebServer(data) as server:
        upload = server.upload(song)
        lucky, deadly, after = (server.add(upload, seed=seed)["id"] for seed in (DIES_ONCE, DIES, 1))
        assert server.ended(lucky)["state"] == "done"
        job = server.ended(deadly)
        assert (job["state"], job["error"]["code"]) == ("failed", "worker_died")
        assert "The fake worker dies." in job["error"]["message"]
        assert server.ended(after)["state"] == "done"


def test_songs_on_the_server_where_that_is_allowed(data, song, tmp_path):
    """A job may name a file in an allowed folder, but none elsewhere, nor by a link that leads out."""
    music = tmp_path / "music"
    music.mkdir()
    inside = write_song(music / "inside.wav", 0.5)
    (music / "link.wav").symlink_to(song)
    with WebServer(data, "--allow-paths", music) as server:
        job = server.post("/v1/jobs", {"input": {"path": str(inside)}, "request": {"seed": 1}}).json
        assert server.ended(job["id"])["state"] == "done"
        for path in (song, music / "link.wav", music / ".." / song.name, "/etc/passwd", f"{inside}\0.wav"):
            found = server.post("/v1/jobs", {"input": {"path": str(path)}})
            assert (found.status, found.code) == (403, "forbidden")
        assert server.post("/v1/jobs", {"input": {"path": str(music / "none.wav")}}).status == 404


def test_a_song_that_is_replaced_under_way(data, tmp_path):
    """What was made while a file was replaced is found neither by the old content nor by the new one."""
    music = tmp_path / "music"
    music.mkdir()
    song = write_song(music / "song.wav", 0.3, seed=1)
    contents = song.read_bytes(), write_song(tmp_path / "other.wav", 0.3, seed=2).read_bytes()
    body = {"input": {"path": str(song)}, "request": {"seed": SLOW}}
    with WebServer(data, "--allow-paths", music) as server:
        job = server.post("/v1/jobs", body).json
        server.until(job["id"], lambda job: job["ready"])
        song.write_bytes(contents[1])
        server.go_on()
        assert server.ended(job["id"])["state"] == "done"
        for reused in (False, True):
            for content in contents:
                song.write_bytes(content)
                again = server.ended(server.post("/v1/jobs", body).json["id"])
                assert (again["state"], again["reused"]) == ("done", reused)
                samples = server.get(f"/v1/jobs/{again['id']}/stems/one/samples")
                assert array.array("f", samples.body) == floats_of(song)


@pytest.mark.e2e
def test_the_real_worker_separates(data, tmp_path):
    """The built-in model's stems sum to the song, over HTTP."""
    song = write_song(tmp_path / "song.wav", 1.5, rate=44100)
    with WebServer(data, fake=False) as server:
        job = server.ended(server.add(server.upload(song), model="dsu_mini", start_at=0)["id"])
        assert job["state"] == "done", json.dumps(job)
        stems = [array.array("f", server.get(f"{stem['file']}/samples").body) for stem in job["stems"]]
        mix = array.array("f", server.get(f"/v1/jobs/{job['id']}/stems/mix/samples").body)
        assert len(stems) == 4
        assert len(mix) == len(stems[0])
        left = sum((sum(each) - mixed) ** 2 for *each, mixed in zip(*stems, mix, strict=True))
        assert left < 0.01 * sum(sample * sample for sample in mix)  # each of the four has the song's mean, too
        assert server.post("/v1/jobs", {"input": {"upload": job["upload"]}, "request": {"stems": ["x"]}}).status in (
            202,
            422,
        )
    assert server.stderr == ""
