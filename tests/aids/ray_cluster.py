"""A Ray cluster of several small node processes on loopback, and batches on it."""

import array
import hashlib
import json
import os
import sys
import wave
from pathlib import Path

from utils.cluster import results
from utils.cluster.driver import Driver
from utils.cluster.ledger import DriverLease, Ledger
from utils.cluster.manifest import KnownModels, checked, rows
from utils.cluster.options import BatchOptions
from utils.cluster.plan import Plan
from utils.cluster.storage import Store
from utils.cluster.watching import Watch
from utils.core.replies import ModelDetails

ROOT = Path(__file__).resolve().parents[2]
FAKE = (sys.executable, str(ROOT / "tests" / "aids" / "fake_batch_worker.py"))
PATIENCE_S = 300.0
STARTS = 4
MODELS = KnownModels(
    [
        ModelDetails(
            name=name, type="mask_unet", stems=[], description="", installed=True, size_bytes=1, sdr=None, license="MIT"
        )
        for name in ("dsu_mini", "another")
    ],
    (),
)


def in_time(start):
    """Start a node of Ray. It has 30 seconds, which a machine with much else to do exceeds: then another one is started."""
    for number in range(1, STARTS + 1):
        try:
            return start()
        except Exception as error:  # Ray raises no narrower class
            if "timed out during startup" not in str(error) or number == STARTS:
                raise
    raise AssertionError


class SmallCluster:
    """A head without cores, and nodes with one each, which can be lost."""

    def __init__(self, nodes=2):
        from ray.cluster_utils import Cluster

        os.environ["PYTHONPATH"] = str(ROOT)
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20}
        head["_system_config"] = {"worker_niceness": 0}  # otherwise a busy machine leaves actors nothing
        self._cluster = in_time(lambda: Cluster(initialize_head=True, head_node_args=head))
        self._count = nodes
        self.nodes = []
        self.refill()
        self.address = self._cluster.address

    def add(self):
        return in_time(lambda: self._cluster.add_node(num_cpus=1, object_store_memory=80 << 20))

    def lose(self):
        """A node is gone from one moment to the next. Any thread may call this."""
        self._cluster.remove_node(self.nodes.pop(0), allow_graceful=False)

    def refill(self):
        """Another one comes. Ray allows that to the main thread alone."""
        while len(self.nodes) < self._count:
            self.nodes.append(self.add())

    def shutdown(self):
        self._cluster.shutdown()


class Told:
    """Keeps what is told of a batch, and may do something about it."""

    def __init__(self):
        self.events = []
        self.on_event = lambda event: None

    def show(self, facts):
        self.facts = facts

    def say(self, event, text, facts):
        self.events.append((event, text, facts))

    def close(self):
        pass

    def of(self, event):
        return [text for each, text, _ in self.events if each == event]


class Batch:
    """One run of a driver, in this process."""

    def __init__(self, out, *sources, **more):
        self.options = BatchOptions(
            sources=tuple(map(str, sources)), out=str(out), worker_command=more.pop("worker_command", FAKE), **more
        )
        self.told = Told()
        self.plan = Plan()
        self.store = Store(str(out), self.options.storage)

    def __enter__(self):
        self.lease = DriverLease(self.store)
        self.ledger = Ledger(self.store, self.plan)
        common = {"model": "dsu_mini", **self.options.common}
        found = rows(self.options.sources, self.options.storage)
        self.faults = list(self.plan.fill(checked(found, common, MODELS, self.options.storage)))
        self.known = self.ledger.load()
        self.watch = Watch(self.told, None, metrics=False)
        self.driver = Driver(self.options, self.plan, self.ledger, self.watch)
        return self

    def __exit__(self, *unused):
        self.driver.close()
        self.ledger.sweep()
        self.ledger.close()
        self.plan.close()
        self.lease.release()

    def run(self):
        """Do all of it; returns the rows of the table by the names of their songs."""
        self.driver.run()
        results.write_tables(self.plan, self.store, MODELS.licences.get)
        lines = self.store.read("results.jsonl").splitlines()
        return {Path(row["input"]).stem: row for row in map(json.loads, lines)}


def write_song(path, first=0, seconds=0.1):
    """A short song, all of whose samples differ from those of others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:2], "little")
    samples = array.array("h", [first] + [(seed * (each + 1)) % 20_000 for each in range(int(8000 * seconds))])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return path


def stems_are_right(out, row):
    """Each stem is what the song's samples make of it, and what the table says."""
    song = Path(row["input"].removeprefix("file://"))
    samples = array.array("h", song.read_bytes()[44:])
    for stem in row["stems"]:
        data = (Path(out) / stem["path"]).read_bytes()
        sign = 1 if stem["stem"] == "one" else -1
        if array.array("f", data[92:]) != array.array("f", [sign * each / 32768 for each in samples]):
            return False
        if hashlib.sha256(data).hexdigest() != stem["sha256"]:
            return False
    return len(row["stems"]) == 2
