"""What the doctor says of disks, codecs and limits."""

from __future__ import annotations

import os
import sys
from collections import namedtuple
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from utils.core.requests import AudioFormat
from utils.core.settings import Settings
from utils.doctor import surroundings

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it
PLENTY = Usage(1 << 40, 0, 1 << 39)


@pytest.fixture
def findings(tmp_path):
    """The findings by their checks, for settings."""

    def survey(**settings):
        found = surroundings.survey(Settings(**{"models_dir": tmp_path / "models", **settings}))
        return {finding.check: finding for finding in found}

    return survey


def test_a_machine_in_order(findings, monkeypatch):
    """Every check says what it has found, and every format is among them."""
    monkeypatch.setattr(surroundings.shutil, "disk_usage", lambda path: PLENTY)
    found = findings(threads=1)
    assert {finding.state for finding in found.values()} == {"good"}
    assert {f"format {name}" for name in get_args(AudioFormat)} < found.keys()
    assert all(finding.message.endswith(".") for finding in found.values())
    assert found["models"].message == "550 GB are free for models."


def test_a_full_disk_is_a_warning_that_says_what_to_do(findings, monkeypatch):
    """For the models and for temporary files."""
    monkeypatch.setattr(surroundings.shutil, "disk_usage", lambda path: Usage(1 << 40, 0, 300 << 20))
    found = findings()
    for check, advice in (("models", "--models-dir"), ("temporary files", "TMPDIR")):
        assert found[check].state == "warning"
        assert "only 0.3 GB left" in found[check].message
        assert advice in found[check].hint


def test_models_that_cannot_be_downloaded_are_a_warning(findings, monkeypatch):
    """They may be there all the same."""
    monkeypatch.setattr(surroundings.os, "access", lambda path, mode: False)
    assert findings()["models"].state == "warning"
    assert "not yours to write" in findings()["models"].message


def test_new_files_that_somebody_holds_are_a_problem(findings, monkeypatch):
    """As virus scanners do; nothing could be published there."""

    def refuse(path, target):
        raise PermissionError(13, "Access is denied", str(path))

    monkeypatch.setattr(Path, "rename", refuse)
    found = findings()["files"]
    assert found.state == "problem"
    assert "virus scanner" in found.hint


def test_slow_files_are_a_warning(findings, monkeypatch):
    """Each of many songs would wait for them."""
    monkeypatch.setattr(surroundings, "SLOW_S", -1.0)
    assert findings()["files"].state == "warning"


def test_a_codec_that_changes_samples_is_a_problem(findings, monkeypatch):
    """What is read again is compared with what was written."""
    real = surroundings.open_encoder

    class Damaging:
        def __init__(self, encoder):
            self.encoder = encoder

        def write(self, block, track=0):
            self.encoder.write(np.roll(block, 7, axis=0) * np.float32(0.3), track)

        def close(self):
            self.encoder.close()

    def open_encoder(path, output, **sizes):
        encoder = real(path, output, **sizes)
        return Damaging(encoder) if output.name == "flac" else encoder

    monkeypatch.setattr(surroundings, "open_encoder", open_encoder)
    found = findings()
    assert found["format flac"].state == "problem"
    assert found["format wav"].state == "good"


def test_a_codec_that_is_missing_is_a_problem(findings, monkeypatch):
    """One finding, and the others go on."""

    def broken(path, output, **sizes):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(surroundings, "open_encoder", broken)
    found = findings()
    assert {found[f"format {name}"].state for name in get_args(AudioFormat)} == {"problem"}
    assert found["handles"].state == "good"


def test_more_threads_than_cores_are_a_warning(findings, monkeypatch):
    """They wait for each other."""
    monkeypatch.setattr(surroundings, "physical_cores", lambda: 2)
    assert findings(threads=3)["threads"].state == "warning"
    assert findings(threads=2)["threads"].message == "2 of 2 cores compute."


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_low_limit_of_open_files_is_a_warning(findings, monkeypatch):
    """Each song opens several."""
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (64, 64))
    found = findings()["handles"]
    assert found.state == "warning"
    assert "ulimit -n" in found.hint


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
@pytest.mark.parametrize(
    ("written", "closed", "state", "told"),
    [
        (b"", False, "good", "goes to a pipe"),
        (b"ready\n", False, "warning", "6 bytes wait in its pipe"),
        (b"", True, "warning", "the other end of its pipe is closed"),
    ],
)
def test_a_pipe_that_nobody_reads_is_a_warning(findings, monkeypatch, written, closed, state, told):
    """Once it is full, whoever writes there waits for ever."""
    reader, writer = os.pipe()
    try:
        os.write(writer, written)
        if closed:
            os.close(reader)
        monkeypatch.setattr(surroundings, "output_fd", lambda: writer)
        monkeypatch.setattr(surroundings, "UNREAD_S", 0.0)
        found = findings()["output"]
        assert (found.state, told in found.message) == (state, True)
    finally:
        os.close(writer)
        if not closed:
            os.close(reader)


def test_a_file_needs_no_reader(findings, monkeypatch, tmp_path):
    """As with `dsu doctor > FILE`."""
    with (tmp_path / "found.txt").open("wb") as file:
        monkeypatch.setattr(surroundings, "output_fd", file.fileno)
        assert findings()["output"].message == "Standard output goes to a file or a device."


def test_nothing_is_left_behind(findings, monkeypatch, tmp_path):
    """Not even where a check fails."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(surroundings.tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(surroundings, "LEAST_DB", {True: 1e9, False: 1e9})
    assert findings()["format wav"].state == "problem"
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("name", get_args(AudioFormat))
def test_every_format_is_written_and_read_again(name):
    """Also those that hold several tracks."""
    assert "Written and read again" in surroundings._format_check(name)()
