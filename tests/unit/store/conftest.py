"""What the tests of the store share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loopback_server import Site


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()
