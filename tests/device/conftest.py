"""The device to test. Without `--device` these tests are not collected."""

import pytest


def pytest_ignore_collect(collection_path, config):
    """Collect these tests only if there is a device to test."""
    return True if config.getoption("--device") is None else None


@pytest.fixture(scope="session")
def device(request):
    """Its name, once it has been found to compute."""
    from utils import cards

    return cards.choose(request.config.getoption("--device"))[0]


@pytest.fixture
def case(tmp_path, device):
    from device_case import DeviceCase

    return DeviceCase(tmp_path, device)
