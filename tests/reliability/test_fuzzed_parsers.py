"""Bytes for our own parsers. They raise nothing but what they say, in bounded time and memory."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzed_parsers import FUZZER, MAKERS
from hostile_files import damaged

PROGRAM = Path(__file__).with_name("fuzzed_parsers.py")
LIMITS = ["-rss_limit_mb=2048", "-timeout=60", "-seed=1", "-print_final_stats=1"]


@pytest.mark.parametrize("name", MAKERS)
def test_damaged_inputs_are_read_or_refused(scenario, name):
    """A parser that is given damaged input reads it or says what is wrong."""
    parser = MAKERS[name]()
    for number, seed in enumerate(parser.seeds):
        parser.read(seed)
        for what, data in damaged(
            seed, number, scenario.times(max(1, 60 // len(parser.seeds)), 2000 // len(parser.seeds))
        ):
            with scenario.trial("input", number, what, data[:100]):
                parser.read(data)


@pytest.mark.parametrize("name", MAKERS)
def test_inputs_that_reach_new_code_are_read_or_refused(scenario, tmp_path, name):
    """A parser that is fuzzed, guided by the code that each input reaches, reads it or says what is wrong."""
    if not scenario.is_long:
        pytest.skip("it takes minutes, and needs atheris: run.py test --long")
    if not FUZZER.is_dir():
        scenario.note("not tried: there is no atheris for this Python and system")
        return
    runs = scenario.times(0, 100_000)
    command = [sys.executable, PROGRAM, name, tmp_path, f"-runs={runs}", f"-artifact_prefix={tmp_path}/", *LIMITS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    found = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    scenario.tried["input"] += int(found[1]) if found else 0
    with scenario.trial("parser"):
        assert done.returncode == 0, done.stderr[-3000:]
        assert found
