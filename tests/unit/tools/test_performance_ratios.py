"""Ratios of a benchmark's figures."""

import json

import pytest

from tools.performance_ratios import compared, main, ratios_of

FIGURES = {
    "worker": "demucs",
    "model": "tiny",
    "device": "cpu",
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
        return path

    return result


def values(figures):
    return {ratio.name: ratio.value for ratio in ratios_of(figures)}


def test_ratios_do_not_depend_on_the_machine():
    """If all times double, the ratios stay the same."""
    slower = {key: 2 * value if key.startswith("t_") else value for key, value in FIGURES.items()}
    assert values(slower) == pytest.approx(values(FIGURES))
    assert values(FIGURES)["warm / start, load and cold"] == pytest.approx(0.5 / 3.5)


def test_a_good_run_passes(write, capsys):
    """Without a baseline only the ratios with fixed bounds are judged."""
    assert main([str(write("now.json"))]) == 0
    out = capsys.readouterr().out
    assert "SLOW" not in out
    assert out.count("not compared") == 3


@pytest.mark.parametrize(
    ("changes", "slow"),
    [
        ({"t_start_to_first_status_s": 2.1}, "first status / ready"),
        ({"t_load_model_again_s": 0.6}, "second load / first load"),
        ({"t_separate_warm_wall_s": 3.6}, "warm / start, load and cold"),
        ({"t_separate_warm_wall_s": 1.6}, "warm / cold"),
    ],
)
def test_what_must_hold_everywhere_is_judged(changes, slow, write, capsys):
    """A warm run that is no faster than a cold one, and so on, fails by name."""
    assert main([str(write("now.json", **changes))]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("SLOW")]
    assert any(slow in line for line in lines)


def test_a_baseline_bounds_the_rest(write, capsys):
    """Up to the tolerance it passes, beyond it fails."""
    baseline = str(write("then.json"))
    assert main([str(write("now.json", t_load_model_s=0.7)), "--baseline", baseline]) == 0
    slower = str(write("slower.json", t_load_model_s=0.8))
    assert main([slower, "--baseline", baseline]) == 1
    assert "load / ready" in capsys.readouterr().out
    assert main([slower, "--baseline", baseline, "--tolerance", "2"]) == 0


def test_a_saved_run_is_a_baseline_for_itself(write, tmp_path):
    """`--save` keeps a run that passed, and only such a one."""
    saved = tmp_path / "kept" / "baseline.json"
    assert main([str(write("now.json")), "--save", str(saved)]) == 0
    assert main([str(write("now.json")), "--baseline", str(saved)]) == 0
    assert main([str(write("bad.json", t_load_model_again_s=9)), "--save", str(tmp_path / "bad")]) == 1
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("{}", "figures are missing"),
        (json.dumps({**FIGURES, "model": "other"}), "has another model"),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused(content, said, write, tmp_path, capsys):
    """A baseline that is missing, broken, no result or of another model is refused with that reason."""
    baseline = tmp_path / "baseline.json"
    if content is not None:
        baseline.write_text(content)
    assert main([str(write("now.json")), "--baseline", str(baseline)]) == 1
    assert said in capsys.readouterr().err


def test_options_can_be_checked_before_there_is_a_result(write, tmp_path, capsys):
    """A usable baseline is accepted silently; a missing one is refused."""
    assert main(["--baseline", str(write("then.json"))]) == 0
    assert capsys.readouterr().out == ""
    assert main(["--baseline", str(tmp_path / "gone.json")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_fixed_bounds_stay():
    """A baseline never changes the fixed bounds."""
    ratios = compared(ratios_of(FIGURES), ratios_of(FIGURES), 3.0)
    assert [ratio.bound_from for ratio in ratios] == ["always"] * 4 + ["baseline"] * 3
