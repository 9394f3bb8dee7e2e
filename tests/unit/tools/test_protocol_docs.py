"""docs/protocol.md: fresh, complete, and with examples that the code accepts."""

import json
import re
from types import SimpleNamespace

import pytest

from tools import protocol_docs as docs
from utils.core.requests import Batch
from utils.serving import messages
from utils.serving.commands import tag_of
from utils.serving.commands.batch import plan_batch
from utils.serving.commands.table import commands_of
from utils.serving.description import describe
from workers import WORKERS

WORKER = WORKERS["demucs"]
COMMANDS = commands_of(WORKER)
ENGINE = SimpleNamespace(family_of=lambda model: "demucs")  # is asked by commands of dsu only


def examples():
    """The lines of the examples: direction and object."""
    blocks = re.findall(r"```json\n(.*?)```", docs.render(), flags=re.DOTALL)
    return [(line[0], json.loads(line[2:])) for block in blocks for line in block.splitlines()]


def test_the_files_are_fresh():
    """`python -m tools.protocol_docs` was run after the last change, and no page of a worker that is gone is left."""
    assert docs.main(["--check"]) == 0
    assert {path.stem for path in docs.REQUESTS.iterdir()} == {worker.name for worker in WORKERS.values()}


def test_check_tells_fresh_from_stale(tmp_path, monkeypatch, capsys):
    """The exit status is 1 when a file is missing or differs, and 0 once it was written."""
    monkeypatch.setattr(docs, "TARGET", tmp_path / "docs" / "protocol.md")
    monkeypatch.setattr(docs, "REQUESTS", tmp_path / "docs" / "requests")
    assert docs.main(["--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    docs.TARGET.write_text("old", encoding="utf-8")
    assert docs.main(["--check"]) == 1


def test_nothing_is_left_to_insert():
    """Each section of the template was filled, and each section is used."""
    assert not docs.INSERTION.search(docs.render())
    assert set(docs.INSERTION.findall(docs.TEMPLATE.read_text(encoding="utf-8"))) == docs.SECTIONS.keys()


def test_every_code_and_setting_has_a_meaning():
    """And there are no meanings of what does not exist."""
    assert set(docs.every_code()) == docs.CODE_MEANINGS.keys()
    assert all(field.description for field in docs.FIELDS.values())


def test_every_command_event_and_reply_has_a_heading():
    """A reader finds each by its name."""
    headings = re.findall(r"^### (\w+)", docs.render(), flags=re.MULTILINE)
    names = {tag_of(line) for line in [*docs.every_event(), *docs.every_reply()]}
    assert names | {command.name for command in docs.shared_commands()} <= set(headings)


@pytest.mark.parametrize("worker", WORKERS.values(), ids=lambda worker: worker.name)
def test_every_command_of_a_worker_is_on_its_page_or_is_shared(worker):
    """Not on both; and its page links to what it does not have."""
    own = re.findall(r"^### (\w+)$", docs.render_worker(worker), flags=re.MULTILINE)
    shared = [command.name for command in docs.shared_commands()]
    assert sorted([*own, *shared]) == sorted(commands_of(worker))
    assert all(f"protocol.md#{name})" in docs.render_worker(worker) for name in shared)


@pytest.mark.parametrize("fields", [fields for mark, fields in examples() if mark == "→"], ids=json.dumps)
def test_examples_of_requests_are_real(fields):
    """What is shown as wrong is refused, all else is accepted without a warning, but for the one about warnings."""
    refused = fields.get("shifts") == "two" or fields["cmd"] == "seperate"
    try:
        decoded = messages.decode(fields, COMMANDS[messages.command_name(fields, COMMANDS)].request)
    except messages.InvalidRequest:
        assert refused
    except messages.UnknownCommand:
        assert refused
    else:
        assert not refused
        assert bool(decoded.warnings) == ("detials" in fields)
        if isinstance(decoded.request, Batch):
            assert len(plan_batch(decoded.request.jobs, COMMANDS, ENGINE)) == len(fields["jobs"])


@pytest.mark.parametrize("line", [line for mark, line in examples() if mark == "←"], ids=lambda line: line["status"])
def test_examples_of_replies_are_real(line):
    """Each fits the schema of a line with its status, and no field is unknown."""
    description = describe(WORKER, COMMANDS)
    known = [one for one in description.definitions.values() if line["status"] in status_enum(one)]
    assert any(set(schema["required"]) <= line.keys() <= schema["properties"].keys() for schema in known)


def status_enum(schema):
    return schema.get("properties", {}).get("status", {}).get("enum", [])


def test_a_fault_shown_in_the_examples_is_what_is_said():
    """The error for a wrong type is word for word the worker's."""
    fields = {"cmd": "separate", "shifts": "two"}
    shown = next(line for mark, line in examples() if mark == "←" and line.get("field") == "shifts")
    with pytest.raises(messages.InvalidRequest) as caught:
        messages.decode(fields, COMMANDS["separate"].request)
    assert (shown["message"], shown["hint"]) == (caught.value.message, caught.value.hint)
