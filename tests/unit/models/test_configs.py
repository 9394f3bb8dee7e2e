"""The configurations in the project: each builds its network, which is that of the public checkpoint."""

import functools
import json

import golden
import pytest
import torch
from torch import nn

from models.architectures import network_class, params_class
from models.blocks.sections import output_names
from utils.store.folders import configs_folder
from utils.store.network_config import output_stems, read_config
from utils.store.network_models import WORKER, guess_type
from utils.store.registry import Registry

pytestmark = pytest.mark.slow

REGISTRY = Registry.load()
EVERY_RECORD = [REGISTRY.get(name, WORKER) for name in REGISTRY.names(WORKER)]
RECORDS = [
    record for record in EVERY_RECORD if record.config is not None
]  # of others, loading checks what was downloaded
KINDS = {record.config: record.type for record in RECORDS}
# Configurations as their authors publish them, beside the reference data; they are not part of the repository either.
MODELS = golden.FOLDER.parent / "models"


def published_configs():
    """The path of the published configuration of each record for which one is known: by its name, or by an address."""
    if not (MODELS / "registry.json").is_file():
        return {}
    listed = [model for model in json.loads((MODELS / "registry.json").read_text())["models"] if model["config"]]
    by_name = {model["name"]: model["config"] for model in listed}
    by_url = {url: model["config"] for model in listed for url in model["config_urls"] or ()}
    by_name |= {  # these serve the models of another worker, which are the same networks
        "htdemucs": "config_musdb18_htdemucs.yaml",
        "htdemucs_6s": "config_htdemucs_6stems.yaml",
        "hdemucs_mmi": "config_musdb18_demucs3_mmi.yaml",
    }
    found = {
        record.name: next(
            (by_url[url] for file in record.files for url in file.urls if url in by_url), by_name.get(record.name)
        )
        for record in [*EVERY_RECORD, *(REGISTRY.get(name, "demucs") for name in REGISTRY.names("demucs"))]
    }
    return {name: MODELS / "configs" / relative for name, relative in found.items() if relative is not None}


# What the reference data calls layouts that several public models have.
LAYOUTS = {
    "apollo_256_6": "apollo_official",
    "apollo_384_6": "apollo_lew_uni",
    "apollo_192_6": "apollo_lew_v2",
    "apollo_384_8": "apollo_vocal_msst",
}
# The kinds whose public checkpoints' tensors are listed in the reference data.
LISTED = ("bs_roformer", "mel_band_roformer", "scnet", "mdx23c", "apollo")
PUBLIC = [name for kind in LISTED for name in golden.full_size_names(kind)]


PUBLISHED = published_configs()


def config_of(relative):
    return read_config(configs_folder() / relative)


@functools.cache
def built(relative: str) -> nn.Module:
    """The network of a configuration, without memory for its weights."""
    kind = KINDS[relative]
    with torch.device("meta"):
        return network_class(kind)(params_class(kind).from_config(config_of(relative)))


@pytest.mark.parametrize("relative", KINDS)
def test_every_configuration_builds_its_network(relative):
    """A network can be built, and both its configuration and its tensors tell its type."""
    config, net = config_of(relative), built(relative)
    assert guess_type(config) == KINDS[relative]
    assert guess_type({}, net.state_dict()) == KINDS[relative]


@pytest.mark.parametrize("relative", KINDS)
def test_every_configuration_says_what_inference_needs(relative):
    """Chunk length, channels, overlap and batch size are there, and the channels are the network's."""
    config = config_of(relative)
    audio, inference = config["audio"], config["inference"]
    assert audio["sample_rate"] == (48000 if KINDS[relative] == "bandit_v2" else 44100)
    mono = isinstance(config.get("model"), dict) and not config["model"].get("stereo", True)
    assert audio["num_channels"] == (1 if mono else 2)
    assert 2 * 44100 < audio["chunk_size"] <= 40 * 44100
    assert inference["num_overlap"] >= 1
    assert inference["batch_size"] >= 1


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_stems_of_a_record_are_the_heads_of_its_network(record):
    """Names and order of the stems are the configuration's, and there are as many heads."""
    config = config_of(record.config)
    assert record.stems == output_stems(config, configs_folder() / record.config) == output_names(config)
    assert built(record.config).params.outputs == len(record.stems)
    if record.type in {"scnet", "htdemucs"}:
        assert built(record.config).params.sources == record.stems
    if record.type == "bandit":
        assert built(record.config).params.stems == record.stems


@pytest.mark.parametrize("name", PUBLISHED or [pytest.param("", marks=pytest.mark.skip(reason=golden.ABSENT))])
def test_a_published_configuration_builds_the_network_of_its_record(name):
    """As its author wrote it, it gives a network of the record's type with the record's stems."""
    record = REGISTRY.find(name, WORKER) or REGISTRY.get(name, "demucs")
    kind = "htdemucs" if record.type == "demucs" else record.type
    config = read_config(PUBLISHED[name])
    params = params_class(kind).from_config(config)
    if record.config is None or params != built(record.config).params:
        with torch.device("meta"):
            network_class(kind)(params)
    assert output_stems(config, PUBLISHED[name]) == record.stems
    assert params.outputs == len(record.stems)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_size_of_a_file_is_that_of_its_network(record):
    """A checkpoint in single or half precision is as large as the values that its network holds, and little more."""
    values = sum(parameter.numel() for parameter in built(record.config).parameters())
    values += sum(buffer.numel() for buffer in built(record.config).buffers())
    size_bytes = record.files[0].size_bytes
    assert size_bytes is None or any(1 <= size_bytes / (width * values) < 1.03 for width in (2, 4))


@pytest.mark.parametrize("name", PUBLIC)
def test_tensors_are_those_of_the_public_checkpoint(name):
    """The configuration of a public model gives exactly its checkpoint's keys and shapes."""
    record = REGISTRY.get(LAYOUTS.get(name, name), WORKER)
    assert golden.shapes(built(record.config)) == golden.full_size_shapes(name)


def test_shared_biases_come_with_an_untouched_zeroth_bin():
    """The code that shared biases come from does not zero the bin; every other network keeps its default."""
    setting = {
        relative: config_of(relative)["model"].get("zero_dc") for relative, kind in KINDS.items() if "roformer" in kind
    }
    assert {relative for relative, zero_dc in setting.items() if zero_dc is not None} == {
        "bs_roformer/logic_roformer.yaml"
    }
    assert setting["bs_roformer/logic_roformer.yaml"] is False
