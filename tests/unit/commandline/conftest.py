"""Command lines are tried in a folder of their own, with two songs, and without this machine's settings."""

import pytest


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """A working directory with the songs a.wav and b.wav."""
    for name in ("DSU_MODELS", "DSU_DEVICE", "DSU_THREADS", "DSU_OFFLINE", "DSU_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("utils.core.settings.config_places", list)
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
