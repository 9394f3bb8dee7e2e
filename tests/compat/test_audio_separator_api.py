"""`Separator` of the Python client beside that of the real audio-separator: the same calls, models and songs."""

import logging
import sys
from pathlib import Path

import pytest
from audio_separator_models import write_models
from audio_separator_songs import ENSEMBLES_DB, LOWEST_DB, same_audio
from dsu_client.compat import host
from dsu_client.compat.audio_separator.separator import Separator
from dsu_client.compat.audio_separator.separator.separator import DEMUCS, MDX, MDXC, VR
from worker_process import ROOT

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def models(worker_dir, tmp_path_factory):
    """The folder of models, and the worker that all calls here share."""
    place = {"directory": worker_dir} if worker_dir else {"directory": ROOT, "python": sys.executable}
    host.configure(**place, device="cpu", threads=1, offline=True)
    yield write_models(tmp_path_factory.mktemp("models"))
    host.configure()


@pytest.mark.parametrize(
    ("model", "song", "options"),
    [
        ("vr.pth", "song.wav", {"vr_params": {**VR, "aggression": 10, "window_size": 320}}),
        ("mdx.onnx", "song.wav", {"mdx_params": {**MDX, "segment_size": 32, "overlap": 0.5}}),
        ("roformer.ckpt", "soft.wav", {"output_format": "FLAC", "amplification_threshold": 0.8}),
        ("mdx23c.ckpt", "deep.wav", {"normalization_threshold": 0.5, "output_single_stem": "Vocals"}),
        ("target.ckpt", "mono.wav", {}),
        ("drums.ckpt", "my__song: a?.wav", {}),
        (
            "roformer.ckpt",
            "long.wav",
            {"mdxc_params": {**MDXC, "override_model_segment_size": True, "segment_size": 64}},
        ),
        ("mdx23c.ckpt", "long.wav", {"mdxc_params": {**MDXC, "override_model_segment_size": True, "overlap": 3}}),
        ("demucs.yaml", "song.wav", {"demucs_params": {**DEMUCS, "shifts": 0}}),
        (["mdx23c.ckpt", "vr.pth"], "soft.wav", {"ensemble_algorithm": "min_fft"}),
        (["vr.pth", "demucs.yaml", "other.ckpt"], "soft.wav", {"demucs_params": {**DEMUCS, "shifts": 0}}),
        (["mdx23c.ckpt", "other.ckpt"], "soft.wav", {"ensemble_preset": "vocal_clean", "ensemble_weights": [1.0]}),
        (["mdx23c.ckpt", "other.ckpt"], "soft.wav", {"ensemble_algorithm": "ensemble_wav"}),
    ],
    ids=lambda value: str(value) if isinstance(value, str | list) else "",
)
def test_the_same_files_with_the_same_samples(peer, models, songs, tmp_path, model, song, options):
    """In the same order, and with the same names of stems."""
    folders = tmp_path / "theirs", tmp_path / "ours"
    options = {"model_file_dir": str(models), "use_soundfile": True, **options}
    theirs = peer.call(songs / song, model, {**options, "output_dir": str(folders[0])})
    ours = Separator(log_level=logging.ERROR, output_dir=str(folders[1]), **options)
    ours.load_model(model)
    files = ours.separate(str(songs / song))
    assert [Path(file).name for file in files] == [Path(file).name for file in theirs["files"]]
    assert [Path(file).is_absolute() for file in files] == [Path(file).is_absolute() for file in theirs["files"]]
    assert sorted(path.name for path in folders[1].iterdir()) == sorted(Path(file).name for file in files)
    if ours.model_instance is not None:
        assert [ours.model_instance.primary_stem_name, ours.model_instance.secondary_stem_name] == theirs["stems"]
    for file in files:
        lowest = LOWEST_DB if ours.model_instance is not None else ENSEMBLES_DB
        same_audio(folders[0] / Path(file).name, folders[1] / Path(file).name, lowest)


def test_lists_have_the_same_shape(peer, models):
    """Members, types, names of models and scores, wherever both have the model; and the same ensembles."""
    theirs = peer.listed(models)
    ours = Separator(model_file_dir=str(models), info_only=True, log_level=logging.ERROR)
    files, simple = ours.list_supported_model_files(), ours.get_simplified_model_list()
    assert list(files) == list(theirs["files"])
    one = "VR Arch Single Model v5: 1_HP-UVR"
    assert files["VR"][one].keys() == theirs["files"]["VR"][one].keys()
    assert files["VR"][one]["stems"] == theirs["files"]["VR"][one]["stems"]
    assert simple["1_HP-UVR.pth"].keys() == theirs["simple"]["1_HP-UVR.pth"].keys()
    assert simple["1_HP-UVR.pth"] == theirs["simple"]["1_HP-UVR.pth"]
    presets = ours.list_ensemble_presets()
    shared = ("name", "models", "algorithm", "weights")
    assert {name: [row[key] for key in shared] for name, row in presets.items()} == {
        name: [row[key] for key in shared] for name, row in theirs["presets"].items()
    }
