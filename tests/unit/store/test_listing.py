"""The models that each program can be asked for by name, without torch."""

import pytest

from utils.store.listing import list_models
from utils.store.registry import Registry


def names(program, folder, repo=None):
    return [details.name for details in list_models(program, folder, repo)]


@pytest.mark.parametrize("worker", ["demucs", "bsroformer", "audio-separator", "audiosep"])
def test_public_models_come_first(tmp_path, worker):
    """In the order of their list, whether they are installed or not."""
    public = Registry.load().names(worker)
    assert names(f"dsu-{worker}", tmp_path)[: len(public)] == public


def test_models_of_ones_own_follow(tmp_path):
    """Those in the models directory, and for Demucs those of another folder."""
    for name in ("demucs/mine.th", "repo/theirs.th", "bsroformer/net.ckpt", "bsroformer/net.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert names("dsu-demucs", tmp_path, tmp_path / "repo")[-2:] == ["mine", "theirs"]
    assert names("dsu-bsroformer", tmp_path)[-1] == "net"


def test_audio_separator_lists_networks_too(tmp_path):
    """Those that it can run: MDX23C and Apollo."""
    own = Registry.load().names("audio-separator")
    others = {details.type for details in list_models("dsu-audio-separator", tmp_path)[len(own) :]}
    assert others == {"mdx23c", "apollo"}


def test_one_program_lists_all(tmp_path):
    """Each model once, networks first."""
    listed = names("dsu", tmp_path)
    assert len(listed) == len(set(listed))
    assert set(listed) == {
        name
        for worker in ("demucs", "bsroformer", "audio-separator", "audiosep")
        for name in Registry.load().names(worker)
    }
    assert listed[0] in Registry.load().names("bsroformer")


def test_another_program_has_no_models(tmp_path):
    """A name that is wrong is a mistake of ours."""
    with pytest.raises(ValueError, match="dsu-other"):
        list_models("dsu-other", tmp_path)
