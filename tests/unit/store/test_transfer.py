"""Single requests: what is trusted, and what failures are called."""

from __future__ import annotations

import io
import ssl
import sys
import threading
import urllib.error
import urllib.request

import pytest
from loopback_server import Page

from utils.store.transfer import (
    SYSTEM_BUNDLES,
    Head,
    Transfer,
    TransferFailed,
    _described,
    _SecureRedirects,
    _tls_context,
    require_secure,
)


def idle():
    """Nothing to do while nothing comes."""


def test_head_and_blocks(site):
    """The answer's head comes first, then every byte from the offset on."""
    site.pages["a"] = Page(b"0123456789", etag='"v"')
    with Transfer(site.url("a"), offset=4, etag='"v"') as transfer:
        assert transfer.head(idle) == Head(offset=4, total_bytes=10, etag='"v"')
        assert b"".join(transfer.blocks(idle)) == b"456789"


def redirect(first, target):
    """What becomes of a redirect from one address to another: the new request, or an error."""
    request = urllib.request.Request(first)
    return _SecureRedirects(first).redirect_request(request, io.BytesIO(), 302, "Found", {}, target)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/a",
        "https://127.0.0.1/a",
        "https://127.1/a",
        "https://localhost./a",
        "https://[::ffff:127.0.0.1]/a",
        "https://0.0.0.0/a",
        "https://192.168.0.1/a",
        "https://169.254.169.254/a",
        "https://[fe80::1]/a",
        "http://example.org/a",
    ],
)
def test_redirects_never_lead_nearer(target):
    """A server on the internet cannot have this machine or its network asked, nor go on without encryption."""
    with pytest.raises(TransferFailed):
        redirect("https://example.org/a", target)


def test_redirects_may_lead_as_near_as_the_first_address_or_further():
    """Who names a server on the own network may be sent around there, and to the internet."""
    for target in ("https://10.0.0.2/a", "https://example.org/a"):
        assert redirect("https://10.0.0.1/a", target).full_url == target
    assert redirect("http://127.0.0.1/a", "http://localhost/b").full_url == "http://localhost/b"


def test_weak_tags_are_not_sent(site):
    """A weak tag does not promise the same bytes, so no condition is made of it."""
    site.pages["a"] = Page(b"0123456789", etag='W/"v"')
    with Transfer(site.url("a"), offset=4, etag='W/"v"') as transfer:
        transfer.head(idle)
    assert "if-range" not in site.requests[0][1]


def test_waiting_calls_idle_and_its_error_ends_it(site):
    """While the server is silent `idle` is called, and what it raises reaches the caller."""
    site.pages["a"] = Page(b"0123456789", hold_after=3)

    class Enough(BaseException):
        pass

    def stop():
        raise Enough

    with Transfer(site.url("a")) as transfer:
        transfer.head(idle)
        blocks = transfer.blocks(stop)
        assert next(blocks) == b"012"
        with pytest.raises(Enough):
            next(blocks)


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_statuses_that_may_pass(site, status):
    """Answers of an overloaded server are worth another try."""
    site.pages["a"] = Page(b"", statuses=[status])
    with Transfer(site.url("a")) as transfer, pytest.raises(TransferFailed, match=str(status)) as caught:
        transfer.head(idle)
    assert caught.value.transient


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
def test_statuses_that_stay(site, status):
    """Answers that the next request would get as well are final."""
    site.pages["a"] = Page(b"", statuses=[status])
    with Transfer(site.url("a")) as transfer, pytest.raises(TransferFailed) as caught:
        transfer.head(idle)
    assert not caught.value.transient
    assert caught.value.status == status


def test_refused_connection(site):
    """A server that is not there is a failure that may pass."""
    url = site.url("a")
    site.close()
    with Transfer(url) as transfer, pytest.raises(TransferFailed, match="connection failed") as caught:
        transfer.head(idle)
    assert caught.value.transient


@pytest.mark.parametrize(
    "url", ["https://example.org/a", "http://127.0.0.1:8/a", "http://localhost/a", "http://[::1]/a"]
)
def test_addresses_that_may_be_asked(url):
    """HTTPS anywhere, and plain HTTP on this machine."""
    require_secure(url)


@pytest.mark.parametrize(
    "url", ["http://example.org/a", "http://127.0.0.1.example.org/", "http:///a", "ftp://localhost/a", "a"]
)
def test_addresses_that_may_not_be_asked(url):
    """Everything else is refused."""
    with pytest.raises(TransferFailed):
        require_secure(url)


def test_missing_certificates_of_the_environment_are_named(monkeypatch, tmp_path):
    """A bundle that does not exist is an error that names the variable, not silently left out."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with Transfer("https://127.0.0.1:9/a") as transfer, pytest.raises(TransferFailed, match="REQUESTS_CA_BUNDLE"):
        transfer.head(idle)


def test_certificates_are_looked_for_where_systems_keep_them(monkeypatch, tmp_path):
    """Where OpenSSL finds no certificates by itself, those of the usual places are taken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    loaded = []
    monkeypatch.setattr(context, "load_verify_locations", loaded.append, raising=False)
    monkeypatch.setattr(ssl, "create_default_context", lambda: context)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setitem(sys.modules, "certifi", None)
    assert _tls_context() is context
    assert loaded == [SYSTEM_BUNDLES[0]]


def test_untrusted_certificate_says_how_to_trust_it():
    """A certificate that is not trusted is final, and the message names the variable that helps."""
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = "self-signed certificate"
    failure = _described(urllib.error.URLError(cause), 1)
    assert not failure.transient
    assert "SSL_CERT_FILE" in str(failure)


def test_a_name_that_is_never_found_is_given_up(monkeypatch):
    """A socket's own timeout does not cover the search for its address."""
    over = threading.Event()
    monkeypatch.setattr("utils.store.transfer._open", lambda request, timeout_s: over.wait())
    with Transfer("https://example.org/a", timeout_s=0.01) as transfer:
        with pytest.raises(TransferFailed, match=r"did not answer in 0\.01 s") as caught:
            transfer.head(idle)
        over.set()
    assert caught.value.transient


def test_other_errors_are_not_hidden(site, monkeypatch):
    """An error that is not the network's reaches the caller as it is."""
    monkeypatch.setattr("utils.store.transfer._open", lambda request, timeout_s: 1 / 0)
    with Transfer(site.url("a")) as transfer, pytest.raises(ZeroDivisionError):
        transfer.head(idle)
