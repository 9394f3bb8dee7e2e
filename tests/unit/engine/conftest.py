"""A repo of tiny networks in the demucs package's own format, made once for the tests of this folder."""

import pytest

from tools.fixtures.demucs import make_repo


@pytest.fixture(scope="session")
def repo(tmp_path_factory):
    """A folder with tiny networks and bags of them."""
    folder = tmp_path_factory.mktemp("repo")
    make_repo(folder)
    return folder
