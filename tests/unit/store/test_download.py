"""Downloads, against a server on this machine that misbehaves as it is told."""

from __future__ import annotations

import hashlib
import shutil
import socket
import threading

import msgspec
import pytest
from loopback_server import QUICK, Listener, Page, record

from utils.core.errors import ChecksumMismatch, DiskFull, DownloadFailed, OutputNotWritable
from utils.core.job import Job, JobCancelled
from utils.store.download import Patience, download_files
from utils.store.known_hashes import NAME, is_vouched
from utils.store.locks import FileLock
from utils.store.records import FileRecord

CONTENT = (bytes(range(128, 256)) + bytes(range(128))) * 8192  # 2 MiB that begin like a pickle
LIMIT_S = 20


def fetch(files, folder, job=None, *, offline=False, patience=QUICK, **more):
    return download_files(files, folder=folder, model="m", job=job or Job(), offline=offline, patience=patience, **more)


def names_in(folder):
    """The files in a folder of models, besides the one with their hashes."""
    return sorted(path.name for path in folder.iterdir() if path.name != NAME)


def test_file_arrives_whole_and_alone(site, tmp_path):
    """A download leaves the file under its name, what is known of it, and nothing else."""
    site.pages["a"] = Page(CONTENT)
    folder = tmp_path / "models" / "demucs"
    assert fetch([record("a.th", CONTENT, site.url("a"))], folder) == [folder / "a.th"]
    assert (folder / "a.th").read_bytes() == CONTENT
    assert names_in(folder) == ["a.th"]
    assert is_vouched(folder / "a.th")


def test_file_arrives_in_its_own_folder(site, tmp_path):
    """A folder below the model's is made for it."""
    site.pages["a"] = Page(CONTENT)
    file = msgspec.structs.replace(record("a.json", CONTENT, site.url("a")), folder="tokens")
    assert fetch([file], tmp_path / "models") == [tmp_path / "models" / "tokens" / "a.json"]
    assert (tmp_path / "models" / "tokens" / "a.json").read_bytes() == CONTENT


def test_whole_file_is_not_fetched_again(site, tmp_path):
    """A file that is there and right costs no request."""
    (tmp_path / "a.th").write_bytes(CONTENT)
    fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert site.requests == []


def test_damaged_file_of_the_right_size_is_replaced(site, tmp_path):
    """A file whose hash is wrong is fetched anew although its size is right."""
    (tmp_path / "a.th").write_bytes(b"x" * len(CONTENT))
    site.pages["a"] = Page(CONTENT)
    fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == CONTENT


def test_dropped_connection_is_resumed(site, tmp_path):
    """After a connection that broke midway, only the rest is asked for."""
    site.pages["a"] = Page(CONTENT, end_after=[100_000])
    fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == CONTENT
    assert site.ranges() == [None, "bytes=100000-"]


def test_server_without_ranges_starts_over(site, tmp_path):
    """Where the server sends the whole file again, the old part is dropped and the result still right."""
    site.pages["a"] = Page(CONTENT, ranges=False, end_after=[100_000])
    fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == CONTENT
    assert len(site.requests) == 2


def test_part_of_an_earlier_run_is_resumed(site, tmp_path):
    """A part left by another process is hashed and continued."""
    (tmp_path / "a.th.part").write_bytes(CONTENT[:70_000])
    site.pages["a"] = Page(CONTENT)
    fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert site.ranges() == ["bytes=70000-"]
    assert (tmp_path / "a.th").read_bytes() == CONTENT


def test_whole_part_needs_no_request(site, tmp_path):
    """A part that is already whole is only checked and renamed."""
    (tmp_path / "a.th.part").write_bytes(CONTENT)
    fetch([record("a.th", CONTENT, site.url("a"), sized=False)], tmp_path)
    assert site.requests == []
    assert names_in(tmp_path) == ["a.th"]


def test_part_of_something_else_is_fetched_again_from_the_start(site, tmp_path):
    """A wrong sum after resuming makes one more attempt from nothing, not an error."""
    (tmp_path / "a.th.part").write_bytes(b"?" * 70_000)
    site.pages["a"] = Page(CONTENT)
    fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert site.ranges() == ["bytes=70000-", None]
    assert (tmp_path / "a.th").read_bytes() == CONTENT


@pytest.mark.parametrize("sized", [True, False])
def test_part_longer_than_the_file_is_dropped(site, tmp_path, sized):
    """A part that cannot be right (the server says 416, or the size is known) is begun anew."""
    (tmp_path / "a.th.part").write_bytes(CONTENT + b"more")
    site.pages["a"] = Page(CONTENT)
    fetch([record("a.th", CONTENT, site.url("a"), sized=sized)], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == CONTENT


def test_range_that_was_not_asked_for_is_not_appended(site, tmp_path):
    """A server that resumes at another place does not get its bytes into the file."""
    site.pages["a"] = Page(CONTENT, lie_about_start=True, end_after=[100_000])
    fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == CONTENT
    assert site.ranges() == [None, "bytes=100000-", None]


@pytest.mark.parametrize("fault", ["refuse_ranges", "lie_about_start"])
def test_download_that_begins_anew_again_and_again_comes_to_an_end(site, tmp_path, fault):
    """A server that cuts each answer short and then never sends the rest is given up, however much it has sent."""
    site.pages["a"] = Page(CONTENT, end_after=[len(CONTENT) - 1000] * 1000, **{fault: True})
    with pytest.raises(DownloadFailed, match="given up after"):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert len(site.requests) <= 3 * QUICK.attempts


@pytest.mark.parametrize("length", ["\xb2", "9" * 5000, "-1", "0x10"])
def test_length_that_is_no_number_is_a_failure_of_the_server(site, tmp_path, length):
    """Also one that Python would take for a digit, or would not convert."""
    site.pages["a"] = Page(CONTENT, length=length)
    with pytest.raises(DownloadFailed, match="a length that is no number of bytes"):
        fetch([record("a.th", CONTENT, site.url("a"), sized=False)], tmp_path)


def test_malformed_redirect_is_a_failure_of_the_server(site, tmp_path):
    """An address that cannot be read is named as such."""
    site.pages["a"] = Page(statuses=[302], location="http://[::1")
    with pytest.raises(DownloadFailed, match="malformed"):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)


def test_file_without_a_hash_resumes_only_the_same_version(site, tmp_path):
    """Without a hash the rest is asked for only if the server still has the same version."""
    site.pages["a"] = Page(CONTENT, etag='"v1"', end_after=[100_000])
    fetch([record("a.th", CONTENT, site.url("a"), hashed=False)], tmp_path)
    assert site.requests[1][1]["if-range"] == '"v1"'
    assert (tmp_path / "a.th").read_bytes() == CONTENT


def test_old_part_of_a_file_without_a_hash_is_not_used(site, tmp_path):
    """Without a hash a part of an earlier run could be of another file, so it is dropped."""
    (tmp_path / "a.th.part").write_bytes(b"?" * 70_000)
    site.pages["a"] = Page(CONTENT)
    fetch([record("a.th", CONTENT, site.url("a"), hashed=False)], tmp_path)
    assert site.ranges() == [None]
    assert (tmp_path / "a.th").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["a.th", "a.ckpt", "a.onnx"])
def test_page_in_place_of_a_file_without_a_hash(site, tmp_path, name):
    """The page of a login is not installed as a network, and nothing of it is kept."""
    site.pages["a"] = Page(b"<!DOCTYPE html><title>Please log in</title>")
    with pytest.raises(DownloadFailed, match="is a web page"):
        fetch([FileRecord(name=name, urls=(site.url("a"),))], tmp_path / "models")
    assert not (tmp_path / "models" / name).exists()
    assert not list(tmp_path.rglob("*.part"))


def test_page_in_place_of_a_file_goes_to_the_mirror(site, tmp_path):
    """Where one address sends something else, the next one is asked."""
    site.pages["login"] = Page(b"<!DOCTYPE html><title>Please log in</title>")
    site.pages["good"] = Page(CONTENT)
    fetch([FileRecord(name="a.th", urls=(site.url("login"), site.url("good")))], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == CONTENT


def test_first_download_of_a_file_without_a_hash_counts(site, tmp_path):
    """Another file that comes under its name later is refused, and one that is the same needs no warning."""
    site.pages["a"] = Page(CONTENT)
    file = FileRecord(name="a.th", urls=(site.url("a"),))
    fetch([file], tmp_path)
    assert not is_vouched(tmp_path / "a.th")
    (tmp_path / "a.th").unlink()
    site.pages["a"] = Page(CONTENT + b"!")
    with pytest.raises(ChecksumMismatch, match="first downloaded") as caught:
        fetch([file], tmp_path)
    assert NAME in caught.value.hint
    assert names_in(tmp_path) == []
    site.pages["a"] = Page(CONTENT)
    job = Job()
    fetch([file], tmp_path, job)
    assert job.warnings == []


def test_answer_without_an_end(site, tmp_path):
    """Files of unknown size are received up to a limit, which they share with all others of their model."""
    known = record("b.th", CONTENT, site.url("b"))
    site.pages["b"] = Page(CONTENT)
    for chunked, said in (
        (False, f"it has {len(CONTENT)} bytes there, and `max_download_bytes`"),
        (True, "it has more"),
    ):
        site.pages["a"] = Page(CONTENT, chunked=chunked)
        files = [FileRecord(name="a.th", urls=(site.url("a"),)), known]
        with pytest.raises(DownloadFailed, match=said):
            fetch(files, tmp_path, largest_bytes=2 * len(CONTENT) - 1)
        assert not list(tmp_path.glob("a.th*"))
    assert len(fetch(files, tmp_path, largest_bytes=2 * len(CONTENT))) == 2


def test_a_model_larger_than_downloads_may_be(site, tmp_path):
    """Nothing is received of it, and the setting that allows it is named. What is there already is not affected."""
    files = [record(name, CONTENT, site.url("a")) for name in ("a", "b")]
    with pytest.raises(DownloadFailed, match=f"have {2 * len(CONTENT)} bytes") as caught:
        fetch(files, tmp_path, largest_bytes=2 * len(CONTENT) - 1)
    assert "`max_download_bytes`" in caught.value.hint
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(CONTENT)
    assert len(fetch(files, tmp_path, largest_bytes=1)) == 2


def test_file_without_a_hash_is_accepted_with_a_warning(site, tmp_path):
    """A file of which only the size is known is taken, and the job says so."""
    job = Job()
    site.pages["a"] = Page(CONTENT)
    fetch([record("a.th", CONTENT, site.url("a"), hashed=False)], tmp_path, job)
    assert ["size" in warning for warning in job.warnings] == [True]


def test_chunked_answer_without_a_length(site, tmp_path):
    """A server that does not say how long the file is works as well."""
    site.pages["a"] = Page(CONTENT, chunked=True)
    fetch([record("a.th", CONTENT, site.url("a"), sized=False)], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == CONTENT


def test_missing_page_goes_to_the_mirror_at_once(site, tmp_path):
    """A 404 is not tried again; the next address is."""
    site.pages["mirror"] = Page(CONTENT)
    fetch([record("a.th", CONTENT, site.url("gone"), site.url("mirror"))], tmp_path)
    assert [path for path, _ in site.requests] == ["gone", "mirror"]


def test_busy_server_is_asked_again(site, tmp_path):
    """Answers that say `later` are repeated at the same address."""
    site.pages["a"] = Page(CONTENT, statuses=[503, 429])
    fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert len(site.requests) == 3


def test_wrong_bytes_go_to_the_mirror(site, tmp_path):
    """A file with a wrong hash is dropped and the next address tried."""
    site.pages["bad"] = Page(b"x" * len(CONTENT))
    site.pages["good"] = Page(CONTENT)
    fetch([record("a.th", CONTENT, site.url("bad"), site.url("good"))], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == CONTENT


def test_wrong_bytes_everywhere(site, tmp_path):
    """A wrong hash is its own error and leaves nothing behind."""
    site.pages["a"] = Page(b"x" * len(CONTENT))
    with pytest.raises(ChecksumMismatch, match=r"a\.th"):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert names_in(tmp_path) == []
    assert len(site.requests) == 1


def test_wrong_size_is_refused_before_its_bytes_come(site, tmp_path):
    """A file of another length is not downloaded to the end."""
    site.pages["a"] = Page(b"an error page", hold_after=3)
    with pytest.raises(DownloadFailed, match="13 bytes"):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert names_in(tmp_path) == []


def test_endless_answer_is_cut_off(site, tmp_path):
    """A server that sends more than the file is stopped, also where it announced no length."""
    site.pages["a"] = Page(CONTENT * 4, chunked=True)
    with pytest.raises(DownloadFailed, match="longer"):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert names_in(tmp_path) == []


def test_failure_names_every_address_and_keeps_the_part(site, tmp_path):
    """When all addresses fail, the error lists them with what happened, and what came is kept for the next time."""
    site.pages["a"] = Page(CONTENT, end_after=[50_000, 0, 0])
    file = record("a.th", CONTENT, site.url("a"), site.url("gone"))
    with pytest.raises(DownloadFailed, match=r"50000 of 2097152 bytes.*404"):
        fetch([file], tmp_path)
    assert (tmp_path / "a.th.part").stat().st_size == 50_000
    assert names_in(tmp_path) == ["a.th.part"]


def test_a_failure_says_what_from_where_to_where(site, tmp_path):
    """The size of the file, the whole address, and the place that it was for."""
    url = site.url("gone/a.th")
    with pytest.raises(DownloadFailed) as caught:
        fetch([record("a.th", CONTENT, url)], tmp_path / "demucs")
    target = tmp_path / "demucs" / "a.th"
    assert caught.value.message == (
        f"`a.th` (2.1 MB) could not be downloaded to `{target}`. {url}: the server answered 404 Not Found."
    )


def test_a_failed_download_leaves_no_folder(site, tmp_path):
    """Not even the models directory, if it was made for it. One that was there stays."""
    file = msgspec.structs.replace(record("a.th", CONTENT, site.url("gone")), folder="tokens")
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "there" / "models" / "demucs", tmp_path / "there"):
        with pytest.raises(DownloadFailed):
            fetch([file], folder)
    assert names_in(tmp_path / "there") == []


def test_an_address_that_stays_silent_is_given_up_before_all_attempts(site, tmp_path):
    """The limit is for all of them together."""
    site.pages["a"] = Page(CONTENT, end_after=[0] * 3)
    with pytest.raises(DownloadFailed, match="given up after 0 s and 1 attempt"):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path, patience=Patience(attempts=50, silence_s=0))
    assert len(site.requests) == 1


def test_a_connection_is_told_until_there_is_an_answer(tmp_path, monkeypatch):
    """With the name of the server; no other field changes."""
    told = threading.Event()

    def answer(request, timeout_s):
        assert told.wait(LIMIT_S)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("utils.store.transfer._open", answer)
    job = Listener(lambda event: told.set() if event.connecting else None)
    with pytest.raises(DownloadFailed, match="Connection refused"):
        fetch([record("a.th", CONTENT, "https://example.org/a")], tmp_path, job, patience=Patience(attempts=1))
    first, second = job.events[:2]
    assert first.connecting is msgspec.UNSET
    assert second == msgspec.structs.replace(first, connecting="example.org")


def test_a_reason_that_addresses_share_is_told_once(site, tmp_path):
    """As when there is no network at all; others are told with the addresses that they are about."""
    urls = [site.url("gone"), site.url("away")]
    file = msgspec.structs.replace(record("a.th", CONTENT, urls[0]), urls=tuple(urls))
    with pytest.raises(DownloadFailed) as caught:
        fetch([file], tmp_path)
    assert f"{urls[0]}, {urls[1]}: the server answered" in str(caught.value)


def test_attempts_that_bring_much_do_not_count(site, tmp_path):
    """A line that breaks more often than the attempts allowed, but moves on, gets there."""
    content = CONTENT * 3
    site.pages["a"] = Page(content, end_after=[1_200_000] * 4)
    fetch([record("a.th", content, site.url("a"))], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == content


def test_server_that_does_not_answer_times_out(site, tmp_path):
    """A silent connection ends with the timeout and is a failure like others."""
    site.pages["a"] = Page(CONTENT, hold_after=0)
    impatient = Patience(attempts=1, timeout_s=0.2)
    with pytest.raises(DownloadFailed, match=r"did not answer in 0\.2 s; given up after 0 s and 1 attempt"):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path, patience=impatient)


def test_cancel_keeps_the_part_and_the_next_run_resumes(site, tmp_path):
    """A cancelled download stops though the server is silent; a later one asks only for the rest."""
    page = site.pages["a"] = Page(CONTENT, hold_after=300_000)
    part = tmp_path / "a.th.part"
    job = Job()

    def cancel_when_silent():
        while not part.exists() or part.stat().st_size < 300_000:
            pass
        job.cancel()

    watcher = threading.Thread(target=cancel_when_silent)
    watcher.start()
    with pytest.raises(JobCancelled):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path, job)
    watcher.join(LIMIT_S)
    assert names_in(tmp_path) == ["a.th.part"]
    assert part.stat().st_size == 300_000
    page.hold_after = None
    fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert site.ranges()[-1] == "bytes=300000-"
    assert (tmp_path / "a.th").read_bytes() == CONTENT


def test_cancel_during_a_pause(site, tmp_path):
    """Cancelling does not wait for the pause between two attempts to end."""
    site.pages["a"] = Page(CONTENT, statuses=[503])
    job = Listener()
    patience = Patience(attempts=2, first_pause_s=3600, longest_pause_s=3600)
    errors = []

    def run():
        try:
            fetch([record("a.th", CONTENT, site.url("a"))], tmp_path, job, patience=patience)
        except JobCancelled as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not site.requests:
        assert thread.is_alive()
    job.cancel()
    thread.join(LIMIT_S)
    assert not thread.is_alive()
    assert len(errors) == 1


def test_second_caller_waits_and_finds_the_file(site, tmp_path):
    """Of two that want the same file one fetches it, and both have it."""
    page = site.pages["a"] = Page(CONTENT, hold_after=1000)
    file = record("a.th", CONTENT, site.url("a"))
    waiting = threading.Event()
    results = []
    first = threading.Thread(target=lambda: results.append(fetch([file], tmp_path)))
    first.start()
    while not (tmp_path / "a.th.part").exists():
        assert first.is_alive()
    second_job = Listener(lambda _: waiting.set())
    second = threading.Thread(target=lambda: results.append(fetch([file], tmp_path, second_job)))
    second.start()
    assert waiting.wait(LIMIT_S)
    page.go_on.set()
    first.join(LIMIT_S)
    second.join(LIMIT_S)
    assert results == [[tmp_path / "a.th"]] * 2
    assert len(site.requests) == 1
    assert names_in(tmp_path) == ["a.th"]


def test_waiting_for_another_process_can_be_cancelled(site, tmp_path):
    """A job that waits for somebody else's download says so and ends when it is cancelled."""
    other = FileLock(tmp_path / "a.th.lock")
    assert other.try_acquire()
    job = Listener(lambda _: job.cancel())
    with pytest.raises(JobCancelled):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path, job)
    other.release()
    assert site.requests == []


def test_offline_makes_no_network_call(tmp_path, monkeypatch):
    """Offline, a missing file is an error that says where to put it, and no socket is ever made."""

    def refuse(*args, **kwargs):
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    file = FileRecord("a.th", ("https://example.org/a.th",), 5, None)
    with pytest.raises(DownloadFailed, match="Offline") as caught:
        fetch([file], tmp_path / "none", offline=True)
    assert str(tmp_path / "none") in caught.value.hint
    assert "https://example.org/a.th" in caught.value.hint
    assert not (tmp_path / "none").exists()


def test_offline_is_content_with_what_is_there(tmp_path):
    """Offline, files that are whole are simply given."""
    (tmp_path / "a.th").write_bytes(CONTENT)
    assert fetch([record("a.th", CONTENT)], tmp_path, offline=True) == [tmp_path / "a.th"]


@pytest.mark.parametrize("url", ["http://example.org/a.th", "ftp://example.org/a", "file:///etc/hosts"])
def test_only_https_is_used(tmp_path, url, monkeypatch):
    """An address that is not https is refused before anything is sent."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: pytest.fail("looked up"))
    with pytest.raises(DownloadFailed, match="not an https address"):
        fetch([record("a.th", CONTENT, url)], tmp_path)


def test_redirects_are_followed_but_not_to_plain_http(site, tmp_path):
    """A redirect within the rules is followed; one to plain http elsewhere is refused."""
    site.pages["a"] = Page(CONTENT)
    site.pages["good"] = Page(statuses=[302], location=site.url("a"))
    site.pages["bad"] = Page(statuses=[302], location="http://example.org/a.th")
    fetch([record("a.th", CONTENT, site.url("good"))], tmp_path)
    with pytest.raises(DownloadFailed, match="not an https address"):
        fetch([record("b.th", CONTENT, site.url("bad"))], tmp_path)
    assert (tmp_path / "a.th").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["../a.th", "b/a.th", "b\\a.th", "C:a.th", ""])
def test_names_with_paths_are_impossible(name):
    """A file record cannot name anything outside its folder."""
    with pytest.raises(ValueError, match="plain name"):
        FileRecord(name, ("https://example.org/a",), None, None)


def test_full_disk_is_noticed_before_the_download(site, tmp_path, monkeypatch):
    """Where the files cannot fit, nothing is fetched."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    site.pages["a"] = Page(CONTENT)
    with pytest.raises(DiskFull):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path)
    assert site.requests == []


def test_folder_that_cannot_be_made(site, tmp_path):
    """A models directory that cannot exist is an error about the directory."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputNotWritable, match="models directory"):
        fetch([record("a.th", CONTENT, site.url("a"))], tmp_path / "file" / "models")


def test_no_address_is_an_error(tmp_path):
    """A file that nobody publishes cannot be downloaded, and the error says so."""
    with pytest.raises(DownloadFailed, match=r"no address of `a.th`"):
        fetch([record("a.th", CONTENT)], tmp_path)


def test_several_files_are_one_progress(site, tmp_path):
    """The percentages of a bag rise over all its files and reach 100 once, at the end."""
    files = []
    for name in ("a", "b", "c"):
        content = CONTENT + name.encode()
        site.pages[name] = Page(content)
        files.append(record(f"{name}.th", content, site.url(name)))
    job = Listener()
    paths = fetch(files, tmp_path, job)
    percents = [event.percent for event in job.events]
    assert percents == sorted(percents)
    assert percents.count(100) == 1
    assert percents[-1] == 100
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] == [file.sha256 for file in files]
