"""The frozen folder under test. Without `--worker-dir` there is none, and these tests are not collected."""

import pytest


def pytest_ignore_collect(collection_path, config):
    """Only with a frozen folder, which takes a build to make."""
    return True if config.getoption("--worker-dir") is None else None


@pytest.fixture(scope="session")
def folder(worker_dir):
    """The frozen folder, as it was built."""
    return worker_dir
