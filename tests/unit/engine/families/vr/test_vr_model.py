"""VR networks from files: valid and invalid ones, and their properties."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from networks import agreement_db, noise, with_unit_gain
from vr_case import loaded, numbers

from tools.fixtures.audio_separator import make_vr, random_weights
from utils.core.errors import CheckpointInvalid, CheckpointMismatch, CheckpointUnsafe, ConfigInvalid, ModelNotInstalled
from utils.device import computing
from utils.engine.backends.torch import copied
from utils.engine.families.vr import package
from utils.engine.families.vr.bands import read_layout
from utils.engine.families.vr.model import load_vr
from utils.engine.families.vr.package import band_parameters, build_vr, vr_kind
from utils.store.audio_separator_models import WORKER, ModelFields, own_audio_separator
from utils.store.checkpoints import assign
from utils.store.registry import Registry

ROOT = Path(__file__).resolve().parents[5]


def test_what_a_model_says(modern):
    """A model has its stems, sample rate and size, and is named after its file."""
    model = loaded(modern)
    assert (model.source.name, model.stems) == ("modern.pth", ("Vocals", "Instrumental"))
    assert (model.sample_rate, model.channels) == (44100, 2)
    assert 0.9 < model.size_bytes() / modern.checkpoint.stat().st_size < 1
    model.move("cpu")
    assert model.spectra.device == "cpu"


def test_generations(modern, old):
    """A capacity means version 5.1, which needs half as much context."""
    assert (loaded(modern).layout.modern, loaded(modern).offset) == (True, 64)
    assert (loaded(old).layout.modern, loaded(old).offset) == (False, 128)


def test_half_precision_files(modern, tmp_path):
    """Weights are converted to single precision."""
    path = tmp_path / "half.pth"
    state = torch.load(modern.checkpoint)
    torch.save({key: value.half() if value.is_floating_point() else value for key, value in state.items()}, path)
    model = load_vr(own_audio_separator(path, ModelFields(**numbers(modern))), device="cpu")
    assert {parameter.dtype for parameter in model.backend._net.parameters()} == {torch.float32}


def test_bands_of_another_model(modern):
    """The error names weights that do not fit the network."""
    fields = ModelFields(**numbers(modern) | {"vr_model_param": "4band_v3"})
    with pytest.raises(CheckpointMismatch, match="lstm"):
        load_vr(own_audio_separator(modern.checkpoint, fields), device="cpu")


def test_a_network_of_the_wrong_generation(modern):
    """Without its capacity, a network of version 5.1 is mistaken for an older one, and does not fit."""
    fields = ModelFields(vr_model_param="1band_sr44100_hl512_nf1024", primary_stem="Vocals")
    with pytest.raises(CheckpointMismatch, match="missing keys"):
        load_vr(own_audio_separator(modern.checkpoint, fields), device="cpu")


def test_an_mdx_network_is_no_vr_network(mdx):
    """Parameters of an MDX network are refused for a VR network."""
    with pytest.raises(CheckpointMismatch):
        load_vr(own_audio_separator(mdx.checkpoint), device="cpu")


def test_a_damaged_file(modern, tmp_path):
    """Half a file is an error that names it."""
    path = tmp_path / "cut.pth"
    path.write_bytes(modern.checkpoint.read_bytes()[:5000])
    shutil.copy(modern.numbers, tmp_path / "cut.json")
    with pytest.raises(CheckpointInvalid, match=r"cut\.pth"):
        load_vr(own_audio_separator(path), device="cpu")


class Harmful:
    """A pickle that would run code."""

    def __reduce__(self):
        return (print, ("harm",))


def test_code_in_a_file_is_not_run(modern, tmp_path, capsys):
    """Only weights are allowed; the error names anything else."""
    torch.save({"weights": Harmful()}, tmp_path / "harm.pth")
    shutil.copy(modern.numbers, tmp_path / "harm.json")
    with pytest.raises(CheckpointUnsafe, match="print"):
        load_vr(own_audio_separator(tmp_path / "harm.pth"), device="cpu")
    assert capsys.readouterr().out == ""


def test_unknown_bands(tmp_path):
    """The error names the unknown parameters and lists the known ones."""
    files = make_vr(tmp_path, "mine")
    with pytest.raises(ConfigInvalid, match="no band parameters `5band`"):
        load_vr(own_audio_separator(files.checkpoint, ModelFields(vr_model_param="5band")), device="cpu")


def test_the_package_is_missing(monkeypatch):
    """The error says what to install."""
    monkeypatch.setattr(package, "PACKAGE", "no_such_package")
    package._folder.cache_clear()
    with pytest.raises(ModelNotInstalled, match="audio-separator") as caught:
        package._folder()
    assert "--no-deps" in caught.value.hint
    package._folder.cache_clear()


def test_networks_come_without_the_program():
    """Building both generations imports none of the package's dependencies, and leaves no trace of the package."""
    code = (
        "import sys; from utils.engine.families.vr.package import build_vr, vr_kind\n"
        "build_vr(vr_kind(1000, None), 64); build_vr(vr_kind(1000, (8, 16)), 64)\n"
        "unwanted = {'librosa', 'scipy', 'onnx', 'torchvision', 'pydub', 'audio_separator', 'sklearn', 'numba'}\n"
        "print(sorted(unwanted & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def sized_records():
    registry = Registry.load()
    records = [registry.get(name, WORKER) for name in registry.names(WORKER)]
    return [record for record in records if record.type == "vr" and record.size_bytes]


@pytest.mark.parametrize("record", sized_records(), ids=lambda record: record.name)
def test_public_files_are_as_large_as_their_networks(record, tmp_path):
    """The network identified by the size and parameters of a public file has as many weights as fit into that file."""
    path = tmp_path / record.name
    path.write_bytes(b"")
    parameters = own_audio_separator(path).parameters
    kind = vr_kind(record.size_bytes, parameters.capacity)
    layout = read_layout(band_parameters(parameters.bands), parameters.bands, modern=kind.modern)
    net = build_vr(kind, layout.bins)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in net.state_dict().values())
    assert weights == pytest.approx(record.size_bytes, rel=0.02)


def test_weights_that_a_network_uses_twice(tmp_path):
    """The largest networks of the first generation contain one layer under two names."""
    net = build_vr(vr_kind(1024 * 33966, None), 64)
    assign(net, random_weights(net, 0), path=tmp_path / "net.pth")
    twice = net.stg3_full_band_net.aspp
    assert twice.conv6 is twice.conv7
    with torch.inference_mode():
        assert net.eval().predict_mask(torch.rand(1, 2, 65, 288)).shape == (1, 2, 65, 32)


@pytest.mark.parametrize("generation", ["modern", "old"])
def test_half_precision_stays_close_to_single(generation, request):
    """With weights that keep levels, the masks of both generations differ by less than a stem can show."""
    model = loaded(request.getfixturevalue(generation))
    net = with_unit_gain(model.backend._net)
    magnitude = 10 * noise(1, 2, model.layout.bins + 1, 288).abs()
    with torch.inference_mode():
        exact = net.predict_mask(magnitude)
        with computing("cpu", "bf16"):
            rough = copied(net, "cpu", torch.bfloat16).predict_mask(magnitude)
    assert 35 < agreement_db(rough.float(), exact) < 100
