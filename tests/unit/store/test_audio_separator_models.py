"""VR and MDX models: found by name, by hash, by what lies beside them, or by what a request says."""

import hashlib
import json

import msgspec
import pytest

from utils.core.errors import ConfigInvalid, ModelNotInstalled, UnknownModel
from utils.store import audio_separator_models
from utils.store.audio_separator_models import (
    WORKER,
    MdxParameters,
    ModelFields,
    VrParameters,
    list_audio_separator,
    other_stem,
    own_audio_separator,
    resolve_audio_separator,
)
from utils.store.folders import ModelFolders
from utils.store.hashes import tail_md5_of
from utils.store.registry import Registry

VR = {"vr_model_param": "4band_v3", "primary_stem": "No Echo", "nout": 48, "nout_lstm": 128}
MDX = {"mdx_n_fft_scale_set": 6144, "mdx_dim_f_set": 2048, "mdx_dim_t_set": 8, "compensate": 1.1}


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


@pytest.fixture
def folders(tmp_path):
    (tmp_path / WORKER).mkdir()
    return ModelFolders(tmp_path)


@pytest.fixture
def place(folders):
    def place(name, content=b"weights", beside=None, suffix=".json"):
        path = folders.folder(WORKER) / name
        path.write_bytes(content)
        if beside is not None:
            path.with_suffix(suffix).write_text(json.dumps(beside))
        return path

    return place


def known_as(monkeypatch, digest, fields):
    row = audio_separator_models._KnownFiles(fields=ModelFields(**fields), hashes=(digest,))
    monkeypatch.setattr(audio_separator_models, "_table", lambda: (row,))


# The table and the list in the project ------------------------------------------------------------------------------


# Public tables have a row for each of these files, but do not say which hash is whose. The bytes of the real file find it.
FOUND_BY_HASH = {
    "UVR-MDX-NET-Inst_1.onnx",
    "UVR-MDX-NET-Inst_2.onnx",
    "UVR-MDX-NET-Inst_full_292.onnx",
    "UVR-MDX-NET_Inst_82_beta.onnx",
    "UVR-MDX-NET_Inst_90_beta.onnx",
    "UVR-MDX-NET_Inst_187_beta.onnx",
    "UVR-MDX-NET_Main_340.onnx",
    "UVR-MDX-NET_Main_390.onnx",
    "UVR-MDX-NET_Main_406.onnx",
    "UVR-MDX-NET_Main_427.onnx",
    "UVR-MDX-NET_Main_438.onnx",
}
FOR_SUPPORTERS = FOUND_BY_HASH - {"UVR-MDX-NET-Inst_1.onnx", "UVR-MDX-NET-Inst_2.onnx"}


def test_every_model_of_the_list_has_its_numbers(registry, folders, place):
    """Each record's file, of whatever content, resolves to the record's stems and type."""
    for name in registry.names(WORKER):
        record = registry.get(name, WORKER)
        assert [file.name for file in record.files] == [name]
        assert bool(record.files[0].urls) == (name not in FOR_SUPPORTERS)
        assert all(url.startswith("https://") for url in record.files[0].urls)
        if name not in FOUND_BY_HASH:
            source = own_audio_separator(place(name))
            assert (source.family, source.stems) == (record.type, record.stems)


def test_there_are_rows_for_the_files_that_only_their_hash_finds():
    """Each stem has at least as many hashes without a name as there are such files."""
    nameless = [(row.fields.primary_stem, len(row.hashes)) for row in audio_separator_models._table() if not row.names]
    for stem, mark in (("Vocals", "Main"), ("Instrumental", "Inst")):
        files = [name for name in FOUND_BY_HASH if mark in name]
        assert sum(count for primary, count in nameless if primary == stem) >= len(files)


def test_other_published_names(registry, folders, tmp_path):
    """A model is found by any name that its file is published under; a file of the user's that has the name comes first."""
    alias = "UVR-DeReverb-aufr33-jarredou_4band_v4_ms_fullband.pth"
    (details,) = list_audio_separator(registry, folders, alias)
    assert details.name == "UVR-De-Reverb-aufr33-jarredou.pth"
    with pytest.raises(ModelNotInstalled, match=details.name):
        resolve_audio_separator(alias, registry=registry, folders=folders)
    own = folders.folder(WORKER) / alias
    own.write_bytes(b"mine")
    assert [entry.name for entry in list_audio_separator(registry, folders, alias)] == [alias]
    with pytest.raises(ConfigInvalid, match=alias):
        resolve_audio_separator(alias, registry=registry, folders=folders)


def test_numbers_of_public_models(place):
    """Some that are well known."""
    voc_ft = own_audio_separator(place("UVR-MDX-NET-Voc_FT.onnx"))
    assert voc_ft.parameters == MdxParameters(n_fft=7680, bins=3072, frames=256, compensation=1.021)
    assert own_audio_separator(place("UVR-DeNoise.pth")).parameters == VrParameters("4band_v3", (48, 128))
    assert own_audio_separator(place("1_HP-UVR.pth")).parameters == VrParameters("4band_44100", None)
    assert own_audio_separator(place("1_HP-UVR.pth")).stems == ("Instrumental", "Vocals")


def test_hashes_are_hashes_and_no_two_rows_claim_one():
    """The table is unambiguous."""
    hashes = [digest for row in audio_separator_models._table() for digest in row.hashes]
    assert len(set(hashes)) == len(hashes) > 70
    assert all(len(digest) == 32 and int(digest, 16) >= 0 for digest in hashes)


# Where numbers come from --------------------------------------------------------------------------------------------


def test_the_hash_is_of_the_end_of_the_file(tmp_path):
    """Of long files the last 10000 KiB count, of short ones everything."""
    short, long = tmp_path / "short", tmp_path / "long"
    short.write_bytes(b"abc")
    end = bytes(range(256)) * 40000
    long.write_bytes(b"different every time" + end)
    assert tail_md5_of(short) == hashlib.md5(b"abc").hexdigest()
    assert tail_md5_of(long) == hashlib.md5(end).hexdigest()


def test_a_renamed_file_is_known_by_its_hash(place, monkeypatch):
    """The name does not matter where the content is known."""
    path = place("renamed.pth")
    known_as(monkeypatch, tail_md5_of(path), VR)
    source = own_audio_separator(path)
    assert source.stems == ("No Echo", "Echo")
    assert source.parameters == VrParameters("4band_v3", (48, 128))


@pytest.mark.parametrize("suffix", [".json", ".onnx.json"])
def test_what_lies_beside_counts_more_than_the_table(place, monkeypatch, suffix):
    """NAME.json or NAME.onnx.json describes a model; what it says of other things is ignored."""
    path = place("mine.onnx", beside={**MDX, "primary_stem": "Bass", "is_karaoke": False}, suffix=suffix)
    known_as(monkeypatch, tail_md5_of(path), {**MDX, "primary_stem": "Drums"})
    source = own_audio_separator(path)
    assert source.stems == ("Bass", "No Bass")
    assert source.parameters == MdxParameters(n_fft=6144, bins=2048, frames=256, compensation=1.1)


def test_what_a_request_says_counts_most(place):
    """Whole descriptions replace what is known; single fields change it."""
    path = place("mine.pth", beside=VR)
    whole = own_audio_separator(path, ModelFields(vr_model_param="4band_v2", primary_stem="Vocals"))
    assert (whole.parameters, whole.stems) == (VrParameters("4band_v2", None), ("Vocals", "Instrumental"))
    part = own_audio_separator(path, ModelFields(primary_stem="Dry", secondary_stem="Wet"))
    assert (part.parameters, part.stems) == (VrParameters("4band_v3", (48, 128)), ("Dry", "Wet"))


def test_bands_may_be_written_out(place):
    """Instead of a name, a file may hold the band parameters themselves."""
    bands = {"sr": 44100, "bins": 5, "band": {}}
    assert own_audio_separator(place("mine.pth", beside={"vr_model_param": bands})).parameters == VrParameters(bands)


@pytest.mark.parametrize(("name", "wanted"), [("new.pth", "vr_model_param"), ("new.onnx", "mdx_dim_f_set")])
def test_unknown_files_say_what_to_give(place, name, wanted):
    """The hint names the fields and the file that they may stand in."""
    with pytest.raises(ConfigInvalid, match=f"`{name}` is not a known model") as caught:
        own_audio_separator(place(name))
    assert wanted in caught.value.hint
    assert "new.json" in caught.value.hint


def test_numbers_of_the_other_kind_are_none(place):
    """A VR network cannot be described as an MDX network."""
    with pytest.raises(ConfigInvalid, match="not a known model"):
        own_audio_separator(place("mine.pth", beside=MDX))


@pytest.mark.parametrize(
    "beside",
    [
        "[]",
        '{"nout": "many"}',
        '{"mdx_dim_t_set": 99}',
        "{",
        '{"nout": 1000000000}',
        '{"compensate": 1e308}',
        '{"nout": "m\udcfcny"}',
        '{"vr_model_param": {"a": ' + "[" * 3000 + "]" * 3000 + "}}",
    ],
)
def test_malformed_descriptions(place, beside):
    """The error names the file that is wrong."""
    path = place("mine.pth")
    path.with_suffix(".json").write_bytes(beside.encode(errors="surrogateescape"))
    with pytest.raises(ConfigInvalid, match=r"`mine\.json`, next to the model, is malformed"):
        own_audio_separator(path)


def test_files_that_are_no_models(place, tmp_path):
    """What is not there, and what has another suffix."""
    with pytest.raises(ModelNotInstalled, match="There is no model"):
        own_audio_separator(tmp_path / "missing.pth")
    with pytest.raises(ConfigInvalid, match="neither a VR network"):
        own_audio_separator(place("model.ckpt"))


def test_the_identifier_knows_file_and_numbers(place):
    """Models that differ in their numbers are not taken for each other."""
    path = place("mine.pth", beside=VR)
    first = own_audio_separator(path)
    assert own_audio_separator(path).identifier == first.identifier
    assert own_audio_separator(path, ModelFields(primary_stem="Dry")).identifier != first.identifier
    assert own_audio_separator(path, ModelFields(vr_model_param="4band_v2")).identifier != first.identifier


@pytest.mark.parametrize(
    ("primary", "other"),
    [
        ("Vocals", "Instrumental"),
        ("Instrumental", "Vocals"),
        ("No Reverb", "Reverb"),
        ("Noise", "No Noise"),
        ("lead_only", "backing_only"),
    ],
)
def test_the_other_stem(primary, other):
    """Known pairs, and what is with or without something."""
    assert other_stem(primary) == other


# By name ------------------------------------------------------------------------------------------------------------


def test_models_of_the_registry_by_name(registry, folders, place, monkeypatch):
    """A model that is there is found; one that is not says how to get it."""
    with pytest.raises(ModelNotInstalled, match="is not installed in"):
        resolve_audio_separator("Kim_Inst.onnx", registry=registry, folders=folders)
    path = place("Kim_Inst.onnx")
    source = resolve_audio_separator("Kim_Inst.onnx", registry=registry, folders=folders)
    assert (source.path, source.name) == (path, "Kim_Inst.onnx")
    assert source.record is registry.find("Kim_Inst.onnx", WORKER)


def test_own_models_by_name(registry, folders, place):
    """A file in the models directory is a model by its name; an unknown name names near ones."""
    place("mine.pth", beside=VR)
    source = resolve_audio_separator("mine.pth", registry=registry, folders=folders)
    assert (source.record, source.stems) == (None, ("No Echo", "Echo"))
    with pytest.raises(UnknownModel, match=r"Did you mean: mine\.pth") as caught:
        resolve_audio_separator("mien.pth", registry=registry, folders=folders)
    assert "mine.pth" in caught.value.suggestions


def test_the_list_of_models(registry, folders, place):
    """The registry's models, then the user's, which say what they lack."""
    place("mine.pth", beside=VR)
    place("strange.onnx")
    place("Kim_Inst.onnx")
    details = {entry.name: entry for entry in list_audio_separator(registry, folders)}
    assert list(details)[: len(registry.names(WORKER))] == registry.names(WORKER)
    assert list(details)[-2:] == ["mine.pth", "strange.onnx"]
    assert (details["mine.pth"].type, details["mine.pth"].stems) == ("vr", ["No Echo", "Echo"])
    assert "not a known model" in details["strange.onnx"].description
    assert details["Kim_Inst.onnx"].installed
    assert not details["Kim_Vocal_1.onnx"].installed
    assert [entry.name for entry in list_audio_separator(registry, folders, "mine.pth")] == ["mine.pth"]
    with pytest.raises(UnknownModel):
        list_audio_separator(registry, folders, "nothing.pth")


def test_no_models_directory(registry, tmp_path):
    """Before anything is installed the registry's models are listed."""
    details = list_audio_separator(registry, ModelFolders(tmp_path / "none"))
    assert [entry.name for entry in details] == registry.names(WORKER)


def test_a_broken_table(monkeypatch, tmp_path):
    """A table that cannot be read is named."""
    monkeypatch.setattr(audio_separator_models, "configs_folder", lambda: tmp_path)
    audio_separator_models._table.cache_clear()
    with pytest.raises(ConfigInvalid, match="table of known models") as caught:
        audio_separator_models._table()
    assert isinstance(caught.value.__cause__, OSError | msgspec.DecodeError)
    audio_separator_models._table.cache_clear()
