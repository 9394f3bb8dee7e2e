"""Power that is lost. Only what was synced is sure to be there, and what was renamed since may be or not."""

import random
import shutil

import numpy as np
import pytest
from downloads import downloaded, fetch
from file_layer import shown_to
from loopback_server import Page, record
from power_loss import Disk

from utils.audio.writing import OutputFormat, open_stems

CONTENT = bytes(range(128, 256)) * 1024
SOUND = np.linspace(-0.9, 0.9, 2 * 3000, dtype=np.float32).reshape(2, 3000)
SETS = {
    "replaced": {"a.wav": b"old", "b.wav": b"old", "deep/c.wav": b"old"},
    "in new folders": {"new/a.wav": None, "new/b.wav": None, "new/deep/er/c.wav": None},
    "replaced in part": {"a.wav": b"old", "b.wav": None, "deep/c.wav": b"old", "other/d.wav": None},
}


def write_set(root, names):
    output = OutputFormat("wav", "PCM_16", None, 44100, "rescale")
    targets = {name: root / name for name in names}
    frames = SOUND.shape[1]
    with open_stems(
        targets, folder=root, output=output, model_rate=44100, channels=2, frames=frames, tags=None
    ) as stems:
        for name in names:
            stems.write(name, SOUND)
        stems.commit()


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", SETS)
def test_a_set_is_whole_whenever_the_power_fails(scenario, tmp_path, kind):
    """After a loss of power, the next job finds the old set or the new one; when the job has ended, it is the new one for sure."""
    root = tmp_path / "disk" / "out"
    old = {name: data for name, data in SETS[kind].items() if data is not None}
    (tmp_path / "disk").mkdir()
    for name, data in old.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    disk = Disk(tmp_path / "disk")
    with shown_to(disk):
        write_set(root, SETS[kind])
    new = tree(root)
    assert new.keys() == SETS[kind].keys()
    others = [str(name).replace(".wav", " too.wav") for name in SETS[kind]]
    chance = random.Random(1)
    moments = [(moment, False) for moment in disk.moments] + [(disk.look(), True)]
    for number, (moment, has_ended) in enumerate(moments):
        for changes in moment.orders(chance, scenario.times(2, 20)):
            shutil.rmtree(tmp_path / "after", ignore_errors=True)
            found_root = moment.write(tmp_path / "after", changes) / "out"
            with scenario.trial("moment", number, "of", len(moments), changes):
                write_set(found_root, others)
                found = tree(found_root)
                left = sorted(name for name in found if name not in new and name not in others)
                assert not left, left
                first = {name: data for name, data in found.items() if name in new}
                is_right = first == new or (first == old and not has_ended)
                assert is_right, {name: len(data) for name, data in first.items()}


def test_a_download_is_whole_whenever_the_power_fails(scenario, site, tmp_path):
    """After a loss of power, the file is not there or whole, and the next download makes it so."""
    site.pages["a"] = Page(CONTENT)
    file = record("a.th", CONTENT, site.url("a"))
    (tmp_path / "disk").mkdir()
    disk = Disk(tmp_path / "disk")
    with shown_to(disk):
        fetch(file, tmp_path / "disk" / "m")
    chance = random.Random(1)
    for number, moment in enumerate([*disk.moments, disk.look()]):
        for changes in moment.orders(chance, scenario.times(2, 20)):
            shutil.rmtree(tmp_path / "after", ignore_errors=True)
            folder = moment.write(tmp_path / "after", changes) / "m"
            with scenario.trial("moment", number, changes):
                target = folder / "a.th"
                assert not target.exists() or target.read_bytes() == CONTENT
                fetch(file, folder)
                assert downloaded(folder) == {"a.th": CONTENT}
