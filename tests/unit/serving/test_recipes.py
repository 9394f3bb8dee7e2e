"""The recipes of docs/architecture.md: what a new command and a new worker take, and that nothing else is needed."""

import json
import os
import subprocess
from itertools import chain
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from fake_engine import FakeEngine
from worker_process import WorkerProcess, clean_environment, statuses, worker_command

from clients.node import generate_types
from tools import protocol_docs
from utils import __version__
from utils.core.bootstrap import Streams
from utils.core.catalogue import Worker
from utils.core.replies import Progress, Reply
from utils.core.requests import Request
from utils.core.settings import Settings
from utils.serving.commands import Group
from utils.serving.commands.table import GROUPS, commands_of
from utils.serving.loop import serve
from utils.serving.stdio import read_lines
from workers import WORKERS

ROOT = Path(__file__).resolve().parents[3]


# A new command: a request type, a reply type, one function --------------------------------------------------------


class Measure(Request, frozen=True, kw_only=True, tag_field="cmd", tag="measure_length"):
    """Measure how long a file is."""

    input: Annotated[str, msgspec.Meta(description="Audio file to measure.")]


class Measured(Reply, frozen=True, kw_only=True, tag_field="status", tag="measured"):
    """A file was measured."""

    seconds: float


MEASURING = Group("measuring")


@MEASURING.job(Measure, Measured, events=(Progress,))
def measure(context, request, job):
    job.progress("measure", 1, 2)
    return Measured(seconds=len(request.input))


@pytest.fixture
def with_command(monkeypatch):
    """A worker that has the new command: its group is in the table, and its row names the group."""
    monkeypatch.setitem(GROUPS, MEASURING.name, MEASURING)
    row = Worker(
        name="dsu-measure",
        script="workers/measure_worker.py",
        command_line="",
        groups=("control", "batch", MEASURING.name),
        description="Measures files",
    )
    monkeypatch.setitem(WORKERS, "measure", row)
    return row


@pytest.fixture
def talk(with_command, tmp_path):
    """Serve some lines on pipes, with the real loop, and return all lines that were answered."""

    def talk_to(*requests):
        fds = [*os.pipe(), *os.pipe()]
        input_fd, client_out, client_in, output_fd = fds
        try:
            os.write(client_out, b"".join(json.dumps(request).encode() + b"\n" for request in requests))
            os.close(client_out)
            fds.remove(client_out)
            streams = Streams(input_fd, output_fd, os.getppid())
            assert serve(with_command, Settings(models_dir=tmp_path), FakeEngine, streams) == 0
            os.close(output_fd)
            fds.remove(output_fd)
            return [json.loads(line) for line in chain.from_iterable(read_lines(client_in))]
        finally:
            for fd in fds:
                os.close(fd)

    return talk_to


def test_a_new_command_is_served(talk):
    """It runs as a job with its events, and its reply has the request's id."""
    lines = talk({"cmd": "measure_length", "id": 7, "input": "abc"})
    assert statuses(lines) == ["loading", "ready", "progress", "measured", "exiting"]
    assert lines[-2] == {"status": "measured", "id": 7, "seconds": 3.0}
    assert lines[-3]["id"] == 7


def test_a_new_command_is_checked_like_the_others(talk):
    """Missing, wrong and unknown fields are found from the request type alone, and so is a misspelt name."""
    lines = talk(
        {"cmd": "measure_length"},
        {"cmd": "measure_length", "input": 3},
        {"cmd": "measure_length", "input": "a", "inptu": "b", "id": "last"},
    )
    missing, wrong, unknown = [line for line in lines if line["status"] in ("error", "measured")]
    assert (missing["code"], missing["field"]) == ("invalid_request", "input")
    assert wrong["message"] == "`input` must be a string, not a whole number."
    assert unknown["warnings"] == ["unknown field `inptu`; did you mean `input`?"]
    assert talk({"cmd": "measure_lenght"})[-2]["suggestions"] == ["measure_length"]


def test_a_new_command_can_be_part_of_a_batch(talk):
    """As any job can."""
    done = talk({"cmd": "batch", "jobs": [{"cmd": "measure_length", "input": "ab"}]})[-2]
    assert done["results"] == [{"status": "measured", "seconds": 2.0}]


def test_a_new_command_describes_itself(talk):
    """With the schemas of its request, its replies and its events."""
    description = next(line for line in talk({"cmd": "describe"}) if line["status"] == "description")
    command = description["commands"]["measure_length"]
    assert (command["description"], command["job"], command["events"]) == (Measure.__doc__, True, ["progress"])
    assert command["response"]["anyOf"][0] == {"$ref": "#/definitions/Measured"}
    assert description["definitions"]["Measure"]["required"] == ["cmd", "input"]


def test_a_new_command_reaches_the_documentation_and_the_client(with_command):
    """The protocol has a section on it, and the Node client a method with types, without another line of code."""
    text = protocol_docs.render_worker(with_command)
    assert "## measure_length\n\nMeasure how long a file is.\n" in text
    assert "| `input` | string | required | Audio file to measure. |" in text
    assert generate_types.methods()["measureLength"] == "measure_length"
    types = generate_types.render_types()
    assert '  measureLength: MethodWithFields<"measure", "measure_length">;\n' in types
    assert "measure_length: { request: Measure; reply: Measured; event: Progress };" in types
    assert '"measureLength": "measure_length"' in generate_types.render_tables()


# A new worker: a script and a row ---------------------------------------------------------------------------------

SCRIPT = f"""
import sys
sys.path[:0] = {[str(ROOT), str(Path(__file__).parent)]!r}
from fake_engine import FakeEngine
from utils.core import bootstrap
from utils.core.catalogue import Worker
from utils.serving.entry import run_worker

WORKER = Worker(name="dsu-new", script=__file__, command_line="", groups=("control", "cache"), description="Something new")

if __name__ == "__main__":
    bootstrap.prepare_process()
    sys.exit(run_worker(WORKER, sys.argv[1:], FakeEngine, lambda folder: ["quick"]))
"""


@pytest.fixture
def new_worker(monkeypatch, tmp_path):
    """A script of a new worker in a folder of its own, and its row in the table."""
    script = tmp_path / "new_worker.py"
    script.write_text(SCRIPT, encoding="utf-8")
    row = Worker(
        name="dsu-new", script=str(script), command_line="", groups=("control", "cache"), description="Something new"
    )
    monkeypatch.setitem(WORKERS, "new", row)
    return row


def test_a_new_worker_serves(new_worker, tmp_path):
    """A process that is started from the row answers under its name, with the commands of its groups, until `exit`."""
    with WorkerProcess([*worker_command(new_worker), "--worker"], cwd=tmp_path) as worker:
        assert worker.expect("loading")["worker"] == "dsu-new"
        worker.expect("ready")
        assert worker.ask(cmd="ping", id=1) == {"status": "pong", "id": 1, "model_loaded": None}
        description = worker.ask(cmd="describe")
        assert (description["worker"], set(description["commands"])) == ("dsu-new", set(commands_of(new_worker)))
        assert worker.ask(cmd="separate", input="a.wav")["code"] == "unknown_command"
        worker.send({"cmd": "exit"})
        assert statuses(worker.rest()) == ["exiting"]
        assert (worker.wait(), worker.stderr) == (0, "")


def test_a_new_worker_answers_people(new_worker):
    """`--version` and `--help` come with the entry that all workers share."""
    command = [*worker_command(new_worker), "--worker"]
    outputs = [
        subprocess.run([*command, flag], capture_output=True, text=True, env=clean_environment(), check=True).stdout
        for flag in ("--version", "--help")
    ]
    assert outputs[0] == f"dsu-new {__version__}\n"
    assert "Something new" in outputs[1]


@pytest.mark.usefixtures("new_worker")
def test_a_new_worker_reaches_the_client():
    """The Node client knows its name and script, and types it with its commands."""
    assert '"name": "dsu-new"' in generate_types.render_tables()
    assert '  "new": {\n    ping: { request: Ping; reply: Pong; event: never };\n' in generate_types.render_types()
