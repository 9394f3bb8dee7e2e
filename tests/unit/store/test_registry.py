"""The registry: how it is read, and whether its facts hold together."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path, PurePosixPath
from typing import get_args

import msgspec
import pytest

from models.architectures import OWN
from utils.core.catalogue import PURPOSES, Purpose
from utils.core.errors import ConfigInvalid, UnknownModel
from utils.store.folders import ModelFolders, configs_folder, embedded_folder
from utils.store.package_catalogue import presets, record_of
from utils.store.registry import Registry

WORKERS = ["demucs", "bsroformer"]
SUPPLIED_BY_USERS = {"logic_roformer", "bsrofo_sw", "bandit_v2_multi"}
OF_UNKNOWN_SIZE = {
    "logic_roformer",
    "scnet_tran_small",
    "scnet_masked_small",
    "scnet_masked_xl_ihf",
    "polarformer_vocals",
    "bsconformer_4stem",
    "mel_4stem_exp_ep168",
    "apollo_edm_big",
    "apollo_vocal_msst_full",
    "bandit_v2_multi",
    *("demucs_v1_light_extra", "tasnet_extra", "tasnet_v1_extra"),
}
FOR_SUPPORTERS = {"mdx23c_instvoc_hq_2", "mdx23c_d1581"}  # of UVR, who have them already
BUILT_IN = "dsu_mini"
PUBLIC = ["htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi", "mdx", "mdx_extra", "mdx_q", "mdx_extra_q"]


# The names that clients of the network worker know, in their order.
PUBLIC_NETWORKS = [
    "scnet_xl_ihf",
    "bsroformer_4stem",
    "aname_4stem_large",
    "logic_roformer",
    "bsrofo_sw",
    "vocals_melband",
    "vocals_bsroformer_viperx",
    "vocals_mdx23c",
    "resurrection_vocals",
    "revive2_vocals",
    "revive3e_vocals",
    "resurrection_inst",
    "gabox_inst_fv7z",
    "gabox_inst_fv8",
    "gabox_inst_fv4",
    "inst_v1e_plus",
    "karaoke_becruily",
    "karaoke_aufr33",
    "denoise",
    "dereverb",
    "drumsep_mdx23c_aufr33",
    "drumsep_mdx23c_jarredou",
    "guitar_becruily",
    "aspiration",
    "apollo",
    "chorus_male_female",
    "bleed_suppressor",
    "crowd",
    "denoise_debleed",
]


@pytest.fixture(scope="module")
def registry():
    return Registry.load()


@pytest.fixture
def document():
    file = {"name": "a-00000000.th", "urls": ["https://example.org/a"], "size_bytes": 5, "sha256": "0" * 64}
    model = {
        "name": "one",
        "worker": "demucs",
        "type": "demucs",
        "folder": "demucs",
        "stems": ["drums", "vocals"],
        "description": "A model.",
        "bag": {"members": ["a", "b", "a"], "weights": None, "segment_s": 8},
    }
    return {"files": {"a": file, "b": {**file, "name": "b.th"}}, "models": [model]}


@pytest.fixture
def load(tmp_path):
    def load(document):
        path = tmp_path / "models.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return Registry.load(path)

    return load


# The file in the project -------------------------------------------------------------------------------------------


def test_default_model_and_public_ones_come_first(registry):
    """Names are in the registry's order, the default model first."""
    assert registry.names("demucs")[: len(PUBLIC)] == PUBLIC
    assert registry.names("bsroformer")[: len(PUBLIC_NETWORKS)] == PUBLIC_NETWORKS
    assert registry.names("no_such_worker") == []


@pytest.mark.parametrize("worker", WORKERS)
def test_every_record_can_be_got(registry, worker):
    """Every name and every signature has a record with its own name."""
    for name in [*registry.names(worker), *registry.signatures(worker)]:
        assert registry.get(name, worker).name == name


@pytest.mark.parametrize("path", sorted((configs_folder() / "models").glob("*.json")), ids=lambda path: path.stem)
def test_each_type_has_a_list_of_its_own(path):
    """The list called after a type of network says so at its top, and its models leave it to that."""
    document = msgspec.json.decode(path.read_bytes())
    assert document["type"] == path.stem
    for model in document["models"]:
        assert not {"type", "worker", "folder", "recommended"} & model.keys(), model["name"]


def test_files_are_published_securely_and_can_be_checked(registry):
    """Every address is https and every demucs file has a whole SHA-256, which its name agrees with."""
    for name in registry.names("demucs"):
        for file in registry.get(name, "demucs").files:
            assert file.urls
            assert all(url.startswith("https://") for url in file.urls)
            assert re.fullmatch("[0-9a-f]{64}", file.sha256)
            prefix = re.fullmatch(r".+-([0-9a-f]{8})\.th", file.name)
            assert prefix is None or file.sha256.startswith(prefix[1])


def test_bags_fit_their_files_and_stems(registry):
    """A bag's files carry its members' signatures, its weights are rows of members and columns of stems."""
    for name in registry.names("demucs"):
        record = registry.get(name, "demucs")
        for signature, file in record.files_by_signature().items():
            assert file.name.startswith(signature)
        if record.bag.weights is not None:
            assert len(record.bag.weights) == len(record.bag.members)
            assert {len(row) for row in record.bag.weights} == {len(record.stems)}
            assert all(sum(column) > 0 for column in zip(*record.bag.weights, strict=True))


def test_networks_are_one_checkpoint_each_published_securely(registry):
    """A network's files have https addresses, except where its user must have them already."""
    for name in registry.names("bsroformer"):
        record = registry.get(name, "bsroformer")
        (file,) = record.checkpoints
        assert record.downloadable == bool(file.urls) == (name not in SUPPLIED_BY_USERS | FOR_SUPPORTERS | {BUILT_IN})
        for each in record.files:
            assert len(set(each.urls)) == len(each.urls)
            assert all(url.startswith("https://") for url in each.urls)
        assert file.size_bytes is not None or name in OF_UNKNOWN_SIZE
        assert record.folder == ("apollo" if record.type == "apollo" else "bsroformer")


def test_a_network_has_one_configuration(registry):
    """It is in the project, or is downloaded beside the checkpoint; then both are called like the model."""
    for name in registry.names("bsroformer"):
        record = registry.get(name, "bsroformer")
        assert record.type in OWN, name
        assert (record.config is None) == (record.own_config is not None), name
        if record.own_config is not None:
            assert record.own_config.name == f"{name}.yaml"
            assert [PurePosixPath(file.name).stem for file in record.checkpoints] == [name]


def test_every_model_says_what_it_is_good_for(registry):
    """No purpose is named twice, and each is one of the vocabulary, of which none is unused."""
    assert set(PURPOSES) == set(get_args(Purpose))
    for record in registry:
        assert record.purposes, record.name
        assert len(set(record.purposes)) == len(record.purposes), record.name
    assert {purpose for record in registry for purpose in record.purposes} == set(PURPOSES)


def test_recommendations_are_for_what_a_model_can_do(registry):
    """A recommended model has the purpose and can be downloaded; each purpose has one, and a fast one is not slow."""
    recommended = [record for record in registry if record.recommended]
    for record in recommended:
        assert set(record.recommended) <= set(record.purposes), record.name
        assert record.downloadable, record.name
        assert not ("fast" in record.recommended.values() and record.speed == "slow"), record.name
    assert {purpose for record in recommended for purpose in record.recommended} == set(PURPOSES)


def test_every_stated_licence_says_whether_it_allows_commercial_use(registry):
    """A licence that is not stated says nothing."""
    for record in registry:
        assert (record.license is None) == (record.commercial_use is None), record.name


def test_scores_are_of_known_sets_and_have_sources(registry):
    """A score says what it was measured on and who publishes it; so do bleedless and fullness."""
    for record in registry:
        assert (record.sdr is None) == (record.sdr_on is None) == (record.sdr_source is None), record.name
        assert (record.bleedless is None and record.fullness is None) == (record.bleedless_source is None), record.name


def test_members_of_all_ensembles_are_there():
    """Each ensemble of the audio-separator package has models of ours, and each of them an address."""
    for preset in presets().values():
        for file in preset.models:
            record = record_of(file)
            assert record is not None, file
            assert record.downloadable, file


def test_the_built_in_model_is_the_one_in_the_list(registry, tmp_path):
    """Its file comes with the project, as large and with the bytes that the list says, and needs no models directory."""
    record = registry.get(BUILT_IN, "bsroformer")
    (file,) = record.files
    path = ModelFolders(tmp_path).find(record, file)
    assert path == embedded_folder() / file.name
    assert path.stat().st_size == file.size_bytes <= 8_000_000
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def test_networks_do_not_share_file_names(registry):
    """No checkpoint of one network can be taken for another's."""
    files = [file.name for name in registry.names("bsroformer") for file in registry.get(name, "bsroformer").files]
    assert sorted(files) == sorted(set(files))


def test_every_network_configuration_belongs_to_a_record(registry):
    """The configurations in the project are those that the records name, each in the folder of its type."""
    records = [registry.get(name, "bsroformer") for name in registry.names("bsroformer")]
    named = {record.config for record in records if record.config is not None}
    assert all(record.config.partition("/")[0] == record.type for record in records if record.config in named)
    folders = {name.partition("/")[0] for name in named}
    assert named == {f"{kind}/{path.name}" for kind in folders for path in (configs_folder() / kind).iterdir()}
    assert folders <= set(OWN)


@pytest.mark.parametrize("worker", WORKERS)
def test_numbers_and_licences_have_sources(registry, worker):
    """A published score or a licence is never without whoever states it."""
    for name in registry.names(worker):
        record = registry.get(name, worker)
        assert (record.sdr is None) == (record.sdr_source is None)
        assert (record.license is None) == (record.license_source is None)


def test_quantised_bags_say_what_they_need(registry):
    """Quantised models, and their members, name the package that decodes them."""
    needing = [name for name in registry.names("demucs") if registry.get(name, "demucs").requires]
    assert needing == ["mdx_q", "mdx_extra_q"]
    assert registry.get("6b9c2ca1", "demucs").requires == ("diffq",)


def test_single_member_by_signature(registry):
    """A signature gives one network with the stems of its bag, and none of the bag's numbers."""
    record = registry.get("f7e0c4bc", "demucs")
    assert [file.name for file in record.files] == ["f7e0c4bc-ba3fe64a.th"]
    assert (record.bag.members, record.bag.weights, record.bag.segment_s) == (("f7e0c4bc",), None, None)
    assert record.stems == registry.get("htdemucs_ft", "demucs").stems
    assert record.sdr is None
    assert "f7e0c4bc" not in registry.names("demucs")


def test_unknown_model_names_the_nearest(registry):
    """A misspelt name is answered with what was probably meant, and with how to see all."""
    with pytest.raises(UnknownModel, match="Did you mean: htdemucs") as caught:
        registry.get("htdemuc", "demucs")
    assert caught.value.suggestions[0] == "htdemucs"
    assert "list_models" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "worker", "owner"),
    [
        ("htdemucs", "bsroformer", "demucs"),
        ("955717e8", "audiosep", "demucs"),
        ("apollo", "demucs", "bsroformer"),
        ("UVR-DeNoise.pth", "bsroformer", "audio-separator"),
        ("htdemucs_ft.yaml", "bsroformer", "demucs"),
    ],
)
def test_a_model_of_another_program_is_told_as_such(registry, name, worker, owner):
    """It is no misspelling."""
    with pytest.raises(UnknownModel, match=f"it belongs to dsu-{owner}") as caught:
        registry.get(name, worker)
    assert f"Use dsu-{owner}, or dsu" in caught.value.hint


def test_size_of_a_model(registry):
    """The size is that of all files together, and unknown where one is."""
    assert registry.get("htdemucs_ft", "demucs").size_bytes == 336_565_084
    assert registry.get("repro_mdx_a_time_only", "demucs").size_bytes == 535_204_242
    assert registry.get("mdx", "demucs").size_bytes is None


def test_configs_are_found_beside_a_frozen_program(tmp_path, monkeypatch):
    """A frozen program reads the registry from the folder beside it."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "dsu-demucs"))
    assert configs_folder() == tmp_path / "configs"


def test_names_of_the_audio_separator_catalogue(registry):
    """Each name that audio-separator has for a model is the name of one of ours, or an alias."""
    workers = ("bsroformer", "demucs", "audio-separator")
    catalogue = json.loads((Path(__file__).parents[2] / "compat" / "audio_separator_catalogue.json").read_bytes())
    found = {
        name: [record.name for worker in workers if (record := registry.find(name, worker)) is not None]
        for name in catalogue
    }
    assert found == {name: [model] for name, model in catalogue.items()}


def test_what_models_have_in_common_is_written_once(load, document):
    """At the top of their list; a model may say otherwise."""
    facts = {"worker": "demucs", "type": "demucs", "folder": "demucs"}
    one = {name: value for name, value in document["models"][0].items() if name not in facts}
    registry = load({**document, **facts, "models": [one, {**one, "name": "two", "type": "other"}]})
    assert [registry.get(name, "demucs").type for name in ("one", "two")] == ["demucs", "other"]
    assert registry.get("two", "demucs").folder == "demucs"


@pytest.mark.parametrize(
    ("kind", "size_bytes", "speed"),
    [
        ("mdx", 900_000_000, "fast"),
        ("scnet", 42_000_000, "fast"),
        ("scnet", 200_000_000, "medium"),
        ("bs_roformer", 700_000_000, "slow"),
        ("bs_roformer", None, "medium"),
    ],
)
def test_speed_is_estimated_by_kind_and_size(load, document, kind, size_bytes, speed):
    """A network of unknown size is in the middle."""
    del document["models"][0]["bag"]
    document["models"][0] |= {"type": kind, "files": [{"name": "net.ckpt", "urls": [], "size_bytes": size_bytes}]}
    assert load(document).get("one", "demucs").speed == speed


def test_a_configuration_beside_a_checkpoint_is_no_part_of_its_size(load, document):
    """And no name of its means the model."""
    del document["models"][0]["bag"]
    files = [{"name": "net.ckpt", "urls": [], "size_bytes": 5}, {"name": "net.yaml", "urls": ["https://x.org/c.yaml"]}]
    document["models"][0] |= {"files": files, "also": ["elsewhere", "one"]}
    record = load(document).get("one", "demucs")
    assert (record.size_bytes, record.own_config.name) == (5, "net.yaml")
    assert record.aliases == ["net.ckpt", "one.ckpt", "elsewhere"]
    assert record.other_names(record.own_config) == ["c.yaml"]


def test_a_name_goes_before_an_alias(load, document):
    """A model is found by what its files are called, unless another model has that name, or had it first."""
    file = {"name": "net.ckpt", "urls": ["https://example.org/a/published%20net.ckpt?download=true"], "size_bytes": 5}
    second = {**file, "name": "second.ckpt"}
    for name, files in (("one.yaml", [file]), ("two", [second])):
        document["models"].append({**document["models"][0], "name": name, "files": files})
        del document["models"][-1]["bag"]
    registry = load(document)
    assert registry.get("one", "demucs").aliases == ["one.yaml"]
    assert registry.get("one.yaml", "demucs").name == "one.yaml"
    assert registry.get("two", "demucs").aliases == ["second.ckpt", "published net.ckpt", "two.ckpt"]
    assert registry.get("second.ckpt", "demucs").name == "two"
    assert registry.get("published net.ckpt", "demucs").name == "one.yaml"


# Reading -----------------------------------------------------------------------------------------------------------


def test_shared_files_and_repeated_members(load, document):
    """A member that appears twice is one file."""
    record = load(document).get("one", "demucs")
    assert [file.name for file in record.files] == ["a-00000000.th", "b.th"]
    assert record.bag.members == ("a", "b", "a")


def test_files_without_a_bag(load, document):
    """A model that is no bag names its files by key or writes them out."""
    del document["models"][0]["bag"]
    document["models"][0]["files"] = ["a", {"name": "config.yaml", "urls": []}]
    record = load(document).get("one", "demucs")
    assert [file.name for file in record.files] == ["a-00000000.th", "config.yaml"]
    assert record.files_by_signature() == {}


def set_model(**fields):
    return lambda document: document["models"][0].update(fields)


def set_file(**fields):
    return lambda document: document["files"]["a"].update(fields)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_model(stems="drums"), r"models\[0\]"),
        (set_model(stems=[]), r"stems"),
        (set_model(lisence="MIT"), "lisence"),
        (set_model(name="../one"), "plain name"),
        (set_model(folder="../demucs"), "plain name"),
        (set_model(config="../one.yaml"), "plain name"),
        (set_model(files=["a"]), "must not have `files`"),
        (set_model(bag={"members": ["c"]}), "no `c`"),
        (set_model(bag={"members": []}), "bag"),
        (set_model(bag={"members": ["a"], "weights": [[1.0]]}), "1 rows of 2"),
        (set_model(bag={"members": ["a"], "weights": [[1, 1], [1, 1]]}), "1 rows of 2"),
        (set_model(bag={"members": ["a"], "segment_s": 0}), "segment_s"),
        (set_file(sha256="abc"), r"sha256.*files\.a"),
        (set_file(size_bytes="5"), "size_bytes"),
        (set_file(name="b/../../a.th"), "plain name"),
        (lambda document: document["models"].append(document["models"][0]), "twice"),
        (lambda document: document.pop("files"), "files"),
    ],
)
def test_malformed_registry_names_file_and_place(load, document, change, said):
    """What is wrong in the file is said with where it is."""
    load(document)
    change(document)
    with pytest.raises(ConfigInvalid, match=said) as caught:
        load(document)
    assert "models.json" in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {}, "models": 1}'])
def test_registry_that_is_not_one(load, text):
    """Other JSON, or none, is a malformed registry."""
    with pytest.raises(ConfigInvalid, match="malformed"):
        load(text)


def test_missing_registry(tmp_path):
    """A registry that is not there is an error that names the path."""
    with pytest.raises(ConfigInvalid, match=r"none\.json"):
        Registry.load(tmp_path / "none.json")


def test_several_lists_make_one_registry(tmp_path, document):
    """Models of several lists are found together, each with the files of its own list."""
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    other = {**document["models"][0], "name": "two", "worker": "other"}
    for path, models in zip(paths, [document["models"], [other]], strict=True):
        path.write_text(json.dumps({**document, "models": models}), encoding="utf-8")
    registry = Registry.load(*paths)
    assert (registry.names("demucs"), registry.names("other")) == (["one"], ["two"])
    assert registry.get("b", "other").files[0].name == "b.th"


@pytest.fixture
def choose(tmp_path, monkeypatch, document):
    """Writes a list of two models and a table of recommendations; loads both as the program's own."""

    def choose(text):
        folder = tmp_path / "configs"
        (folder / "models").mkdir(parents=True)
        second = {**document["models"][0], "name": "two"}
        document["models"].append(second)
        (folder / "models" / "demucs.json").write_text(json.dumps(document), encoding="utf-8")
        if text is not None:
            (folder / "choosing.json").write_text(text, encoding="utf-8")
        monkeypatch.setattr("utils.store.registry.configs_folder", lambda: folder)
        return Registry.load()

    return choose


def test_recommended_models_and_those_that_come_first(choose):
    """As the table has them; all others keep their order. A member of a bag is not recommended for its bag's merits."""
    registry = choose(
        '{"first": {"demucs": ["two"]}, "recommended": {"drums": {"good": "two"}, "bass": {"best": "two"}}}'
    )
    assert registry.names("demucs") == ["two", "one"]
    assert registry.get("two", "demucs").recommended == {"drums": "good", "bass": "best"}
    assert registry.get("one", "demucs").recommended == registry.get("a", "demucs").recommended == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("{", "malformed"),
        ('{"first": {}}', "recommended"),
        ('{"first": {"demucs": ["three"]}, "recommended": {}}', "no list has: `three`"),
        ('{"first": {}, "recommended": {"drums": {"good": "four"}}}', "no list has: `four`"),
        ('{"first": {}, "recommended": {"dancing": {"good": "one"}}}', "dancing"),
        ('{"first": {}, "recommended": {"drums": {"perfect": "one"}}}', "perfect"),
    ],
)
def test_a_wrong_table_of_recommendations(choose, text, said):
    """The error names the file."""
    with pytest.raises(ConfigInvalid, match=said) as caught:
        choose(text)
    assert "choosing.json" in caught.value.message


def test_installation_without_lists(tmp_path, monkeypatch):
    """A program without its lists says which folder it misses."""
    monkeypatch.setattr("utils.store.registry.configs_folder", lambda: tmp_path / "configs")
    with pytest.raises(ConfigInvalid, match="no list of models") as caught:
        Registry.load()
    assert str(tmp_path / "configs" / "models") in caught.value.message


def test_example_settings_are_valid_json():
    """The example of the settings file has the documented fields."""
    example = msgspec.json.decode((configs_folder() / "dsu_config.example.json").read_bytes())
    assert set(example) == {"models_dir", "device", "threads", "max_cached_models", "offline"}
