"""One cluster for all tests of this folder."""

from importlib.util import find_spec
from pathlib import Path

import pytest

# Environments that were made by hand may be without what batches need; `run.py test` installs it.
if not all(map(find_spec, ("ray", "pyarrow", "moto"))):
    collect_ignore_glob = ["test_*.py"]

RUNNING = []


@pytest.fixture
def cluster():
    """Several node processes of Ray, with this process connected as the driver."""
    import ray
    from ray_cluster import SmallCluster

    if not RUNNING:
        made = SmallCluster()
        ray.init(address=made.address, log_to_driver=False, configure_logging=False)
        RUNNING.append(made)
    return RUNNING[0]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem):
    """Even without work a cluster keeps the processor busy: it ends before tests elsewhere begin."""
    if RUNNING and (nextitem is None or nextitem.path.parent != Path(__file__).parent):
        import ray

        ray.shutdown()
        RUNNING.pop().shutdown()
