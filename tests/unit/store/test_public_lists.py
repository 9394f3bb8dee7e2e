"""Every model of the lists that other programs publish has a record, if DSU has its kind of network.

The lists are not part of the repository. `DSU_PUBLIC_LISTS` names their folder; without it, `shared/models` beside the repository
is used, and without that the tests are skipped.
"""

import json
import os
from pathlib import Path

import pytest

from utils.store.registry import Registry

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("DSU_PUBLIC_LISTS", REPOSITORY.parent / "shared" / "models"))
WORKERS = ("bsroformer", "demucs", "audio-separator", "audiosep")

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the lists of other programs are not here")

# docs/models.md says why.
WITHOUT_ADDRESS = {
    *("mel_roformer-jasper-vocalsandeffects", "mdx23c-jasper-dnr", "mel_roformer-aufr33-denoise_average"),
    *("bs_roformer-amane-4_stems", "mel_roformer-yolkis-drums", "bs_roformer-xlance-msr", "bs_roformer-fruit-sw"),
}
OTHER_NETWORKS = {"segm_models-zfturbo-vitlarge23", "bs_roformer-unwa-inst_exp_value_residual"}
TEST_OF_A_PACKAGE = {"demucs_unittest-09ebc15f.th"}
BEATS_AND_PITCHES = ("beat_this", "pesto", "basic_pitch")


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


def without_record(registry, names):
    """The names by which no worker finds a model, and under which none is published."""
    files = {
        name.lower()
        for record in registry
        for file in record.files
        for name in (file.name, *(url.rsplit("/", 1)[-1] for url in file.urls))
    }
    known = {name for name in names if name.lower() in files}
    return {name for name in names - known if not any(registry.find(name, worker) for worker in WORKERS)}


def read(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def test_pymss(registry):
    """All that pymss downloads."""
    names = {model["name"] for model in read("pymss_catalogue.json")["models"]}
    assert without_record(registry, names) == TEST_OF_A_PACKAGE & names


def test_splifft(registry):
    """All of splifft's that separates."""
    names = {name for name in read("splifft_registry.json")["models"] if not name.startswith(BEATS_AND_PITCHES)}
    assert without_record(registry, names) == (WITHOUT_ADDRESS | OTHER_NETWORKS) & names


@pytest.mark.parametrize("kind", ["vr_models", "mdx_models", "mdx23c_models", "roformer_models"])
def test_audio_separator(registry, kind):
    """All networks of audio-separator; its Demucs models are those of the demucs package."""
    names = {model["file"] for model in read("vr_mdx.json")[kind]}
    assert not without_record(registry, names)
