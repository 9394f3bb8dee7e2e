"""A file that is no public model: what it is, and what has to lie beside it."""

import json
import shutil

import msgspec
import pytest
import torch

from tools.fixtures.demucs import tiny_htdemucs, write_checkpoint
from tools.fixtures.networks import write_network
from utils.core.errors import ConfigInvalid, DsuError, InvalidRequest
from utils.store import own_models
from utils.store.folders import ModelFolders
from utils.store.own_models import understood
from utils.store.records import FileRecord, ModelRecord
from utils.store.registry import Registry


def public(name, config, stems, size_bytes, kind="scnet"):
    return ModelRecord(
        name=name, worker="bsroformer", type=kind, folder="bsroformer", stems=stems, description="", config=config,
        files=(FileRecord(f"{name}.ckpt", ("https://example.org/a",), size_bytes),),
    )  # fmt: skip


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """The folder of configurations, which holds those of small networks."""
    folder = tmp_path / "configs"
    monkeypatch.setattr(own_models, "configs_folder", lambda: folder)
    return folder


@pytest.fixture
def case(tmp_path, configs):
    """A checkpoint without a configuration, and public models: one with its tensors, and one that is larger."""
    same = write_network(configs / "scnet", "scnet", name="same", stems=["vocals", "other"])
    larger = write_network(configs / "scnet", "scnet", name="larger", changes={"dims": (4, 16, 16, 16)})
    checkpoint = tmp_path / "mine.ckpt"
    shutil.copy(same.checkpoint, checkpoint)
    size = checkpoint.stat().st_size
    records = [
        public("same", "scnet/same.yaml", ("vocals", "other"), size),
        public("larger", "scnet/larger.yaml", ("vocals", "other"), larger.checkpoint.stat().st_size),
        public("unfit", "scnet/larger.yaml", ("a", "b"), size),
        public("downloaded", None, ("vocals", "other"), size),
    ]
    return checkpoint, Registry(records, {})


@pytest.fixture
def folders(tmp_path):
    return ModelFolders(tmp_path / "models")


def test_a_fine_tune_has_the_configuration_of_its_base(case, folders, configs):
    """The tensors' names and shapes show which; both files go into one folder, under the name of the checkpoint."""
    checkpoint, registry = case
    found = understood(checkpoint, registry, folders)
    assert (found.name, found.type, found.stems) == ("mine", "scnet", ("vocals", "other"))
    assert found.moves == {
        checkpoint: folders.folder("bsroformer") / "mine.ckpt",
        configs / "scnet" / "same.yaml": folders.folder("bsroformer") / "mine.yaml",
    }


def test_a_configuration_beside_it_or_given_comes_first(case, folders, configs):
    """The given one before the one beside."""
    checkpoint, registry = case
    beside, given = checkpoint.with_suffix(".yml"), checkpoint.with_name("given.yaml")
    for path in (beside, given):
        shutil.copy(configs / "scnet" / "same.yaml", path)
    assert understood(checkpoint, registry, folders).config == beside
    assert understood(checkpoint, registry, folders, config=given).config == given


def test_several_kinds_with_the_same_tensors(case, folders, configs):
    """Whoever knows says what it separates."""
    checkpoint, registry = case
    write_network(configs / "scnet", "scnet", name="piano", stems=["piano", "rest"])
    size = checkpoint.stat().st_size
    registry = Registry([*registry, public("piano", "scnet/piano.yaml", ("piano", "rest"), size)], {})
    with pytest.raises(ConfigInvalid, match="several kinds") as caught:
        understood(checkpoint, registry, folders)
    assert "--like same for vocals, other; --like piano for piano, rest" in caught.value.hint
    assert understood(checkpoint, registry, folders, like="piano").stems == ("piano", "rest")


def test_what_it_is_not_like(case, folders):
    """A model with other tensors, one without a configuration here, and one that does not exist."""
    checkpoint, registry = case
    with pytest.raises(ConfigInvalid, match="no model like `larger`"):
        understood(checkpoint, registry, folders, like="larger")
    with pytest.raises(InvalidRequest, match="`downloaded` has no configuration here"):
        understood(checkpoint, registry, folders, like="downloaded")
    with pytest.raises(DsuError, match="Did you mean: same"):
        understood(checkpoint, registry, folders, like="sam")


def test_nothing_known_has_its_tensors(case, folders):
    """Then a configuration is needed."""
    checkpoint, registry = case
    with pytest.raises(ConfigInvalid, match="no public model has the same tensors") as caught:
        understood(checkpoint, Registry([registry.get("larger", "bsroformer")], {}), folders)
    assert "--config FILE.yaml" in caught.value.hint


def test_the_name_of_a_public_model_is_taken(case, folders):
    """Otherwise one would be found in place of the other."""
    checkpoint, registry = case
    renamed = checkpoint.rename(checkpoint.with_name("same.ckpt"))
    with pytest.raises(InvalidRequest, match="Rename it first"):
        understood(renamed, registry, folders)


@pytest.mark.parametrize("name", ["notes.txt", "model.onnx", "net.ckpt", "net.pth"])
def test_files_that_are_none(tmp_path, folders, name):
    """Each says what is wrong, and none is moved."""
    path = tmp_path / name
    path.write_bytes(b"anything" * 10)
    with pytest.raises(DsuError, match=name):
        understood(path, Registry([], {}), folders)


def test_a_model_with_its_numbers_beside_it(tmp_path, folders):
    """A VR or MDX model goes with the file of its numbers."""
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"a network")
    numbers = {"mdx_n_fft_scale_set": 6144, "mdx_dim_f_set": 2048, "mdx_dim_t_set": 8, "primary_stem": "Vocals"}
    path.with_suffix(".json").write_text(json.dumps(numbers), encoding="utf-8")
    found = understood(path, Registry([], {}), folders)
    assert (found.name, found.type, found.stems) == ("mine.onnx", "mdx", ("Vocals", "Instrumental"))
    assert {target.name for target in found.moves.values()} == {"mine.onnx", "mine.json"}
    assert {target.parent.name for target in found.moves.values()} == {"audio-separator"}


def test_a_network_in_a_file_with_the_ending_of_vr_models(case, folders):
    """Its tensors tell."""
    checkpoint, registry = case
    renamed = checkpoint.rename(checkpoint.with_suffix(".pth"))
    assert understood(renamed, registry, folders).type == "scnet"


def test_a_network_of_the_demucs_package(tmp_path, folders):
    """Its file says what it is; it is called like the file, without the checksum."""
    path = write_checkpoint(tmp_path, "cafe0001", tiny_htdemucs)
    found = understood(path, Registry([], {}), folders)
    assert (found.name, found.type, found.stems) == ("cafe0001", "demucs", ("drums", "bass", "other", "vocals"))
    assert found.moves == {path: folders.folder("demucs") / path.name}


def test_a_network_of_ours_may_have_the_ending_of_demucs(case, folders):
    """Only what the file holds counts."""
    checkpoint, registry = case
    assert understood(checkpoint.rename(checkpoint.with_suffix(".th")), registry, folders).type == "scnet"


def test_a_checkpoint_that_would_run_code(tmp_path, folders):
    """It is refused as everywhere."""
    path = tmp_path / "evil.ckpt"
    torch.save({"x": msgspec.Struct}, path)
    with pytest.raises(DsuError, match=r"evil\.ckpt"):
        understood(path, Registry([], {}), folders)
