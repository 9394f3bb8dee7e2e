"""The recipe of docs/architecture.md: with a file and a row, a new architecture separates."""

import numpy as np
import pytest
from network_case import read
from toy_architecture import GAINS, STEMS, add_architecture, write_toy_model


@pytest.fixture(autouse=True)
def added(tmp_path, monkeypatch):
    add_architecture(tmp_path / "added", monkeypatch)


def test_a_new_architecture_separates_by_its_files(case, tmp_path):
    """A checkpoint and a YAML file give stems, each the song times its gain."""
    checkpoint, config = write_toy_model(tmp_path / "toy")
    song = case.song()
    done, stems = case.run(song=song, model_path=str(checkpoint), config_path=str(config))
    assert done.stems == list(STEMS)
    for stem, gain in zip(STEMS, GAINS, strict=True):
        np.testing.assert_allclose(stems[stem], gain * read(song), atol=1e-5)


def test_a_new_architecture_separates_by_name(case, tmp_path):
    """Files in the models directory can be used by name."""
    write_toy_model(tmp_path / "models" / "bsroformer")
    done, stems = case.run(model="toy")
    assert (done.model, list(stems)) == ("toy", list(STEMS))
