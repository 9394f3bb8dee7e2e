"""The made files of AudioSep have the forms of public ones."""

import pytest
import torch
import yaml
from audiosep_case import fill

from models.audiosep.resunet import ResUNet30, ResUNet30Params
from tools.fixtures.audiosep import audiosep_config, write_audiosep
from utils.core.errors import CheckpointUnsafe
from utils.store.checkpoints import read_checkpoint, unwrap_state


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_audiosep(tmp_path_factory.mktemp("audiosep"))


def weights(path):
    return unwrap_state(read_checkpoint(path, allow=ResUNet30.PICKLED_WITH), path)


def test_the_separator_fits_its_configuration(files):
    """The network of the configuration takes the checkpoint, whatever else is in it."""
    with torch.device("meta"):
        net = ResUNet30(ResUNet30Params.from_config(yaml.safe_load(files.config.read_text(encoding="utf-8"))))
    fill(net, files.checkpoint)
    assert not any(tensor.is_meta for tensor in net.state_dict().values())


def test_checkpoints_hold_what_is_not_needed_too(files):
    """Both have parts beside those that a network takes, as public ones have."""
    assert {"audio_branch.bn0.weight", "logit_scale_a", "text_branch.embeddings.position_ids"} <= weights(
        files.clap_checkpoint
    ).keys()
    starts = {key.split(".")[0] for key in weights(files.checkpoint)}
    assert starts == {"ss_model", "query_encoder"}


def test_numbers_of_older_numpy_need_to_be_allowed(files):
    """The CLAP checkpoint names a function of NumPy as public ones do; knowing it is enough to read the file."""
    with pytest.raises(CheckpointUnsafe, match=r"numpy\.core\.multiarray\.scalar"):
        read_checkpoint(files.clap_checkpoint)
    content = read_checkpoint(files.clap_checkpoint, allow=ResUNet30.PICKLED_WITH)
    assert content["optimizer"]["param_groups"][0]["lr"].maker.name == "numpy.core.multiarray.scalar"


def test_the_seed_decides(files, tmp_path):
    """The same seed gives the same weights, another one gives others."""
    again, other = write_audiosep(tmp_path / "again"), write_audiosep(tmp_path / "other", seed=5)
    for name in ("checkpoint", "clap_checkpoint"):
        first, same, changed = (weights(getattr(each, name)) for each in (files, again, other))
        assert all(torch.equal(first[key], same[key]) for key in first)
        assert any(not torch.equal(first[key], changed[key]) for key in first)
    assert (files.roberta_dir / "vocab.json").read_bytes() == (again.roberta_dir / "vocab.json").read_bytes()


def test_the_full_size_is_the_public_one():
    """Without widths the configuration describes the public network."""
    assert ResUNet30Params.from_config(audiosep_config(None)) == ResUNet30Params()
