"""Who is kept out of the server, and what nobody gets it to do."""

import contextlib
import json
import os
import re
import select
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web_server import Listener, WebServer, until, write_song

from utils.core.errors import InvalidRequest
from utils.web.options import read
from utils.web.uploads import plain_name

CHANGES = (("POST", "/v1/jobs"), ("POST", "/v1/uploads"), ("DELETE", "/v1/jobs/x"), ("POST", "/v1/doctor"))


@pytest.fixture(scope="module")
def cookie(server):
    """What a browser has after it has opened the address."""
    opened = server.get(f"/?token={server.token}", token=False)
    assert opened.status == 303
    return opened.headers["Set-Cookie"].partition(";")[0]


def raw(server, data, *, timeout=20.0):
    """What comes back for bytes that no client would send."""
    with socket.create_connection(("127.0.0.1", server.port), timeout) as connection:
        got = b""
        with contextlib.suppress(OSError):
            connection.sendall(data)
            while chunk := connection.recv(65536):
                got += chunk
        return got


# Tokens, cookies and pages from elsewhere ---------------------------------------------------------------------------


def test_nothing_is_told_without_the_token(server):
    """Every address but the health needs the token, whatever is asked."""
    paths = server.get("/openapi.json").json["paths"]
    asked = 0
    for path, methods in paths.items():
        for method in methods:
            found = server.ask(method.upper(), re.sub(r"{\w+}", "x", path), token=False)
            assert found.status == (200 if path == "/v1/health" else 401), path
            asked += 1
    assert asked > 25
    for wrong in ("", "x", server.token[:-1], server.token + "x", "é" * 20):
        headers = {"Authorization": f"Bearer {wrong}".encode()}
        assert server.get("/v1/jobs", token=False, headers=headers).status == 401
    assert server.get(f"/v1/jobs?token={server.token}", token=False).status == 401


def test_the_token_leaves_the_address(server, cookie):
    """The opened address gives a cookie that scripts cannot read and that pages elsewhere do not send."""
    opened = server.get(f"/?token={server.token}", token=False)
    assert opened.headers["Location"] == "/"
    assert "HttpOnly" in opened.headers["Set-Cookie"]
    assert "SameSite=Strict" in opened.headers["Set-Cookie"]
    assert server.token not in opened.headers["Set-Cookie"]
    assert server.get("/v1/jobs", token=False, cookie=cookie).status == 200
    assert server.get("/?token=wrong", token=False).status == 401
    assert server.get("/v1/jobs", token=False, authorization=f"Bearer {cookie.partition('=')[2]}").status == 401


def test_no_address_leads_to_another_server(server):
    """A path that looks like the name of another server stays here."""
    for path in ("//evil.example/", "/\\evil.example/", "///evil.example"):
        opened = server.get(f"{path}?token={server.token}", token=False)
        assert opened.headers["Location"].startswith("/")
        assert not opened.headers["Location"].startswith(("//", "/\\"))


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost:1", "", "a b"]
)
def test_other_names_are_refused(server, name):
    """A name that somebody else has made lead here (DNS rebinding) is no name of this server."""
    host = name.format(port=server.port)
    answer = raw(server, f"GET /v1/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.split()[1] in (b"421", b"400")


def test_two_names_are_refused(server):
    """A request with two `Host` headers has none."""
    answer = raw(server, b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n")
    assert answer.split()[1] in (b"421", b"400")


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_pages_from_elsewhere_change_nothing(server, cookie, method, path):
    """Neither with another origin, nor with none, even if a browser sent the cookie along."""
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://localhost:{server.port + 1}"},
        {"Origin": f"http://127.0.0.1:{server.port}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
        {},
    ):
        assert server.ask(method, path, token=False, headers={"Cookie": cookie, **headers}).status == 403, headers
    own = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{server.port}"}
    assert server.ask(method, path, token=False, headers=own).status != 403


def test_pages_from_elsewhere_read_nothing(server, cookie):
    """What a page elsewhere embeds or fetches is refused; and nothing says that it may be read."""
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}):
        found = server.get("/v1/jobs", token=False, headers={"Cookie": cookie, **headers})
        assert found.status == 403
        assert "Access-Control-Allow-Origin" not in found.headers
    asked = server.ask("OPTIONS", "/v1/jobs", token=False, headers={"Origin": "http://evil.example"})
    assert asked.status == 403


def test_answers_keep_browsers_in_bounds(server):
    """Every answer has the headers, errors too; no script but files of ours runs."""
    for path in ("/", "/v1/jobs", "/v1/none", "/v1/health"):
        headers = server.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Server" not in headers


def test_other_machines_need_a_token_of_the_owner(tmp_path):
    """Another address than loopback needs a file with a secret that is long enough; then its name has to be said."""
    with pytest.raises(InvalidRequest, match="token-file"):
        read("dsu serve", ["--host", "0.0.0.0"])
    secret = tmp_path / "token"
    secret.write_text("short")
    with pytest.raises(AssertionError, match="16 characters"):
        WebServer(tmp_path / "data", "--host", "0.0.0.0", "--token-file", secret)
    secret.write_text("a-secret-that-is-long-enough\n")
    words = ("--host", "0.0.0.0", "--token-file", secret, "--allow-name", "Music.example")
    with WebServer(tmp_path / "data", *words, "--allow-origin", "https://page.example") as server:
        assert server.token is None  # it is not printed
        server.token = "a-secret-that-is-long-enough"
        said = server.process.stdout.readline()
        assert "Other machines can reach it" in said
        assert server.get("/v1/jobs").status == 200
        assert server.get("/v1/jobs", host="music.example").status == 200
        assert server.get("/v1/jobs", host="other.example").status == 421
        headers = server.get("/v1/jobs", origin="https://page.example").headers
        assert headers["Access-Control-Allow-Origin"] == "https://page.example"
        assert server.get("/v1/jobs", origin="https://evil.example").status == 403
        assert server.ask("OPTIONS", "/v1/jobs", token=False, origin="https://page.example").status == 204


# Names --------------------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(
    st.text(max_size=300) | st.sampled_from(["../../etc/passwd", "..\\..\\boot.ini", "a/b", "C:\\x", "\0", "...", ""])
)
def test_names_of_uploads_are_no_paths(name):
    """Whatever a client calls a song, what is kept of it is one plain name."""
    plain = plain_name(name)
    assert plain
    assert not set(plain) & set('/\\<>:"|?*\0')
    assert plain.strip(" .") == plain
    assert len(plain.encode()) <= 200


def test_no_address_leads_out_of_the_data_folder(server, song):
    """Names in addresses are looked up, never joined to a path."""
    server.upload(song)
    for path in (
        "/v1/jobs/..%2f..%2fetc%2fpasswd",
        "/v1/jobs/../jobs.sqlite",
        "/v1/jobs/x/stems/..%2f..%2fjobs.sqlite",
        "/assets/..%2f..%2fjobs.sqlite",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets//etc/passwd",
        "/v1/recipes/..%2f..%2fetc",
        "/uploads/" + "0" * 64,
        "/jobs.sqlite",
    ):
        assert server.get(path).status in (404, 307, 422), path


def test_uploads_lie_in_the_data_folder_and_cannot_be_run(server, song):
    """A song is kept under its content's name, without the right to be executed, and other users cannot read it."""
    found = server.post("/v1/uploads?name=../../../../tmp/evil.sh", song.read_bytes()).json
    assert found["name"] == "evil.sh"
    kept = server.data / "uploads" / found["id"]
    assert kept.stat().st_mode & 0o111 == 0
    if os.name == "posix":
        assert kept.parent.stat().st_mode & 0o077 == 0


def test_a_page_has_its_files_and_no_others(tmp_path):
    """Files of the page are served with their types; links and files elsewhere are not."""
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><script src='/assets/a.js'></script>")
    (page / "assets" / "a.js").write_text("0")
    (page / "secret.txt").write_text("secret")
    (page / "assets" / "link.js").symlink_to(page / "secret.txt")
    with WebServer(tmp_path / "data", "--page", page, "--no-browser", program="dsu studio") as server:
        index = server.get("/")
        assert index.headers["Content-Type"].startswith("text/html")
        assert index.headers["Cache-Control"] == "no-cache"
        assert server.get("/assets/a.js").headers["Content-Type"].startswith("text/javascript")
        for path in (
            "/assets/link.js",
            "/assets/../secret.txt",
            "/secret.txt",
            "/assets/%2e%2e/secret.txt",
            "/assets/",
        ):
            assert server.get(path).status == 404
    with WebServer(tmp_path / "data", "--no-page") as server:
        assert b"has no page" in server.get("/").body


# Too much, and too slowly -------------------------------------------------------------------------------------------


def test_large_things_are_refused(tmp_path, song):
    """Uploads, forms, bodies and headers have limits, announced or not, and leave nothing on the disk."""
    with WebServer(tmp_path / "data", upload_bytes=100_000, song_s=2.0) as server:
        assert server.post("/v1/uploads", b"0" * 100_001).status == 413
        sent = (b"0" * 10_000 for _ in range(20))
        assert server.post("/v1/uploads", sent).status == 413
        form = (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            + b"0" * 120_000
            + b"\r\n--x--\r\n"
        )
        assert server.post("/v1/jobs", form, content_type="multipart/form-data; boundary=x").status == 413
        assert server.post("/v1/jobs", b" " * 1_100_000).status == 413
        assert server.post("/v1/jobs", b"[" * 100_000).status in (400, 422)
        long = write_song(tmp_path / "long.wav", 3.0)
        assert server.post("/v1/uploads", long.read_bytes()).code == "too_large"
        head = (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000_000 + b"\r\n\r\n"
        )  # more than is read at once
        assert raw(server, head)[9:12] in (b"400", b"431", b"")
        assert list((server.data / "incoming").iterdir()) == []
        assert list((server.data / "uploads").iterdir()) == []
        assert server.upload(song)
        assert server.stderr == ""


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"--x",
        b"no form",
        b"--x\r\n\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="request"\r\n\r\n{}\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
        b"--x\r\n" + b"A: " + b"a" * 10_000 + b"\r\n\r\n\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 20 + b"--x--\r\n",
    ],
)
def test_broken_forms_are_errors(server, form):
    """A form that is cut off, or has no song, or too much, is an error of the client."""
    assert server.post("/v1/jobs", form, content_type="multipart/form-data; boundary=x").status in (400, 422)
    assert server.post("/v1/jobs", form, content_type="multipart/form-data").status == 400


def test_slow_clients_are_let_go(tmp_path):
    """A head or a body that does not come, and an answer that nobody reads, do not hold a connection."""
    with WebServer(tmp_path / "data", patience_s=1.0) as server:
        with socket.create_connection(("127.0.0.1", server.port), 30) as idle:
            assert idle.recv(1) == b""
        with socket.create_connection(("127.0.0.1", server.port), 30) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\n")
            assert slow.recv(1) == b""
        head = f"POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\nContent-Length: 99\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), 30) as slow:
            slow.sendall(head.encode() + b"abc")
            assert slow.recv(100).startswith(b"HTTP/1.1 408")
        assert server.get("/v1/health").status == 200
        until(lambda: list((server.data / "incoming").iterdir()), lambda left: not left)


def test_a_body_that_drips_is_given_up(tmp_path):
    """Bytes that come one by one, each in time, do not hold an upload: on the average there must be some."""
    with WebServer(tmp_path / "data", patience_s=0.5) as server:
        head = f"POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\nContent-Length: 99999\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), 30) as dripping:
            dripping.sendall(head.encode())
            while not select.select([dripping], [], [], 0.05)[0]:
                dripping.sendall(b"x")
            assert dripping.recv(100).startswith(b"HTTP/1.1 408")
        until(lambda: list((server.data / "incoming").iterdir()), lambda left: not left)


def test_an_answer_that_nobody_reads_is_given_up(tmp_path):
    """Whoever asks for much and takes nothing of it is let go, and the others are served meanwhile."""
    (tmp_path / "page" / "assets").mkdir(parents=True)
    (tmp_path / "page" / "assets" / "large.svg").write_bytes(bytes(32 << 20))
    with WebServer(tmp_path / "data", "--page", tmp_path / "page", patience_s=0.5) as server, socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect(("127.0.0.1", server.port))
        request = f"GET /assets/large.svg HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        idle.sendall(request.encode())
        assert server.get("/v1/health").status == 200
        until(lambda: connections_to(server, idle.getsockname()[1]), lambda open_ones: not open_ones)
        assert server.stderr == ""


def connections_to(server, port):
    """The connections of the server to this port of a client."""
    import psutil

    return [
        each
        for each in psutil.Process(server.process.pid).net_connections()
        if each.raddr and each.raddr.port == port and each.status == "ESTABLISHED"
    ]


def test_uploads_at_once_are_bounded(tmp_path, song):
    """Songs that are on their way and never arrive keep out further ones only until they are given up."""
    with WebServer(tmp_path / "data", uploads_at_once=2, patience_s=2.0) as server:
        head = f"POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\nContent-Length: 99\r\n\r\nabc"
        held = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(2)]
        for connection in held:
            connection.sendall(head.encode())
        found = until(lambda: server.post("/v1/uploads", song.read_bytes()), lambda found: found.status == 429)
        assert found.headers["Retry-After"]
        assert server.upload(song)  # which tries again
        for connection in held:
            connection.close()


def test_a_client_that_leaves_leaves_nothing(server, song):
    """An upload that is broken off is removed."""
    head = f"POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\nContent-Length: 999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(head.encode() + song.read_bytes())
        until(lambda: list((server.data / "incoming").iterdir()), bool)
    until(lambda: list((server.data / "incoming").iterdir()), lambda left: not left)


def test_listeners_are_bounded(tmp_path):
    """A thousand idle listeners are not let in, those that are cost little, and nobody waits behind them."""
    import psutil

    with WebServer(tmp_path / "data", listeners=20) as server:
        until(lambda: server.get("/v1/health").json["worker"], lambda state: state == "ready")
        before = psutil.Process(server.process.pid).memory_info().rss
        listeners = [Listener(server) for _ in range(20)]
        statuses = {server.get("/v1/events").status for _ in range(50)}
        assert statuses == {429}
        assert server.get("/v1/jobs").status == 200
        assert psutil.Process(server.process.pid).memory_info().rss - before < 20 << 20
        listeners.pop().close()

        def again():
            with contextlib.suppress(AssertionError):
                listeners.append(Listener(server))
                return True
            return False

        # The server notices that somebody has left when it next tells something.
        def moved():
            server.post("/v1/models/dsu_mini/download")
            return again()

        until(moved, bool)
        for listener in listeners:
            listener.close()


def test_a_thousand_idle_streams_are_bounded(tmp_path):
    """As many as the server takes listen; all others are told so or closed, memory stays, and the server goes on answering."""
    import resource

    import psutil

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with WebServer(tmp_path / "data", patience_s=2.0) as server, contextlib.ExitStack() as held:
            until(lambda: server.get("/v1/health").json["worker"], lambda state: state == "ready")
            before = psutil.Process(server.process.pid).memory_info().rss
            request = (
                f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode()
            )
            listening, statuses = 0, set()
            for _ in range(1000):
                stream = socket.create_connection(("127.0.0.1", server.port), 60)
                status = b""
                with contextlib.suppress(OSError):
                    stream.sendall(request)
                    status = stream.recv(12)[9:]
                statuses.add(status)
                listening += status == b"200"
                held.callback(stream.close)
            assert listening == 200
            assert statuses <= {b"200", b"429", b"503", b""}
            assert psutil.Process(server.process.pid).memory_info().rss - before < 40 << 20
            # The idle ones that do not listen are closed when their patience is over.
            until(lambda: server.get("/v1/health").status, lambda status: status == 200)
            assert server.get("/v1/events").status == 429
            assert server.stderr == ""
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_connections_are_bounded(tmp_path):
    """More connections than the limit get an answer that says so, and those before them are served."""
    with WebServer(tmp_path / "data", connections=10) as server:
        held = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(12)]
        assert server.get("/v1/health").status == 503
        for connection in held:
            connection.close()
        until(lambda: server.get("/v1/health").status, lambda status: status == 200)


def test_the_queue_and_the_disk_are_bounded(tmp_path, song):
    """A full queue is 429 with a time to wait, a full disk 507, each in plain words."""
    from fake_web_worker import SLOW

    with WebServer(tmp_path / "data", queued=1) as server:
        upload = server.upload(song)
        first = server.add(upload, seed=SLOW)
        server.until(first["id"], lambda job: job["state"] == "running")
        server.add(upload, seed=1)
        full = server.post("/v1/jobs", {"input": {"upload": upload}, "request": {"seed": 2}})
        assert (full.status, full.code) == (429, "busy")
        assert full.headers["Retry-After"]
    with WebServer(tmp_path / "data", free_bytes=1 << 60) as server:
        assert server.post("/v1/uploads", song.read_bytes()).status == 507
    with WebServer(tmp_path / "data", disk_bytes=10_000) as server:
        assert server.post("/v1/uploads", song.read_bytes()).code == "disk_full"


def test_a_long_upload_does_not_grow_the_server(tmp_path):
    """The bytes of a song go to the disk as they come. (An hour is 600 MB; a part of it shows the same.)"""
    import psutil

    with WebServer(tmp_path / "data") as server:
        until(lambda: server.get("/v1/health").json["worker"], lambda state: state == "ready")
        process = psutil.Process(server.process.pid)
        most = 0

        def blocks():
            nonlocal most
            for _ in range(96):
                yield bytes(1 << 20)
                most = max(most, process.memory_info().rss)

        before = process.memory_info().rss
        assert server.ask("POST", "/v1/uploads", blocks(), headers={"Content-Length": str(96 << 20)}).status == 422
        assert most - before < 24 << 20
        assert before < 60 << 20


def test_nothing_outlives_the_server(tmp_path):
    """When the server is killed, its worker and its readers go as well."""
    import psutil

    server = WebServer(tmp_path / "data")
    server.post("/v1/uploads", b"no song")
    children = until(lambda: psutil.Process(server.process.pid).children(), lambda found: len(found) >= 2)
    server.stop(9)
    until(
        lambda: [child for child in children if child.is_running() and child.status() != "zombie"],
        lambda left: not left,
    )


# Anything -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(server):
    return server.get("/openapi.json").json


# Engines, which other tests start in this process, switch subnormal numbers off.
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_subnormal=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.data())
def test_every_answer_is_as_the_document_says(server, document, data):
    """Whatever is sent to any address, the answer has a status that the document has, and errors have their form."""
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "text/event-stream" not in json.dumps(operation) and "doctor" not in path and "open-folder" not in path
    ]
    path, method, operation = data.draw(st.sampled_from(operations))
    words = st.text(st.characters(codec="ascii", exclude_characters="/\r\n \0"), max_size=12)
    filled = re.sub(r"{\w+}", lambda _: quoted(data.draw(words)) or "x", path)
    query = {each["name"]: data.draw(words) for each in operation.get("parameters", []) if each["in"] == "query"}
    filled += "?" + "&".join(f"{name}={quoted(value)}" for name, value in query.items())
    body = None
    if "requestBody" in operation:
        fields = {
            "input": JSON_VALUES,
            "request": JSON_VALUES,
            "position": JSON_VALUES,
            "position_s": JSON_VALUES,
            "text": JSON_VALUES,
        }
        body = json.dumps(data.draw(JSON_VALUES | st.fixed_dictionaries({}, optional=fields))).encode()
    found = server.ask(method.upper(), filled, body)
    allowed = operation["responses"]
    assert str(found.status) in allowed or f"{found.status // 100}XX" in allowed, (found.status, found.body)
    assert found.status < 500, found.body
    if found.status >= 400:
        assert found.json["error"]["code"]
        assert found.json["error"]["message"]


def quoted(text):
    from urllib.parse import quote

    return quote(text, safe="")
