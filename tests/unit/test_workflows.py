"""The workflows match the build recipe."""

from pathlib import Path

import pytest
import yaml

import build_dsu
import run
from tools.freeze import archives

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = {"linux": "ubuntu", "win": "windows", "mac": "macos"}


def workflow(name):
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


def commands(job):
    return [step["run"].strip() for step in job["steps"] if "run" in step]


def released():
    return workflow("release")["jobs"]["build"]["strategy"]["matrix"]["include"]


def test_every_archive_that_users_know_is_released():
    """There are archives for three systems, and for Windows and Linux with and without CUDA."""
    names = {entry["archive"] for entry in released()}
    assert names == {
        *("dsu-linux-cpu.tar.gz", "dsu-linux-cuda.tar.gz", "dsu-win-cuda.7z", "dsu-win-cpu.zip", "dsu-mac-arm.tar.gz")
    }


@pytest.mark.parametrize("entry", released(), ids=lambda entry: entry["archive"])
def test_each_archive_matches_its_system_and_flavor(entry):
    """On that system and with that flavor the recipe gives the archive this name."""
    system, kind = entry["archive"].partition(".")[0].removeprefix("dsu-").split("-")
    built = build_dsu.Target(system, kind)
    assert built.archive == entry["archive"]
    assert entry["os"].startswith(SYSTEMS[system])
    assert entry["flavor"] in run.FLAVORS
    assert build_dsu.requirements(built)[0] == f"requirements-{entry['flavor']}.txt"


def test_released_builds_are_tested():
    """The archive is packed first, so it contains what the tests then run."""
    lines = commands(workflow("release")["jobs"]["build"])
    assert lines[1].startswith("python run.py build --archive")
    assert lines[2] == "python run.py test --frozen"


def test_what_is_too_large_for_a_release_fails_the_job():
    """An archive in parts is released in parts; a part that is still too large is found before anything is published."""
    last = commands(workflow("release")["jobs"]["build"])[-1]
    assert f"-size +{archives.MOST_RELEASED_BYTES}c" in last
    assert "exit 1" in last


def test_known_vulnerabilities_hold_up_changes_and_releases():
    """Of all packages in all locks: one that could not be looked up is a failure, too."""
    python, node = commands(workflow("audit")["jobs"]["audit"])
    assert "locks/*.txt" in python
    assert "--strict" in python
    assert node.splitlines()[-1] == "npm audit"
    assert {workflow(name)["jobs"]["audit"]["uses"] for name in ("ci", "release")} == {"./.github/workflows/audit.yml"}
    assert workflow("release")["jobs"]["publish"]["needs"] == ["audit", "build"]


def test_reports_are_tested_in_a_browser():
    """On the system whose machines come with one."""
    steps = workflow("ci")["jobs"]["test"]["steps"]
    assert [step["if"] for step in steps if step.get("run") == "python run.py test --browser"] == [
        "runner.os == 'Linux'"
    ]


def test_three_systems_are_tested():
    """Each with the sources and with the frozen folder."""
    job = workflow("ci")["jobs"]["test"]
    systems = {entry["os"].partition("-")[0] for entry in job["strategy"]["matrix"]["include"]}
    assert systems == set(SYSTEMS.values())
    assert {"python run.py test", "python run.py build", "python run.py test --frozen"} <= set(commands(job))
