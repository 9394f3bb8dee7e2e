"""Songs and results in an object store: moto's server takes the place of S3, over HTTP."""

import json
import os

import pytest
from moto.core import set_initial_no_auth_action_count
from moto.server import ThreadedMotoServer
from ray_cluster import Batch, write_song

from utils.cluster.ledger import LOCK, DriverLease
from utils.cluster.manifest import Fault, KnownModels, checked, rows
from utils.cluster.storage import Store
from utils.core.errors import InvalidRequest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.filterwarnings(
        "ignore"
    ),  # of the libraries of S3 and of Ray, which leave sockets to the garbage collector
]


@pytest.fixture(scope="module")
def storage():
    """How to reach the server; nothing else of it is known to anybody."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "s3": {
            "endpoint_url": f"http://{host}:{port}",
            "key": "key",
            "secret": "secret",
            "client_kwargs": {"region_name": "eu-west-1"},
        }
    }
    server.stop()


@pytest.fixture
def bucket(storage, request):
    """An empty bucket of a test's own."""
    import fsspec

    name = f"bucket-{abs(hash(request.node.name)) % 10**8}"
    fsspec.filesystem("s3", **storage["s3"]).mkdir(name)
    return f"s3://{name}"


def test_files_of_a_store(bucket, storage):
    """They can be written, moved twice, listed and removed."""
    store = Store(f"{bucket}/out", storage)
    store.prove_writable()
    store.write(".dsu/incoming/try/one.wav", b"stem")
    for _ in range(2):  # as after a kill
        store.move(".dsu/incoming/try/one.wav", "song/one.wav")
    assert store.read("song/one.wav") == b"stem"
    assert store.sizes("song") == {"one.wav": 4}
    assert list(store.below("")) == ["song/one.wav"]
    store.remove("song")
    assert list(store.below("")) == []
    with pytest.raises(FileNotFoundError):
        store.move(".dsu/incoming/try/one.wav", "song/one.wav")


def test_a_bucket_that_is_not_there(storage):
    """It is said before anything starts."""
    with pytest.raises(InvalidRequest, match="Nothing can be written"):
        Store("s3://nobody-has-this/out", storage).prove_writable()
    (fault,) = checked(rows(["s3://nobody-has-this/song.wav"], storage), {}, KnownModels([], []), storage)
    assert isinstance(fault, Fault)


def test_a_bucket_without_rights(bucket, storage):
    """Neither its songs nor a place for results: both are said, with what to look at."""

    @set_initial_no_auth_action_count(0)  # from now on the server asks who one is, and knows nobody
    def without_rights():
        with pytest.raises(InvalidRequest, match="Nothing can be written to") as raised:
            Store(f"{bucket}/out", storage).prove_writable()
        return raised.value, list(checked(rows([f"{bucket}/song.wav"], storage), {}, KnownModels([], []), storage))

    error, (fault,) = without_rights()
    assert "PermissionError" in str(error)
    assert "credentials" in error.hint
    assert isinstance(fault, Fault)
    assert "PermissionError" in fault.message


def test_one_driver_at_a_time(bucket, storage):
    """A second one is refused while the first one lives, or may live."""
    store = Store(f"{bucket}/out", storage)
    lease = DriverLease(store)
    with pytest.raises(InvalidRequest, match="Another batch"):
        DriverLease(store)
    lease.release()
    store.write(LOCK, json.dumps({"token": "killed", "host": "gone", "at": 0}).encode())
    DriverLease(store).release()


def test_a_batch_from_bucket_to_bucket(cluster, bucket, storage, tmp_path):
    """Songs are fetched, stems are stored, and the next run finds them."""
    import fsspec

    fs = fsspec.filesystem("s3", **storage["s3"])
    for number in range(3):
        path = write_song(tmp_path / f"song{number}.wav")
        fs.put_file(os.fspath(path), f"{bucket}/songs/{path.name}")
    for run in range(2):
        with Batch(f"{bucket}/out", f"{bucket}/songs", storage=storage) as batch:
            table = batch.run()
            assert [(row["status"], row["kept"]) for row in table.values()] == [("done", run == 1)] * 3
            for row in table.values():
                for stem in row["stems"]:
                    assert len(batch.store.read(stem["path"])) == stem["size_bytes"]
            assert not any(".part" in name or "incoming" in name for name in batch.store.below(""))
