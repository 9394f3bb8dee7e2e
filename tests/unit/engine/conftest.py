"""Small networks in the real formats, made once for the tests of this folder."""

import pytest

from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.demucs import make_repo


@pytest.fixture(scope="session")
def repo(tmp_path_factory):
    """A folder with tiny networks and bags of them."""
    folder = tmp_path_factory.mktemp("repo")
    make_repo(folder)
    return folder


@pytest.fixture(scope="session")
def modern(tmp_path_factory):
    """A VR network of version 5.1 over one band."""
    return make_vr(tmp_path_factory.mktemp("modern"), "modern")


@pytest.fixture(scope="session")
def banded(tmp_path_factory):
    """A VR network of version 5.1 over four bands."""
    return make_vr(tmp_path_factory.mktemp("banded"), "banded", bands="4band_v3")


@pytest.fixture(scope="session")
def old(tmp_path_factory):
    """A VR network of the first generation over the bottom of one band, described by itself."""
    band = {"sr": 44100, "hl": 512, "n_fft": 1024, "crop_start": 0, "crop_stop": 64}
    bands = {"bins": 64, "sr": 44100, "band": {"1": {**band, "hpf_start": -1, "res_type": "sinc_best"}}}
    bands |= {"pre_filter_start": -1, "pre_filter_stop": -1}
    folder = tmp_path_factory.mktemp("old")
    return make_vr(folder, "old", bands=bands, capacity=None, primary_stem="Instrumental")


@pytest.fixture(scope="session")
def mdx(tmp_path_factory):
    """An MDX network."""
    return make_mdx(tmp_path_factory.mktemp("mdx"), "mdx")
