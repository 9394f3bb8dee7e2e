"""Requests of the audio-separator package, as the engines of programs that speak to programs take them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tools.fixtures.audio_separator import make_vr
from tools.fixtures.demucs import tiny_htdemucs, write_bag, write_checkpoint
from tools.fixtures.networks import write_network
from utils.core.errors import InvalidRequest, UnknownModel
from utils.core.job import Job
from utils.core.package_request import PackageLoad, PackageSeparate, in_order_of_files
from utils.core.requests import AudioSeparatorLoad, DownloadModel, ListModels
from utils.core.settings import Settings
from utils.engine.programs import make_engine

ROOT = Path(__file__).parents[3]
RATE = 44100
BAG = "demucs.yaml"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The package's folder of models: those of all kinds in one."""
    folder = tmp_path_factory.mktemp("models")
    make_vr(folder, "vr")
    write_network(folder, "mdx23c", name="net")
    write_checkpoint(folder, "0123abcd", tiny_htdemucs)
    write_bag(folder, "demucs", ["0123abcd"])
    return folder


@pytest.fixture(params=["dsu-audio-separator", "dsu"])
def engine(request, models):
    settings = Settings(models_dir=models, device="cpu", threads=1, offline=True, max_cached_models=4)
    engine = make_engine(request.param, settings)
    engine.start()
    yield engine
    engine.close()


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, (RATE // 2, 2)), RATE)
    return path


@pytest.fixture
def separate(engine, song, tmp_path):
    def run(**fields):
        return engine.separate(PackageSeparate(input=str(song), output=str(tmp_path / "out"), **fields), Job())

    return run


def test_models_are_loaded_by_the_names_of_their_files(engine):
    """With their kinds and the stems of their files. What `separate` uses stays the same."""
    engine.load_model(AudioSeparatorLoad(model="vr.pth", model_file_dir=str(engine.settings.models_dir)), Job())
    loaded = [engine.load_model(PackageLoad(model=name), Job()) for name in ("net.ckpt", BAG, "vr.pth")]
    assert [(one.kind, one.stems) for one in loaded] == [
        ("MDXC", ["vocals", "other"]),
        ("Demucs", ["Drums", "Bass", "Other", "Vocals"]),
        ("VR", ["Vocals", "Instrumental"]),
    ]
    assert engine.ping().model_loaded == "vr.pth"
    assert loaded[-1].cached is True


@pytest.mark.parametrize(
    ("family", "stems", "expected"),
    [
        ("vr", ["Vocals", "Instrumental"], ["Vocals", "Instrumental"]),
        ("mdx", ["Vocals", "Instrumental"], ["Instrumental", "Vocals"]),
        ("networks", ["drums", "bass", "other"], ["drums", "bass", "other"]),
        (
            "demucs",
            ["Drums", "Bass", "Other", "Vocals", "Guitar", "Piano"],
            ["Bass", "Drums", "Other", "Vocals", "Guitar", "Piano"],
        ),
    ],
)
def test_files_have_the_packages_order(family, stems, expected):
    """On which programs rely."""
    assert in_order_of_files(stems, family) == expected


def test_an_ensemble_of_several_kinds(separate, engine):
    """Under one name, after its models; and `resume` knows it."""
    fields = {"ensemble": ["net.ckpt", BAG], "demucs_shifts": 0, "resume": True}
    done = separate(**fields)
    assert sorted(done.files) == sorted(
        f"song_({stem})_custom_ensemble_net_demucs.wav" for stem in ("Vocals", "Instrumental", "Drums", "Bass", "Other")
    )
    assert engine.ping().model_loaded is None
    assert separate(**fields).skipped is True
    assert separate(**fields, normalization=0.5).skipped is not True


def test_a_program_may_say_what_stands_in_names(separate):
    """In place of the model."""
    assert separate(model="vr.pth", label="mine", single_stem="vocals").files == ["song_(Vocals)_mine.wav"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ensemble_preset": "karaok"}, "Did you mean: karaoke"),
        ({"ensemble": ["net.ckpt", "vr.pth"], "ensemble_weights": [1]}, "needs 2 numbers"),
        ({"ensemble": ["net.ckpt", "vr.pth"], "ensemble_weights": [0, 0]}, "at least one above 0"),
        ({"model": "net.ckpt", "normalization": 2}, "`normalization` must be"),
    ],
)
def test_what_is_refused(separate, fields, message):
    """With the field, and nothing written."""
    with pytest.raises(InvalidRequest, match=message) as caught:
        separate(**fields)
    assert caught.value.field in fields


def test_other_requests_know_no_more_models_than_before(models):
    """dsu-audio-separator neither lists bags nor separates with them, also after it has done so for the package."""
    engine = make_engine("dsu-audio-separator", Settings(models_dir=models, device="cpu", threads=1, offline=True))
    engine.start()
    engine.load_model(PackageLoad(model=BAG), Job())
    assert "demucs" not in engine.list_models(ListModels()).models
    with pytest.raises(UnknownModel):
        engine.load_model(AudioSeparatorLoad(model="demucs"), Job())
    with pytest.raises(UnknownModel):
        make_engine("dsu-bsroformer", engine.settings).download_model(DownloadModel(model="htdemucs"), Job())
    engine.close()


def test_the_list_is_that_of_the_package(engine):
    """Its names of models, then the user's own files, and its ensembles."""
    listed = engine.list_package_models()
    assert {(model.file, model.kind, model.name) for model in listed.models} >= {
        ("UVR-MDX-NET-Inst_HQ_3.onnx", "MDX", "MDX-Net Model: UVR-MDX-NET Inst HQ 3"),
        ("net.ckpt", "MDXC", "MDXC Model: net"),
    }
    assert listed.presets["instrumental_low_resource"].algorithm == "avg_fft"


def test_demucs_is_imported_with_the_first_such_request():
    """The start of the worker does not wait for it."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom utils.core.settings import Settings\n"
        "from utils.engine.programs import make_engine\n"
        "make_engine('dsu-audio-separator', Settings(models_dir=Path('/nothing'), device='cpu')).start()\n"
        "assert not [name for name in sys.modules if name.startswith('utils.engine.families.demucs')]"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
