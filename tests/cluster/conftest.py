"""One cluster for all tests of this folder."""

from importlib.util import find_spec

import pytest

# Environments that were made by hand may be without what batches need; `run.py test` installs it.
if not all(map(find_spec, ("ray", "pyarrow", "moto"))):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="package")
def cluster():
    """Several node processes of Ray, with this process connected as the driver. They are busy even without work, so they end with this folder."""
    import ray
    from ray_cluster import SmallCluster

    running = SmallCluster()
    ray.init(address=running.address, log_to_driver=False, configure_logging=False)
    yield running
    ray.shutdown()
    running.shutdown()
