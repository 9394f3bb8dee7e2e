"""Demucs models found by name, in the registry and in folders."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import pytest
from msgspec import UNSET

from utils.core.errors import ChecksumMismatch, ConfigInvalid, ModelNotInstalled, UnknownModel
from utils.store.demucs_models import DemucsSource, LocalRepo, list_demucs, resolve_demucs
from utils.store.folders import ModelFolders
from utils.store.records import Bag, FileRecord, ModelRecord
from utils.store.registry import Registry


def file_record(signature, content, *, sized=True):
    digest = hashlib.sha256(content).hexdigest()
    name = f"{signature}-{digest[:8]}.th"
    return FileRecord(name, (f"https://example.org/{signature}",), len(content) if sized else None, digest)


FILES = {
    "aaaa": file_record("aaaa", b"first"),
    "bbbb": file_record("bbbb", b"second"),
    "cccc": file_record("cccc", b"third", sized=False),
}


def model(name, *members, weights=None, segment_s=None):
    return ModelRecord(
        name=name,
        worker="demucs",
        type="demucs",
        folder="demucs",
        stems=("drums", "vocals"),
        description=f"The model {name}.",
        files=tuple(FILES[member] for member in dict.fromkeys(members)),
        bag=Bag(members, weights, segment_s),
        license="MIT",
        license_source="a test",
    )


SINGLE = model("single", "aaaa")
PAIR = model("pair", "bbbb", "aaaa", "bbbb", weights=((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)), segment_s=44)
UNSIZED = model("unsized", "cccc")
REGISTRY = Registry([SINGLE, PAIR, UNSIZED], FILES)
CONTENTS = {"aaaa": b"first", "bbbb": b"second", "cccc": b"third"}


@pytest.fixture
def folders(tmp_path):
    return ModelFolders(tmp_path / "models")


@pytest.fixture
def own(folders):
    folder = folders.folder("demucs")
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def given(tmp_path):
    folder = tmp_path / "repo"
    folder.mkdir()
    return folder


def install(folder, *signatures):
    for signature in signatures:
        (folder / FILES[signature].name).write_bytes(CONTENTS[signature])


def put(folder, name, content="x"):
    path = folder / name
    path.write_text(content)
    return path


def resolve(name, folders, repo=None, **more):
    return resolve_demucs(name, registry=REGISTRY, folders=folders, repo=repo, **more)


# Folders of the demucs package's layout ---------------------------------------------------------------------------


def test_names_are_bags_then_networks(given):
    """Bags come first, then networks by signature; hidden and other files are left out."""
    put(given, "bag.yaml", "models: ['sig2']")
    put(given, "sig2.th")
    put(given, f"sig1-{'0' * 8}.th")
    put(given, "._sig3.th")
    put(given, "notes.txt")
    assert LocalRepo(given).names() == ["bag", "sig1", "sig2"]


def test_bag_of_networks(given):
    """A bag gives its members' files in its order, its weights and its segment."""
    put(given, "bag.yaml", "models: ['b', 'a', 'b']\nweights: [[1, 0], [0, 1], [1, 1]]\nsegment: 10")
    a, b = put(given, "a.th"), put(given, "b.th")
    assert LocalRepo(given).get("bag") == DemucsSource(
        name="bag", members=(b, a, b), weights=((1, 0), (0, 1), (1, 1)), segment_s=10, record=None
    )


def test_single_network(given):
    """A signature alone is a model of one network."""
    path = put(given, "my-model.th")
    assert LocalRepo(given).get("my-model") == DemucsSource("my-model", (path,), None, None, None)


def test_checksum_in_the_name_is_verified(given):
    """A file is held against the checksum in its name, and an unchanged one is not read twice."""
    install(given, "aaaa")
    path = given / FILES["aaaa"].name
    assert LocalRepo(given).get("aaaa").members == (path,)
    path.write_bytes(b"damaged")
    os.utime(path, ns=(1, 1))
    with pytest.raises(ChecksumMismatch, match=r"aaaa-"):
        LocalRepo(given).get("aaaa")


def test_missing_member_is_named(given):
    """A bag whose network is not there says which file it needs."""
    put(given, "bag.yaml", "models: ['a', 'b']")
    put(given, "a.th")
    with pytest.raises(ModelNotInstalled, match=r"`b\.th`"):
        LocalRepo(given).get("bag")


def test_two_files_of_one_signature(given):
    """Two files of one signature are an error that names both, when that network is asked for."""
    put(given, "a.th")
    put(given, f"a-{'0' * 8}.th")
    put(given, "b.th")
    repo = LocalRepo(given)
    with pytest.raises(ConfigInvalid, match=r"a-00000000\.th.*a\.th"):
        repo.get("a")
    assert repo.get("b").members == (given / "b.th",)


def test_members_cannot_climb_out(given):
    """A bag's member is a signature found in the folder, never a path."""
    put(given.parent, "secret.th")
    put(given, "bag.yaml", "models: ['../secret']")
    with pytest.raises(ModelNotInstalled):
        LocalRepo(given).get("bag")


def test_unknown_name_in_a_folder(given):
    """A name that is not in the folder is answered with the nearest."""
    put(given, "network.th")
    with pytest.raises(UnknownModel, match="Did you mean: network"):
        LocalRepo(given).get("netwrk")


# Resolving --------------------------------------------------------------------------------------------------------


def test_public_model_that_is_installed(folders, own):
    """An installed public model gives its members' paths in order, with weights, segment and record."""
    install(own, "aaaa", "bbbb")
    a, b = own / FILES["aaaa"].name, own / FILES["bbbb"].name
    assert resolve("pair", folders) == DemucsSource("pair", (b, a, b), PAIR.bag.weights, 44, PAIR)


def test_files_lying_directly_in_the_models_directory(folders):
    """Public files are found in the models directory itself, too."""
    folders.models_dir.mkdir()
    install(folders.models_dir, "aaaa")
    assert resolve("single", folders).members == (folders.models_dir / FILES["aaaa"].name,)


def test_public_member_by_signature(folders, own):
    """One network of a bag can be had by its signature."""
    install(own, "bbbb")
    resolved = resolve("bbbb", folders)
    assert resolved.members == (own / FILES["bbbb"].name,)
    assert (resolved.weights, resolved.segment_s, resolved.record.stems) == (None, None, PAIR.stems)


def test_model_that_is_not_installed_names_files_and_how_to_get_them(folders, own):
    """The error names each missing file, the folder, and the command that fetches the model."""
    install(own, "aaaa")
    with pytest.raises(ModelNotInstalled, match=FILES["bbbb"].name) as caught:
        resolve("pair", folders)
    assert FILES["aaaa"].name not in caught.value.message
    assert str(own) in caught.value.message
    assert '{"cmd":"download_model","model":"pair"}' in caught.value.hint


def test_model_that_is_not_installed_offline(folders):
    """Offline, the hint says where the file is published and where to put it."""
    with pytest.raises(ModelNotInstalled) as caught:
        resolve("single", folders, offline=True)
    assert "https://example.org/aaaa" in caught.value.hint
    assert str(folders.folder("demucs")) in caught.value.hint


def test_incomplete_public_file_is_said_to_be_so(folders, own):
    """A file of the wrong size is not installed, and the error says what is wrong with it."""
    put(own, FILES["aaaa"].name, "fi")
    with pytest.raises(ModelNotInstalled, match="2 bytes and should have 5"):
        resolve("single", folders)


def test_public_file_of_unknown_size_is_known_by_its_hash(folders, own):
    """Where no size is stated the hash decides."""
    install(own, "cccc")
    assert resolve("unsized", folders).name == "unsized"
    put(own, FILES["cccc"].name, "another")
    with pytest.raises(ChecksumMismatch):
        resolve("unsized", folders)


def test_own_models_in_the_models_directory(folders, own):
    """Bags and networks that people put into MODELS/demucs are found, also with public members."""
    install(own, "aaaa")
    put(own, "mine.yaml", "models: ['aaaa', 'mynet']")
    put(own, "mynet.th")
    assert resolve("mine", folders).members == (own / FILES["aaaa"].name, own / "mynet.th")
    assert resolve("mynet", folders).record is None


def test_own_bag_under_a_public_name_is_used_where_the_public_files_are_not(folders, own):
    """A local bag of a public name works if it is complete; else the public model's error is the one to see."""
    put(own, "single.yaml", "models: ['net']")
    with pytest.raises(ModelNotInstalled, match=FILES["aaaa"].name):
        resolve("single", folders)
    put(own, "net.th")
    assert resolve("single", folders).members == (own / "net.th",)
    install(own, "aaaa")
    assert resolve("single", folders).record is SINGLE


def test_folder_of_the_request_comes_first(folders, own, given):
    """With `repo` its models are taken before public ones of the same name; the others are still there."""
    install(own, "aaaa", "bbbb")
    put(given, "single.yaml", "models: ['net']")
    put(given, "net.th")
    assert resolve("single", folders, given).members == (given / "net.th",)
    assert resolve("pair", folders, given).record is PAIR


def test_folder_of_the_request_that_does_not_exist(folders, tmp_path):
    """A `repo` that is not there is an error about the field, not about the model."""
    with pytest.raises(ModelNotInstalled, match="does not exist") as caught:
        resolve("single", folders, tmp_path / "none")
    assert caught.value.field == "repo"


def test_unknown_model_names_public_and_local_ones(folders, own, given):
    """The nearest names come from the registry and from both folders."""
    put(own, "singles.yaml", "models: ['net']")
    put(given, "singleton.th")
    with pytest.raises(UnknownModel) as caught:
        resolve("singl", folders, given)
    assert set(caught.value.suggestions) == {"single", "singles", "singleton"}


# Listing ----------------------------------------------------------------------------------------------------------


def test_list_of_an_empty_computer(folders):
    """Without any files every public model is listed, in order, as not installed."""
    listed = list_demucs(REGISTRY, folders, None)
    assert [details.name for details in listed] == ["single", "pair", "unsized"]
    assert not any(details.installed for details in listed)
    assert listed[1].stems == ["drums", "vocals"]
    assert (listed[1].size_bytes, listed[2].size_bytes, listed[1].license) == (11, None, "MIT")


def test_list_tells_how_many_networks_a_bag_has(folders, given):
    """Of public bags, with their signatures, and of one's own; a single network is no bag."""
    put(given, "bag.yaml", "models: ['net', 'net']")
    put(given, "net.th")
    listed = {details.name: details for details in list_demucs(REGISTRY, folders, given)}
    networks = {name: details.networks for name, details in listed.items()}
    assert networks == {"single": 1, "pair": 3, "unsized": 1, "bag": 2, "net": UNSET}
    assert [len(listed["pair"].members), listed["bag"].members] == [3, UNSET]


def test_list_holds_each_name_once(folders, own, given):
    """Public files are not listed by signature; own and given models follow the public ones."""
    install(own, "aaaa")
    put(own, "mine.yaml", "models: ['aaaa']")
    put(given, "pair.yaml", "models: ['net']")
    put(given, "net.th")
    listed = {details.name: details for details in list_demucs(REGISTRY, folders, given)}
    assert list(listed) == ["single", "pair", "unsized", "mine", "net"]
    assert [name for name, details in listed.items() if details.installed] == ["single", "pair", "mine", "net"]
    assert (listed["mine"].size_bytes, listed["mine"].license) == (5, None)
    assert str(given) in listed["pair"].description


def test_broken_bag_does_not_break_the_list(folders, own):
    """A bag that cannot be used is listed as such."""
    put(own, "broken.yaml", "models: 5")
    details = list_demucs(REGISTRY, folders, None)[-1]
    assert (details.name, details.installed) == ("broken", False)
    assert "malformed" in details.description


def test_list_and_resolve_agree(folders, own):
    """What is listed as installed can be resolved, and nothing else."""
    install(own, "aaaa", "cccc")
    put(own, "mine.yaml", "models: ['bbbb']")
    put(own, "unsized.yaml", "models: ['aaaa']")
    for details in list_demucs(REGISTRY, folders, None):
        if details.installed:
            assert resolve(details.name, folders).name == details.name
        else:
            with pytest.raises(ModelNotInstalled):
                resolve(details.name, folders)


def test_resolved_models_are_values(given):
    """Two looks at an unchanged folder give equal models."""
    put(given, "a.th")
    resolved = LocalRepo(given).get("a")
    assert resolved == LocalRepo(given).get("a")
    assert resolved != replace(resolved, name="b")
