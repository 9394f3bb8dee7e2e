"""The server and its worker, killed. Whatever was accepted is done after the next start, and whole."""

import random

from web_kills import Killing


def test_a_server_that_is_killed_at_any_moment_loses_nothing(scenario, tmp_path):
    """Uploads and jobs that were accepted are there, done once more where they had to be, with all of their samples."""
    killing = Killing(tmp_path / "server", random.Random(5))
    killing.run(scenario.times(4, 50))
    scenario.tried.update({"kill": killing.kills, "job": killing.jobs})
    scenario.lost += map(str, killing.lost)
