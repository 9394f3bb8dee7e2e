"""Node.js and npm for the tests that need them: found, new enough, and run to their end."""

import os
import re
import shutil
import subprocess

import pytest
from worker_process import clean_environment

OLDEST_NODE = (18, 0)
# Far more than anything takes on a machine that does other things as well.
TIMEOUT_S = 1200


def missing(what):
    """Users need not have what only a test needs; where every change is tested, it must be there."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


def program(name):
    """The path of `node` or `npm`."""
    path = shutil.which(name)
    if path is None:
        missing(f"`{name}` is not installed; what is written in JavaScript is tested where Node.js 18 or newer is.")
    return path


def find_node():
    """Node.js, new enough."""
    path = program("node")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(int(word) for word in re.findall(r"\d+", version)[:2]) < OLDEST_NODE:
        missing(f"Node.js is {version.strip()}; the clients need 18.")
    return path


def run(*words, cwd, env=None):
    """A program with nothing of npm's own to say but errors."""
    quiet = {"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false"}
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=clean_environment(quiet | (env or {})),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )
