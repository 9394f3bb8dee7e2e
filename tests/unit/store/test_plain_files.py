"""What is opened in folders that anybody may have filled, and what a list makes of the rest."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from utils.store.audio_separator_models import list_audio_separator
from utils.store.demucs_models import list_demucs
from utils.store.folders import ModelFolders
from utils.store.network_models import list_networks
from utils.store.plain_files import files_in, is_folder, open_file, size_of
from utils.store.registry import Registry

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def test_a_regular_file_is_opened(tmp_path):
    """Also through a link."""
    (tmp_path / "file").write_bytes(b"content")
    with open_file(tmp_path / "file") as file:
        assert file.read() == b"content"
    assert size_of(tmp_path / "file") == 7


@posix_only
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder", "dangling"])
def test_nothing_else_is_opened(tmp_path, monkeypatch, kind):
    """A pipe without a writer would be waited for, a device could do anything."""
    monkeypatch.chdir(tmp_path)  # the address of a socket must be short
    path = tmp_path / "it"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("it")
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    with pytest.raises(OSError):
        open_file(path)
    assert size_of(path) is None


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    """And nobody is warned of it."""
    warnings = []
    assert files_in(tmp_path / "none", warnings.append) == []
    assert warnings == []
    assert not is_folder(tmp_path / "none")


@posix_only
def test_pipes_and_dangling_links_cost_no_list_its_models(tmp_path):
    """They are left out, or listed as what cannot be used; the public models are there."""
    registry, folders = Registry.load(), ModelFolders(tmp_path)
    for sub in ("demucs", "bsroformer", "audio-separator"):
        (tmp_path / sub).mkdir()
        os.mkfifo(tmp_path / sub / "models.json")
        for name in ("pipe.yaml", "pipe.onnx", "pipe.pth", "pipe.ckpt", "pipe.th"):
            os.mkfifo(tmp_path / sub / name)
        for name in ("link.yaml", "link.onnx", "link.pth", "link.ckpt", "other.th"):
            (tmp_path / sub / name).symlink_to("nowhere")
    for listed, worker in (
        (list_demucs(registry, folders, None), "demucs"),
        (list_networks(registry, folders), "bsroformer"),
        (list_audio_separator(registry, folders), "audio-separator"),
    ):
        assert {entry.name for entry in listed} >= set(registry.names(worker))
        assert not any(entry.installed for entry in listed if entry.name in ("pipe", "link", "other"))


def test_a_folder_that_cannot_be_read_costs_one_warning(tmp_path, monkeypatch):
    """The public models are listed, and the warning names the folder."""
    registry, folders = Registry.load(), ModelFolders(tmp_path)
    for sub in ("demucs", "bsroformer", "audio-separator"):
        (tmp_path / sub).mkdir()

    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    for list_all, arguments, sub in (
        (list_demucs, (None,), "demucs"),
        (list_networks, (), "bsroformer"),
        (list_audio_separator, (), "audio-separator"),
    ):
        warnings = []
        listed = list_all(registry, folders, *arguments, warn=warnings.append)
        assert [entry.name for entry in listed] == registry.names(sub)
        assert len(warnings) == 1
        assert str(tmp_path / sub) in warnings[0]
