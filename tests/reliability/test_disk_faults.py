"""Faults of the disk. Each call that changes a file fails once, whichever it is; what was in the folder is there afterwards."""

import itertools

import pytest
from downloads import downloaded, fetch
from file_layer import shown_to
from job_folders import Jobs
from loopback_server import Page, record
from planned_faults import DiskPlans, done

from utils.core.errors import DsuError

CONTENT = bytes(range(128, 256)) * 2048


def errors_of(scenario):
    """Names of errors, and whether they last."""
    return ("EIO", "ENOSPC-on", "ENOSPC", "EACCES")[: scenario.times(1, 4)]


@pytest.mark.parametrize("form", ["wav", "m4a"])
def test_a_job_whose_disk_fails_once_is_an_error_or_done(scenario, forge, demucs_models, songs, tmp_path, form):
    """A job of which one call fails leaves the old set or the new one, says so in one line, and the next job in the folder is right."""
    with forge.start("demucs", demucs_models) as worker:
        jobs = Jobs(worker, songs, tmp_path, form)
        calls = jobs.count_calls()
        for error in errors_of(scenario):
            for number in scenario.chosen(range(1, calls + 1), 16 if form == "wav" else 6):
                folder = jobs.prepare(f"fail-{number}-{error}")
                (last,) = jobs.run(folder)
                with scenario.trial(done(folder) or "none", number, error):
                    assert last["status"] in ("done", "error"), last
                    assert last.get("code") != "internal", last
                    jobs.check(jobs.heal(folder), is_new=last["status"] == "done")


def test_a_download_whose_disk_fails_once_is_an_error_or_done(scenario, site, tmp_path):
    """A download of which one call fails leaves no file or the whole one, and the next one is right."""
    site.pages["a"] = Page(CONTENT)
    file = record("a.th", CONTENT, site.url("a"))
    for error in errors_of(scenario):
        for number in itertools.count(1):
            folder = tmp_path / f"fail-{number}-{error}"
            with shown_to(DiskPlans()):
                try:
                    fetch(file, folder / "m")
                    failed = None
                except DsuError as caught:
                    failed = caught
            if (struck := done(folder)) is None:
                assert failed is None
                break
            with scenario.trial(struck, number, error):
                target = folder / "m" / "a.th"
                assert target.read_bytes() == CONTENT if failed is None else not target.exists()
                folder = folder.rename(tmp_path / f"healed-{number}-{error}") if folder.exists() else folder
                fetch(file, folder / "m")
                assert downloaded(folder / "m") == {"a.th": CONTENT}
