"""The browser to test the page of a report in. Without `--browser` these tests are not collected."""

import pytest


def pytest_ignore_collect(collection_path, config):
    """Collect these tests only if there is a browser."""
    return True if config.getoption("--browser") is None else None


@pytest.fixture
def browser(request, tmp_path):
    """A new browser with an empty page."""
    from browser import open_browser

    with open_browser(request.config.getoption("--browser"), tmp_path / "profile") as browser:
        yield browser
