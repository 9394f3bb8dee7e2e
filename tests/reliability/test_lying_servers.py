"""Servers that lie. A download ends whatever they do, and what it leaves is the file or nothing."""

import itertools
import random

from downloads import downloaded, fetch
from loopback_server import Page, record

from utils.core.errors import DsuError

CONTENT = bytes(range(128, 256)) * 2048
WRONG = bytes(range(129, 256)) + CONTENT[127:]
BODIES = {
    "the file": CONTENT,
    "another of its length": WRONG,
    "less": CONTENT[:-1],
    "more": CONTENT + b"x",
    "nothing": b"",
    "the page of a login": b"<!DOCTYPE html><title>Log in</title>",
}
# What may go wrong with one page, each as the fields of a page. Several are combined.
LIES = [
    {"ranges": False},
    {"etag": '"v1"'},
    {"etag": 'W/"v1"'},
    {"statuses": [503]},
    {"statuses": [429, 500, 502]},
    {"statuses": [404]},
    {"statuses": [204]},
    {"statuses": [302], "location": "http://[::1"},
    {"statuses": [302], "location": "ftp://127.0.0.1/a"},
    {"statuses": [302] * 50, "location": "a"},
    {"end_after": [0]},
    {"end_after": [1000]},
    {"end_after": [len(CONTENT) - 1] * 100},
    {"chunked": True},
    {"lie_about_start": True},
    {"refuse_ranges": True},
    {"length": "-1"},
    {"length": "²"},
    {"length": "9" * 5000},
    {"length": "0"},
    {"length": str(len(CONTENT) + 1)},
    {"length": str(1 << 62)},
]


def test_a_download_ends_with_the_file_or_an_error(scenario, site, tmp_path):
    """Each lie and each two of them, with any content: where a hash is known, what is installed is the file."""
    chance = random.Random(1)
    kinds = [({}, {}), *((lie, {}) for lie in LIES), *itertools.combinations(LIES, 2)]
    cases = list(itertools.product(kinds, BODIES, (True, False), (True, False)))
    chosen = [cases[place] for place in sorted(chance.sample(range(len(cases)), scenario.times(150, len(cases))))]
    for number, (lies, body, sized, hashed) in enumerate(chosen):
        page = Page(BODIES[body])
        for lie in lies:
            for name, value in lie.items():
                setattr(page, name, list(value) if isinstance(value, list) else value)
        site.pages["a"] = page
        site.requests.clear()
        file = record("a.th", CONTENT, site.url("a"), sized=sized, hashed=hashed)
        folder = tmp_path / str(number)
        with scenario.trial("download", lies, body, "sized" * sized, "hashed" * hashed):
            try:
                fetch(file, folder)
                installed = (folder / "a.th").read_bytes()
                assert installed == CONTENT or (not hashed and (not sized or len(installed) == len(CONTENT)))
                assert not installed.startswith(b"<")
            except DsuError:
                assert not (folder / "a.th").exists()
            assert len(site.requests) < 60
        if hashed:
            site.pages["a"] = Page(CONTENT)
            with scenario.trial("honest download after it", lies, body):
                fetch(file, folder)
                assert downloaded(folder) == {"a.th": CONTENT}
