"""The frozen folder under test. Without `--worker-dir` these tests are not collected."""

import pytest


def pytest_ignore_collect(collection_path, config):
    """Collect these tests only if there is a frozen folder, which needs a build."""
    return True if config.getoption("--worker-dir") is None else None


@pytest.fixture(scope="session")
def folder(worker_dir):
    """The frozen folder, as it was built."""
    return worker_dir
