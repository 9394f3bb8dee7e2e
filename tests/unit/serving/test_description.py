"""`describe`: schemas that hold for what a worker really reads and sends."""

import pytest
from jsonschema import Draft202012Validator, ValidationError
from worker_process import statuses

from utils.serving.commands.table import commands_of
from utils.serving.description import describe
from workers import WORKERS


def validate(description, schema, value):
    Draft202012Validator({**schema, "definitions": description["definitions"]}).validate(value)


def schema_of_line(description, line, command):
    """The schema for an event, or for the reply to this command."""
    return description["events"].get(line["status"]) or description["commands"][command]["response"]


@pytest.mark.parametrize("worker", WORKERS.values(), ids=lambda worker: worker.name)
def test_every_schema_is_one(worker):
    """And every reference in it has its definition."""
    description = describe(worker, commands_of(worker))
    for schema in description.definitions.values():
        Draft202012Validator.check_schema(schema)
    assert description.commands.keys() == commands_of(worker).keys()
    for command in description.commands.values():
        assert set(command["events"]) <= description.events.keys()


def test_the_schemas_hold_for_real_lines(worker):
    """Requests, events and replies of a running worker."""
    requests = [
        {"cmd": "ping", "id": 1},
        {"cmd": "get_status"},
        {"cmd": "list_models", "details": True},
        {"cmd": "list_cached"},
        {"cmd": "clear_cache"},
        {"cmd": "set_cache_size", "n": 1},
        {"cmd": "set_storage_type", "type": "ssd"},
        {"cmd": "cancel"},
        {"cmd": "load_model", "model": "quick"},
        {"cmd": "preload_model"},
        {"cmd": "download_model", "model": "none"},
        {"cmd": "separate", "input": "a.wav", "output": "out", "id": "a", "x": 1},
        {"cmd": "separate", "inputs": ["a.wav", "missing.wav"], "output": "out"},
        {"cmd": "batch", "jobs": [{"cmd": "ping"}]},
        {"cmd": "batch", "jobs": [{"cmd": "separate", "input": "missing.wav", "output": "out"}]},
    ]
    description = worker.ask(cmd="describe")
    for line in worker.transcript[:2]:
        validate(description, description["events"][line["status"]], line)
    for request in requests:
        command = request["cmd"]
        validate(description, description["commands"][command]["request"], request)
        worker.send(request)
        line = worker.read()
        while line["status"] in description["events"]:
            assert line["status"] in description["commands"][command]["events"]
            validate(description, schema_of_line(description, line, command), line)
            line = worker.read()
        validate(description, description["commands"][command]["response"], line)
    worker.send({"cmd": "exit"})
    validate(description, description["commands"]["exit"]["response"], worker.rest()[-1])
    assert "error" in statuses(worker.transcript)


@pytest.mark.parametrize(
    "request_", [{"cmd": "separate", "shifts": "x"}, {"cmd": "separate", "format": "mp4"}, {"cmd": "ping", "id": []}]
)
def test_the_schemas_refuse_what_the_worker_refuses(request_):
    """A wrong field is wrong in both."""
    worker = WORKERS["demucs"]
    description = describe(worker, commands_of(worker))
    values = {"commands": description.commands, "definitions": description.definitions}
    with pytest.raises(ValidationError):
        validate(values, values["commands"][request_["cmd"]]["request"], request_)


def test_the_answer_names_worker_and_protocol(worker):
    """A client can tell what it talks to."""
    answer = worker.ask(cmd="describe", id=9)
    assert (answer["status"], answer["id"], answer["worker"]) == ("description", 9, "dsu-demucs")
    assert answer["protocol"] == 1
