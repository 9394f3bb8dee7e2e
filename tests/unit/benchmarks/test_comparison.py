"""The table of several benchmark results."""

import json

import pytest

from benchmarks import comparison

FIGURES = {
    "worker": "demucs",
    "model": "tiny",
    "device": "cpu",
    "duration_s": 4.0,
    "peak_memory_mib": 400.0,
    "t_start_to_first_status_s": 0.1,
    "t_start_to_ready_s": 2.0,
    "t_load_model_s": 0.5,
    "t_load_model_again_s": 0.01,
    "t_separate_cold_wall_s": 1.0,
    "t_separate_warm_wall_s": 0.5,
}


@pytest.fixture
def write(tmp_path):
    def result(name, **changes):
        path = tmp_path / name
        path.write_text(json.dumps({**FIGURES, **changes}))
        return str(path)

    return result


def test_the_table_has_a_row_for_each_result(write, capsys):
    """Rows are in the order given, each with the figures of its result."""
    assert comparison.main([write("a.json"), write("b.json", worker="apollo")]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows == [
        f"| {worker} | tiny | cpu | 4 | 0.10 | 2.00 | 0.50 | 1.00 | 0.50 | 400 |" for worker in ("demucs", "apollo")
    ]


def test_a_file_that_is_no_result_is_named(write, capsys):
    """A file without all figures gives exit status 1 and a message with its name."""
    assert comparison.main([write("c.json", t_load_model_s=None)]) == 1
    assert "c.json" in capsys.readouterr().err
