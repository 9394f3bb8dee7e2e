"""The parts of a network that is asked in words: those that a request names, and those of the models directory."""

from pathlib import Path

import pytest

from utils.core.catalogue import DEFAULT_AUDIOSEP
from utils.core.errors import ConfigInvalid, ModelNotInstalled, UnknownModel
from utils.store.audiosep_models import (
    SIZES,
    TOKENIZER,
    VOCABULARY,
    WORKER,
    NamedParts,
    list_audiosep,
    resolve_audiosep,
)
from utils.store.folders import ModelFolders, configs_folder
from utils.store.network_config import read_plain
from utils.store.records import FileRecord, ModelRecord
from utils.store.registry import Registry

NETWORK, CLAP = "net.ckpt", "clap.pt"
RECORD = ModelRecord(
    name=DEFAULT_AUDIOSEP,
    worker=WORKER,
    type="audiosep",
    folder="audiosep",
    stems=("query",),
    description="A model.",
    config="audiosep/audiosep_base.yaml",
    files=(
        FileRecord(NETWORK, ("https://example.org/net.ckpt",), 3),
        FileRecord(CLAP, ("https://example.org/clap.pt",), 3),
        *(FileRecord(name, (f"https://example.org/{name}",), folder="roberta") for name in (SIZES, *VOCABULARY)),
    ),
)


@pytest.fixture
def folders(tmp_path):
    return ModelFolders(tmp_path / "models")


@pytest.fixture
def installed(folders):
    """All files of the public model, below the models directory."""
    return put(folders.folder("audiosep"))


def put(folder):
    for file in RECORD.files:
        path = file.below(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"abc")
    return folder


def resolve(folders, **named):
    return resolve_audiosep(NamedParts(**named), registry=Registry([RECORD], {}), folders=folders)


def test_the_public_model_is_found_in_the_models_directory(folders, installed):
    """Each part in its place, under the model's name."""
    source = resolve(folders)
    assert (source.name, source.record, source.stems) == (DEFAULT_AUDIOSEP, RECORD, ("query",))
    assert (source.checkpoint, source.clap, source.roberta) == (
        installed / NETWORK,
        installed / CLAP,
        installed / "roberta",
    )
    assert source.config == configs_folder() / "audiosep" / "audiosep_base.yaml"
    assert source == resolve(folders, model=DEFAULT_AUDIOSEP)


def test_files_may_lie_in_the_models_directory_itself(folders):
    """As with every model."""
    put(folders.models_dir)
    assert resolve(folders).roberta == folders.models_dir / "roberta"


@pytest.mark.parametrize(("part", "name"), [("checkpoint", NETWORK), ("clap", CLAP), ("roberta", "roberta")])
def test_each_part_may_be_the_user_s(folders, installed, tmp_path, part, name):
    """The others stay the public ones; a network of one's own goes by its file's name."""
    mine = put(tmp_path / "mine") / name
    source = resolve(folders, **{part: mine})
    assert getattr(source, part) == mine
    assert (source.name, source.record) == ("net" if part == "checkpoint" else DEFAULT_AUDIOSEP, None)
    assert [other for other in ("checkpoint", "clap", "roberta") if installed in getattr(source, other).parents] == [
        other for other in ("checkpoint", "clap", "roberta") if other != part
    ]


def test_with_all_parts_of_ones_own_nothing_else_is_needed(folders, tmp_path):
    """The models directory need not exist."""
    mine = put(tmp_path / "mine")
    (mine / "net.yaml").write_text("model: {}")
    source = resolve(
        folders, config=mine / "net.yaml", checkpoint=mine / NETWORK, clap=mine / CLAP, roberta=mine / "roberta"
    )
    assert set(source.files) == {mine / "net.yaml", *(file.below(mine) for file in RECORD.files)}


def test_what_is_missing_is_said_with_how_to_get_it(folders, installed):
    """Only what is missing, where it belongs, and the command that fetches it."""
    (installed / CLAP).unlink()
    (installed / "roberta" / SIZES).unlink()
    with pytest.raises(ModelNotInstalled) as caught:
        resolve(folders)
    assert "`clap.pt` is missing" in caught.value.message
    assert "`roberta/config.json` is missing" in caught.value.message
    assert NETWORK not in caught.value.message
    assert caught.value.hint == f'Send {{"cmd":"download_model","model":"{DEFAULT_AUDIOSEP}"}} to fetch it.'


@pytest.mark.parametrize(("part", "field"), [("checkpoint", "checkpoint_path"), ("clap", "clap_checkpoint_path")])
def test_a_file_that_is_named_must_be_there(folders, installed, tmp_path, part, field):
    """The error is about the field, whatever lies in the models directory."""
    with pytest.raises(ModelNotInstalled, match="There is no file") as caught:
        resolve(folders, **{part: tmp_path / "none"})
    assert caught.value.field == field
    assert f"`{field}`" in caught.value.hint


def test_a_configuration_that_is_named_must_be_there(folders, installed, tmp_path):
    """As an error about the configuration."""
    with pytest.raises(ConfigInvalid, match="There is no configuration") as caught:
        resolve(folders, config=tmp_path / "none.yaml")
    assert caught.value.field == "config_path"


def test_the_folder_of_roberta_must_hold_what_is_read(folders, installed, tmp_path):
    """The sizes, and the tokens in one form or the other; the weights are CLAP's."""
    mine = put(tmp_path / "mine") / "roberta"
    for name in VOCABULARY:
        (mine / name).unlink()
    with pytest.raises(ModelNotInstalled, match=r"lacks `vocab\.json`, `merges\.txt` of roberta-base") as caught:
        resolve(folders, roberta=mine)
    assert caught.value.field == "roberta_dir"
    (mine / TOKENIZER).touch()
    assert mine / TOKENIZER in resolve(folders, roberta=mine).files
    with pytest.raises(ModelNotInstalled, match=r"config\.json"):
        resolve(folders, roberta=tmp_path / "none")


def test_an_unknown_model_is_an_error(folders):
    """With the nearest one there is."""
    for ask in (
        lambda: resolve(folders, model="audiosep_bass"),
        lambda: list_audiosep(REGISTRY, folders, "audiosep_bass"),
    ):
        with pytest.raises(UnknownModel, match=f"Did you mean: {DEFAULT_AUDIOSEP}"):
            ask()


REGISTRY = Registry.load()


def test_the_list_says_what_is_installed(folders, installed):
    """Of the public model by its files."""
    ours = Registry([RECORD], {})
    assert [entry.installed for entry in list_audiosep(ours, folders)] == [True]
    (installed / NETWORK).write_bytes(b"too long")
    assert [entry.installed for entry in list_audiosep(ours, folders, DEFAULT_AUDIOSEP)] == [False]


def test_the_public_record_has_three_parts_that_can_be_checked():
    """The network and CLAP with size and hash, RoBERTa's small files in a folder of their own, all over https."""
    record = REGISTRY.get(DEFAULT_AUDIOSEP, WORKER)
    network, clap, *roberta = record.files
    assert all(file.size_bytes and file.sha256 and file.folder is None for file in (network, clap))
    assert [file.place for file in roberta] == [f"roberta-base/{name}" for name in (SIZES, *VOCABULARY)]
    assert all(url.startswith("https://") for file in record.files for url in file.urls)
    assert Path(record.config).name == f"{DEFAULT_AUDIOSEP}.yaml"
    assert read_plain(configs_folder() / record.config)["data"]["sampling_rate"] == 32000


@pytest.mark.parametrize("folder", ["../out", "/out", "a//b", ""])
def test_a_file_s_folder_stays_below_its_model(folder):
    """A record cannot lead out of it."""
    with pytest.raises(ValueError, match="plain name"):
        FileRecord("a.json", (), folder=folder)
