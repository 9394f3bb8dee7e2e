"""Small checkpoints of our own networks, in the forms of public files."""

import functools
import zipfile

import pytest
import torch

from models.architectures import OWN, network_class, params_class
from tools.make_network import (
    FORMS,
    PUBLIC,
    RECIPES,
    full_size,
    full_size_config,
    one_thread,
    rms,
    seeded_network,
    small_params,
    write_network,
)
from tools.song import song
from utils.core.errors import CheckpointMismatch
from utils.engine.backends.torch import without_data
from utils.store.checkpoints import assign, read_checkpoint, unwrap_state
from utils.store.network_config import output_stems, read_config
from utils.store.network_models import guess_type, own_network

TARGETED = {kind for kind, recipe in RECIPES.items() if recipe.target is not None}
ALL_STEMS = {"htdemucs"}  # its configurations cannot ask for one stem


@pytest.fixture(scope="module", autouse=True)
def alone():
    """Networks as small as these run many times faster without threads that wait for each other."""
    with one_thread():
        yield


def loaded(kind, files):
    """The network of the files, read as strictly as the engine reads them."""
    with without_data():
        net = network_class(kind)(params_class(kind).from_config(read_config(files.config)))
    assign(net, unwrap_state(read_checkpoint(files.checkpoint), files.checkpoint), path=files.checkpoint)
    return net.eval()


@functools.cache
def expected(kind, seed=0):
    """What `write_network` writes if nothing is asked."""
    outputs = RECIPES[kind].stems if RECIPES[kind].target is None else (RECIPES[kind].target,)
    return seeded_network(kind, small_params(kind, outputs, 44100, {}), seed)


def run(net, mix):
    with torch.inference_mode():
        return net(mix)


@pytest.fixture(scope="module")
def mix():
    """A second of music: (1, 2, samples)."""
    return torch.from_numpy(song(2.0)[44100:].T[None].copy())


def test_every_kind_has_a_recipe():
    """Whatever network of ours there is, there are small files of it."""
    assert RECIPES.keys() == OWN.keys()


@pytest.mark.parametrize("kind", RECIPES)
def test_files_rebuild_the_network(tmp_path, mix, kind):
    """Checkpoint and configuration together give the very network that was written."""
    net = loaded(kind, write_network(tmp_path, kind))
    torch.testing.assert_close(run(net, mix), run(expected(kind), mix), atol=0, rtol=0)


@pytest.mark.parametrize("kind", RECIPES)
def test_output_is_as_loud_as_the_input(tmp_path, mix, kind):
    """Every stem of a piece of music is far above the rounding of 16 bits, and none is many times louder."""
    stems = run(loaded(kind, write_network(tmp_path, kind)), mix)
    levels = [float(rms(stem) / rms(mix)) for stem in stems[0]]
    assert all(0.2 < level < 5 for level in levels), levels


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", RECIPES)
def test_every_form_holds_the_same_weights(tmp_path, kind, form):
    """Whatever it is wrapped in, the checkpoint is read without running code; in half precision it is rounded."""
    read = loaded(kind, write_network(tmp_path, kind, form=form)).state_dict()
    for key, tensor in expected(kind).state_dict().items():
        wanted = tensor.half().float() if form == "half" else tensor
        assert torch.equal(read[key], wanted)


def test_forms_are_what_they_are_called(tmp_path):
    """The container, the wrapping and the prefix of each form."""
    files = {form: write_network(tmp_path / form, "apollo", form=form).checkpoint for form in FORMS}
    assert {form for form, path in files.items() if zipfile.is_zipfile(path)} == {*FORMS} - {"safetensors", "legacy"}
    assert files["safetensors"].suffix == ".safetensors"
    assert read_checkpoint(files["state_dict"]).keys() == {"state_dict", "epoch"}
    assert all(key.startswith("audio_model.") for key in read_checkpoint(files["lightning"])["state_dict"])
    assert {tensor.dtype for tensor in read_checkpoint(files["half"]).values()} == {torch.float16}


def test_unknown_form_is_refused(tmp_path):
    """A misspelt form is an error that names the forms."""
    with pytest.raises(ValueError, match="plain, state_dict"):
        write_network(tmp_path, "mdx23c", form="zip")


@pytest.mark.parametrize("kind", RECIPES)
def test_kind_is_told_by_the_files(tmp_path, kind):
    """A request that leaves `model_type` out gets the right one, with the configuration's stems."""
    files = write_network(tmp_path, kind)
    assert own_network(files.checkpoint, files.config, None).type == kind
    assert own_network(files.checkpoint, files.config, None).stems == output_stems(
        read_config(files.config), files.config
    )
    assert guess_type({"model": {}}, loaded(kind, files).state_dict()) == kind


@pytest.mark.parametrize("kind", sorted(RECIPES.keys() - TARGETED))
def test_stems_are_those_asked_for(tmp_path, mix, kind):
    """The network has one head for each instrument."""
    names = ("drums", "bass", "other", "vocals")
    files = write_network(tmp_path, kind, stems=names)
    assert output_stems(read_config(files.config), files.config) == names
    assert run(loaded(kind, files), mix).shape[1] == 4


@pytest.mark.parametrize("kind", sorted(RECIPES.keys() - TARGETED - ALL_STEMS))
def test_a_target_is_the_only_stem(tmp_path, mix, kind):
    """Of all instruments that the configuration names, the network has a head for one."""
    files = write_network(tmp_path, kind, stems=("drums", "bass"), target="bass")
    assert output_stems(read_config(files.config), files.config) == ("bass",)
    assert run(loaded(kind, files), mix).shape[1] == 1


def test_configuration_says_how_to_chunk(tmp_path):
    """Chunk length in samples, overlap, batch size and rate stand where public configurations have them."""
    config = read_config(
        write_network(tmp_path, "scnet", sample_rate=48000, chunk_seconds=1.5, num_overlap=3, batch_size=2).config
    )
    assert config["audio"] == {"num_channels": 2, "chunk_size": 72000, "sample_rate": 48000}
    assert config["inference"] == {"batch_size": 2, "num_overlap": 3}


def test_transformer_configuration_has_the_tag_for_tuples(tmp_path):
    """Public files of this kind mark two lists as Python's tuples, so ours do."""
    text = write_network(tmp_path, "bs_roformer").config.read_text(encoding="utf-8")
    assert text.count("!!python/tuple") == 2


def test_parameters_can_be_changed(tmp_path):
    """A mono network with shared biases is one change of the parameters away."""
    files = write_network(tmp_path, "bs_roformer", changes={"stereo": False, "use_shared_bias": True})
    assert read_config(files.config)["audio"]["num_channels"] == 1
    assert "linear_62_bias_0" in loaded("bs_roformer", files).state_dict()


def test_wrong_configuration_does_not_fit(tmp_path):
    """The sizes are in the configuration only, so that another one's is a mismatch."""
    files = write_network(tmp_path, "scnet", name="two")
    other = write_network(tmp_path, "scnet", name="three", stems=("a", "b", "c"))
    with pytest.raises(CheckpointMismatch, match="the network needs"):
        loaded("scnet", files._replace(config=other.config))


def test_weights_depend_on_the_seed_only():
    """The same seed gives the same network, another one another, and the caller's random numbers are not touched."""
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    params = small_params("mdx23c", ("vocals", "other"), 44100, {})
    first, again, other = (seeded_network("mdx23c", params, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_weights_do_not_depend_on_the_threads():
    """To the last bit, so that files made on different computers are the same."""
    params = small_params("bs_roformer", ("vocals", "other"), 44100, {})
    torch.set_num_threads(2)
    two = seeded_network("bs_roformer", params, seed=0).state_dict()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    one = seeded_network("bs_roformer", params, seed=0).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("kind", PUBLIC)
def test_full_size_is_that_of_a_public_model(kind):
    """Millions of parameters, and the configuration says the chunk that the model is run with."""
    with without_data():
        net = network_class(kind)(full_size(kind))
    assert sum(parameter.numel() for parameter in net.parameters()) > 10e6
    assert full_size_config(kind)["audio"]["chunk_size"] > 5 * 44100
