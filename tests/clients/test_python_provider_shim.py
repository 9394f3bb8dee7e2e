"""The provider of stems: what its document says was tested, and what its callers do."""

import re

import pytest
import soundfile
from dsu_client.compat import demucs_provider, host
from dsu_client.compat.demucs_provider import DemucsProvider, ModelLoadingError, list_models
from python_shims import small_models, write_track
from python_workers import RATE, real

pytestmark = pytest.mark.e2e
STEMS = ["bass.wav", "drums.wav", "other.wav", "vocals.wav"]


@pytest.fixture(scope="module", autouse=True)
def shared(worker_dir, tmp_path_factory):
    """Small models, and the worker that all calls here share."""
    folder = small_models(tmp_path_factory.mktemp("models"))
    host.configure(**real(worker_dir, folder, models_dir=folder))
    yield
    host.configure()


@pytest.fixture
def provider():
    return DemucsProvider("tiny")


@pytest.fixture
def track(tmp_path):
    return write_track(tmp_path)


def cached():
    return [model["name"] for model in host.worker().list_cached()["models"]]


def test_imports():
    """All that programs import of it."""
    assert [name for name in demucs_provider.__all__ if not hasattr(demucs_provider, name)] == []


def test_the_error_lists_models():
    """At most ten, how many more there are, how many there are at all, and names that are like the wrong one."""
    with pytest.raises(ModelLoadingError) as caught:
        _ = DemucsProvider("htdemuks").model
    text = str(caught.value)
    count = len(list_models())
    assert text.startswith("Model 'htdemuks' not found.\n\nAvailable models:\n  - htdemucs\n")
    assert len(re.findall("^  - ", text, re.MULTILINE)) == 10
    assert f"  ... and {count - 10} more\n" in text
    assert f"Use list_models() to see all {count} available models." in text
    assert re.search(r"^Did you mean: htdemucs\b.*\?$", text, re.MULTILINE)


def test_the_error_helps_with_other_reasons_too():
    """A model that is not installed is downloaded, and no wrong name where that fails."""
    with pytest.raises(ModelLoadingError, match="`htdemucs` was not downloaded"):
        _ = DemucsProvider("htdemucs").model


def test_no_model_is_loaded_before_it_is_needed(provider):
    """Making a provider starts nothing."""
    host.worker().clear_cache()
    DemucsProvider("tiny")
    assert cached() == []
    assert provider.model.sources == ["drums", "bass", "other", "vocals"]
    assert cached() == ["tiny"]


def test_the_model_is_loaded_once(provider):
    """The same one is returned, without a word to the worker."""
    first = provider.model
    host.worker().clear_cache()
    assert provider.model is first
    assert cached() == []


def test_the_cache_is_cleared(provider):
    """In the worker; the next access loads it again."""
    first = provider.model
    provider.clear_model_cache()
    assert cached() == []
    assert provider.model is not first
    assert cached() == ["tiny"]


def test_progress_is_told(provider, track, tmp_path):
    """In five steps, and in between while the song is separated."""
    told = []
    folder = provider.get_stems(track, tmp_path / "out", progress_callback=lambda *row: told.append(row))
    assert folder == tmp_path / "out" / "tiny" / "song"
    assert list(dict.fromkeys(message for message, _ in told)) == [
        "Loading separation model",
        "Loading audio file",
        "Separating audio sources",
        "Saving separated stems",
        "Separation complete",
    ]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[:3], shares[-1]) == ([0.1, 0.2, 0.3], 1.0)


def test_progress_is_optional(provider, track, tmp_path):
    """The folder has the four stems."""
    folder = provider.get_stems(str(track), str(tmp_path / "out"))
    assert sorted(path.name for path in folder.iterdir()) == STEMS
    assert soundfile.info(folder / "bass.wav").frames == 2 * RATE


def test_a_song_is_separated_once(provider, track, tmp_path):
    """Stems that are there are kept, and the program is told."""
    folder = provider.get_stems(track, tmp_path / "out")
    before = (folder / "bass.wav").stat().st_mtime_ns
    told = []
    assert provider.get_stems(track, tmp_path / "out", lambda *row: told.append(row)) == folder
    assert told == [("Stems already exist, skipping separation", 1.0)]
    assert (folder / "bass.wav").stat().st_mtime_ns == before


def test_models_are_listed():
    """All of DSU, the local ones too."""
    assert {"htdemucs", "htdemucs_ft", "mdx_extra_q", "tiny"} <= set(list_models())
